#include "host/cache_file.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <time.h>

#include "base/file.h"

namespace host {
namespace {

constexpr int64_t kNsPerS = 1'000'000'000;
constexpr size_t kLongestCache = 1U << 20;
// A file may be written twice within one tick of its clock, and look the same both times; FAT's
// ticks, the coarsest, last two seconds.
constexpr int64_t kTrustedAgeNs = 3 * kNsPerS;

int64_t in_ns(const timespec& time) { return time.tv_sec * kNsPerS + time.tv_nsec; }

bool is_ours(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

std::optional<std::string> read_cache(const std::string& path) {
  if (path.empty() || !is_ours(path)) return std::nullopt;
  auto text = base::read_file(path.c_str(), kLongestCache);
  if (!text) return std::nullopt;
  return std::move(*text);
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
