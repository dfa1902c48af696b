// The cache of file checksums: which content a file had when it was last read. Pure; any thread.
//
//   file   = "twinport checksums 1\n" *entry "sum " MD5 of all bytes before this line "\n"
//   entry  = device " " inode " " size " " mtime_ns " " ctime_ns " " md5 "\n"     numbers in
//   decimal
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/summed_text.h"

namespace format {

/// What tells that a file is still the one that was read. ctime cannot be set at will.
struct FileStamp {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size_bytes = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  bool operator==(const FileStamp&) const = default;
};

struct FileChecksum {
  FileStamp stamp;
  std::string md5;  ///< 32 lower-case hexadecimal digits
  bool operator==(const FileChecksum&) const = default;
};

std::string encode_checksum_list(const std::vector<FileChecksum>& entries, const Md5OfText& md5);

/// Nothing when a single byte is not as encode_checksum_list() wrote it.
std::optional<std::vector<FileChecksum>> decode_checksum_list(std::string_view text,
                                                              const Md5OfText& md5);

}  // namespace format
