// The beginning that all objects of a repository share: eight letters and a version.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "format/byte_stream.h"

namespace format {

inline constexpr uint16_t kRepositoryVersion = 1;

/// Reads letters and version; a newer version is kUnsupported, other letters are kCorrupt. `what`
/// names the object in messages: "a pack".
inline base::Result<void> read_magic(ByteReader& reader, std::string_view letters,
                                     std::string_view what) {
  const std::string_view found = reader.raw(letters.size());
  const auto version = reader.number<uint16_t>();
  if (!reader.ok() || found != letters || version == 0)
    return base::fail(base::ErrorKind::kCorrupt, "does not begin like " + std::string(what));
  if (version > kRepositoryVersion) {
    return base::fail(base::ErrorKind::kUnsupported,
                      "is " + std::string(what) + " of format " + std::to_string(version) +
                          ", written by a newer Twinport; this one reads up to " +
                          std::to_string(kRepositoryVersion) + ": update this Twinport");
  }
  return {};
}

}  // namespace format
