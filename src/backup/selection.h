// Selection: what of the paths a backup leaves out, and how often it did.
#pragma once

#include <cstdint>
#include <optional>

#include "format/ignore_rules.h"

namespace backup {

/// Rules never leave out a path that was asked for, only what is in it.
struct Selection {
  format::IgnoreRules patterns;  ///< hold from each path that is backed up
  bool exclude_caches = false;   ///< of a directory with a CACHEDIR.TAG, only itself and the tag
  bool one_file_system = false;  ///< of a directory on which another is mounted, only itself
  std::optional<uint64_t> file_largest;  ///< files of more bytes are left out
};

/// What is in a directory that is left out is not counted: nobody looked.
struct LeftOut {
  uint64_t by_pattern = 0;    ///< entries
  uint64_t caches = 0;        ///< directories that were emptied
  uint64_t file_systems = 0;  ///< the same
  uint64_t too_large = 0;     ///< files

  [[nodiscard]] uint64_t all() const { return by_pattern + caches + file_systems + too_large; }
};

}  // namespace backup
