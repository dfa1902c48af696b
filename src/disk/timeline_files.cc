#include "disk/timeline_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "disk/sqlite.h"

namespace disk {
namespace {

using base::ErrorKind;

constexpr std::string_view kDamagedPrefix = "timeline.db.damaged-";

[[noreturn]] void raise_errno(std::string tried, int error_number) {
  throw Failure{base::fail_errno(std::move(tried), error_number).error()};
}

std::string time_stamp(int64_t now_us) {
  const auto seconds = static_cast<time_t>(now_us / 1'000'000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return {text, size};
}

// The databases set aside earlier, oldest first: their names end in a time that sorts.
std::vector<std::string> set_aside_before(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(directory.c_str()), closedir);
  if (open == nullptr) return names;
  // The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe)
  while (const dirent* entry = readdir(open.get())) {
    const std::string name = entry->d_name;
    if (name.starts_with(kDamagedPrefix) && !name.ends_with("-wal")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

uint64_t size_of(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

}  // namespace

bool TimelineFiles::exists() const { return access(database().c_str(), F_OK) == 0; }

uint64_t TimelineFiles::log_bytes() const { return size_of(log()); }

uint64_t TimelineFiles::size_bytes() const { return size_of(database()) + log_bytes(); }

void TimelineFiles::prepare_directory() const {
  if (const auto made = base::make_directories(directory_); !made) throw Failure{made.error()};
  struct stat status{};
  if (stat(directory_.c_str(), &status) != 0) {
    raise_errno("look at the state directory " + directory_, errno);
  }
  if (status.st_uid != geteuid() || (status.st_mode & 022U) != 0) {
    raise(ErrorKind::kPermission,
          "record into " + directory_ +
              ": other users can write there, or own it, and could slip in a timeline of their "
              "own; make it yours alone (chmod 700) or choose another with --state");
  }
}

base::Fd TimelineFiles::lock() const {
  const std::string path = directory_ + "/timeline.lock";
  base::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) raise_errno("open " + path, errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const int error_number = errno;
    if (error_number != EWOULDBLOCK) raise_errno("lock " + path, error_number);
    std::string holder;
    if (const auto text = base::read_file(path.c_str(), 64)) holder = base::trim(*text);
    raise(ErrorKind::kIo, "record into " + directory_ + ": another recorder" +
                              (holder.empty() ? "" : " (pid " + holder + ")") +
                              " is at work there; stop it first, or choose another with --state");
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  // Only a courtesy to whoever is refused: a full disk must not keep us from trying.
  if (ftruncate(fd.get(), 0) == 0) {
    [[maybe_unused]] const auto written = pwrite(fd.get(), pid.data(), pid.size(), 0);
  }
  return fd;
}

void TimelineFiles::create() const {
  const base::Fd fd(
      open(database().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) raise_errno("create " + database(), errno);
}

std::string TimelineFiles::set_aside(int64_t now_us) const {
  const auto before = set_aside_before(directory_);
  for (size_t i = 0; i + 1 < before.size(); ++i) {
    const std::string path = directory_ + "/" + before[i];
    unlink((path + "-wal").c_str());
    unlink(path.c_str());
  }
  const std::string stem = directory_ + "/" + std::string(kDamagedPrefix) + time_stamp(now_us);
  std::string name = stem;
  for (int copy = 2; access(name.c_str(), F_OK) == 0; ++copy) {
    name = stem + "-" + std::to_string(copy);
  }
  // The log first: one that stayed behind could be taken for the log of the fresh database.
  if (rename(log().c_str(), (name + "-wal").c_str()) != 0 && errno != ENOENT) {
    raise_errno("set " + log() + " aside", errno);
  }
  if (rename(database().c_str(), name.c_str()) != 0 && errno != ENOENT) {
    raise_errno("set " + database() + " aside", errno);
  }
  unlink((database() + "-shm").c_str());
  return name;
}

}  // namespace disk
