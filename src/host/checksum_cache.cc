#include "host/checksum_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include <time.h>

#include "base/file.h"
#include "host/md5.h"

namespace host {
namespace {

constexpr int64_t kNsPerS = 1'000'000'000;
constexpr size_t kMostEntries = 4096;
constexpr size_t kLongestCache = 1U << 20;
// A file may be written twice within one tick of its clock, and look the same both times; FAT's
// ticks, the coarsest, last two seconds.
constexpr int64_t kTrustedAgeNs = 3 * kNsPerS;

int64_t in_ns(const timespec& time) { return time.tv_sec * kNsPerS + time.tv_nsec; }

std::optional<format::FileStamp> stamp_of(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return format::FileStamp{.device = status.st_dev,
                           .inode = status.st_ino,
                           .size_bytes = static_cast<uint64_t>(status.st_size),
                           .mtime_ns = in_ns(status.st_mtim),
                           .ctime_ns = in_ns(status.st_ctim)};
}

bool is_old(const format::FileStamp& stamp) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::max(stamp.mtime_ns, stamp.ctime_ns) < in_ns(now) - kTrustedAgeNs;
}

// Whoever can write to the cache can make any program look sound.
bool is_ours(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

ChecksumCache::ChecksumCache(std::string path) : path_(std::move(path)) {
  if (path_.empty() || !is_ours(path_)) return;
  const auto text = base::read_file(path_.c_str(), kLongestCache);
  if (!text) return;
  if (auto entries = format::decode_checksum_list(*text, md5_of)) entries_ = std::move(*entries);
}

std::optional<std::string> ChecksumCache::md5(int fd) {
  const auto stamp = stamp_of(fd);
  if (!stamp) return std::nullopt;
  const auto known = std::ranges::find(entries_, *stamp, &format::FileChecksum::stamp);
  if (known != entries_.end()) return known->md5;
  auto sum = md5_of_file(fd);
  if (!sum || stamp_of(fd) != stamp) return std::nullopt;
  if (is_old(*stamp)) {
    entries_.push_back({*stamp, *sum});
    changed_ = true;
  }
  return std::move(*sum);
}

void ChecksumCache::save() {
  if (!changed_ || path_.empty()) return;
  if (entries_.size() > kMostEntries) {
    entries_.erase(entries_.begin(), entries_.end() - static_cast<ptrdiff_t>(kMostEntries));
  }
  const size_t slash = path_.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    if (!base::make_directories(path_.substr(0, slash))) return;
  }
  // A cache that cannot be kept costs time, not truth: no error to report.
  changed_ = !base::replace_file(path_, format::encode_checksum_list(entries_, md5_of));
}

}  // namespace host
