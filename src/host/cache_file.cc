#include "host/cache_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <time.h>

#include "base/fd.h"
#include "base/file.h"

namespace host {
namespace {

constexpr int64_t kNsPerS = 1'000'000'000;
constexpr size_t kLongestCache = 1U << 20;
// A file may be written twice within one tick of its clock, and look the same both times; FAT's
// ticks, the coarsest, last two seconds.
constexpr int64_t kTrustedAgeNs = 3 * kNsPerS;

int64_t in_ns(const timespec& time) { return time.tv_sec * kNsPerS + time.tv_nsec; }

/// Its size; nothing where somebody else can have written it.
std::optional<size_t> size_if_ours(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid() ||
      (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return std::nullopt;
  }
  return static_cast<size_t>(status.st_size);
}

}  // namespace

std::optional<std::string> read_cache(const std::string& path) {
  if (path.empty()) return std::nullopt;
  // What is judged must be what is read, so both go by one descriptor; O_NONBLOCK for a FIFO that
  // somebody has put there.
  const base::Fd fd(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  const auto whole = fd.valid() ? size_if_ours(fd.get()) : std::nullopt;
  if (!whole || *whole > kLongestCache) return std::nullopt;
  std::string text(*whole, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  return text;
}

bool keep_cache(const std::string& path, const std::string& text) {
  if (path.empty() || text.size() > kLongestCache) return false;
  const size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    if (!base::make_directories(path.substr(0, slash))) return false;
  }
  return base::replace_file(path, text).has_value();
}

format::FileStamp stamp_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size_bytes = static_cast<uint64_t>(status.st_size),
          .mtime_ns = in_ns(status.st_mtim),
          .ctime_ns = in_ns(status.st_ctim)};
}

int64_t wall_clock_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return in_ns(now);
}

bool is_old(const format::FileStamp& stamp, int64_t now_ns) {
  return std::max(stamp.mtime_ns, stamp.ctime_ns) < now_ns - kTrustedAgeNs;
}

}  // namespace host
