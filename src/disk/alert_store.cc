#include "disk/alert_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/fd.h"
#include "base/file.h"

namespace disk {
namespace {

using base::Result;

constexpr size_t kFactsMaxBytes = 16U << 20U;
constexpr size_t kMessageMaxBytes = 1U << 20U;
// A file that replace_file() was writing when the machine stopped has another ending.
constexpr std::string_view kEnding = ".json";

Result<void> write_all(const base::Fd& file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(file.get(), text.data(), text.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      return base::fail_errno("write " + path, errno);
    }
    text.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

}  // namespace

std::string AlertStore::queue_path(const std::string& queue) const {
  return directory_ + "/queue/" + queue;
}

std::vector<format::FactLine> AlertStore::read_facts() const {
  const auto text = base::read_file((directory_ + "/facts").c_str(), kFactsMaxBytes);
  return text ? format::parse_facts(*text) : std::vector<format::FactLine>{};
}

Result<void> AlertStore::write_facts(const std::vector<format::FactLine>& facts) const {
  if (auto made = base::make_directories(directory_); !made) return made;
  return base::replace_file(directory_ + "/facts", format::facts_as_text(facts));
}

Result<void> AlertStore::append_log(const model::Alert& alert) const {
  if (auto made = base::make_directories(directory_); !made) return made;
  const std::string path = log_path();
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 &&
      static_cast<uint64_t>(status.st_size) >= kAlertLogMaxBytes) {
    if (::rename(path.c_str(), old_log_path().c_str()) != 0) {
      return base::fail_errno("rename " + path, errno);
    }
  }
  const base::Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return base::fail_errno("open " + path, errno);
  if (auto done = write_all(file, format::alert_as_log_entry(alert), path); !done) return done;
  if (::fdatasync(file.get()) != 0) return base::fail_errno("sync " + path, errno);
  return {};
}

Result<std::vector<model::Alert>> AlertStore::read_log() const {
  std::vector<model::Alert> out;
  const auto old = base::read_file(old_log_path().c_str(), 2 * kAlertLogMaxBytes);
  if (old) out = format::parse_alert_log(*old);
  const auto text = base::read_file(log_path().c_str(), 2 * kAlertLogMaxBytes);
  if (!text) {
    if (old && text.error().kind == base::ErrorKind::kNotFound) return out;
    return std::unexpected(text.error());
  }
  for (model::Alert& alert : format::parse_alert_log(*text)) out.push_back(std::move(alert));
  return out;
}

Result<size_t> AlertStore::put(const std::string& queue, const std::string& name,
                               std::string_view content) const {
  const std::string path = queue_path(queue);
  if (auto made = base::make_directories(path); !made) return std::unexpected(made.error());
  std::vector<std::string> waiting = names(queue);
  size_t gone = 0;
  while (waiting.size() - gone >= kAlertQueueMax) {
    if (auto removed = remove(queue, waiting[gone]); !removed) {
      return std::unexpected(removed.error());
    }
    ++gone;
  }
  auto written = base::replace_file(path + "/" + name + std::string(kEnding), content);
  if (!written) return std::unexpected(written.error());
  return gone;
}

std::vector<std::string> AlertStore::names(const std::string& queue) const {
  std::vector<std::string> out;
  std::error_code error;
  std::filesystem::directory_iterator entries(queue_path(queue), error);
  for (const std::filesystem::directory_iterator end; !error && entries != end;
       entries.increment(error)) {
    std::string name = entries->path().filename().string();
    if (!name.ends_with(kEnding)) continue;
    name.resize(name.size() - kEnding.size());
    out.push_back(std::move(name));
  }
  std::ranges::sort(out);
  return out;
}

Result<std::string> AlertStore::get(const std::string& queue, const std::string& name) const {
  const std::string path = queue_path(queue) + "/" + name + std::string(kEnding);
  return base::read_file(path.c_str(), kMessageMaxBytes);
}

Result<void> AlertStore::remove(const std::string& queue, const std::string& name) const {
  const std::string path = queue_path(queue) + "/" + name + std::string(kEnding);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return base::fail_errno("remove " + path, errno);
  }
  return {};
}

}  // namespace disk
