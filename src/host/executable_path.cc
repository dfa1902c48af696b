#include "host/executable_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string_view>

#include <stdlib.h>

#include "base/fd.h"
#include "base/text.h"

namespace host {
namespace {

// BINPRM_BUF_SIZE (include/uapi/linux/binfmts.h) and the depth in fs/exec.c.
constexpr size_t kFirstLine = 256;
constexpr int kDeepest = 5;

std::string real_path(const std::string& path) {
  struct Free {
    void operator()(char* text) const { ::free(text); }
  };
  const std::unique_ptr<char, Free> found(::realpath(path.c_str(), nullptr));
  return found ? std::string(found.get()) : std::string();
}

// The interpreter that a script names, "" where the file is no script.
std::string interpreter_of(const std::string& path) {
  struct stat status{};
  // To open a device may do something, and a fifo would keep us waiting.
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return {};
  std::array<char, kFirstLine> begin{};
  const ssize_t size = ::read(file.get(), begin.data(), begin.size());
  std::string_view line(begin.data(), size < 0 ? 0 : static_cast<size_t>(size));
  line = line.substr(0, line.find('\n'));
  if (!line.starts_with("#!")) return {};
  line.remove_prefix(2);
  return std::string(base::take_word(line));
}

}  // namespace

std::string executable_behind(const std::string& called) {
  std::string path = called;
  for (int depth = 0; depth < kDeepest; ++depth) {
    if (!path.starts_with('/')) return {};
    path = real_path(path);
    if (path.empty()) return {};
    std::string interpreter = interpreter_of(path);
    if (interpreter.empty()) return path;
    path = std::move(interpreter);
  }
  return {};
}

}  // namespace host
