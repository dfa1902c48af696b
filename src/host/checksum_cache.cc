#include "host/checksum_cache.h"

#include <algorithm>
#include <utility>

#include "host/cache_file.h"
#include "host/md5.h"

namespace host {
namespace {

constexpr size_t kMostEntries = 4096;

std::optional<format::FileStamp> stamp_of_file(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return stamp_of(status);
}

}  // namespace

ChecksumCache::ChecksumCache(std::string path) : path_(std::move(path)) {
  const auto text = read_cache(path_);
  if (!text) return;
  if (auto entries = format::decode_checksum_list(*text, md5_of)) entries_ = std::move(*entries);
}

std::optional<std::string> ChecksumCache::md5(int fd) {
  const auto stamp = stamp_of_file(fd);
  if (!stamp) return std::nullopt;
  const auto known = std::ranges::find(entries_, *stamp, &format::FileChecksum::stamp);
  if (known != entries_.end()) return known->md5;
  auto sum = md5_of_file(fd);
  if (!sum || stamp_of_file(fd) != stamp) return std::nullopt;
  if (is_old(*stamp, wall_clock_ns())) {
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
  changed_ = !keep_cache(path_, format::encode_checksum_list(entries_, md5_of));
}

}  // namespace host
