// ChecksumCache: remembers the checksums of files that were not touched since, in one small file. A
// cache that is missing, damaged or not ours is the same as an empty one; a cache that cannot be
// written is not kept. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "format/checksum_list.h"

namespace host {

class ChecksumCache {
 public:
  /// "" = remember nothing.
  explicit ChecksumCache(std::string path);

  /// The MD5 of an open regular file, read only when its stamp is not known yet. Nothing when it
  /// cannot be read, or was written to while it was.
  std::optional<std::string> md5(int fd);

  /// Replaces the cache file, if there is something new.
  void save();

 private:
  std::string path_;
  std::vector<format::FileChecksum> entries_;
  bool changed_ = false;
};

}  // namespace host
