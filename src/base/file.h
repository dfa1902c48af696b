// Whole small files, in and out. Callers: any layer's adapters, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

/// Reads a whole file into a string. Works for /proc files, whose st_size is 0. Refuses a file
/// larger than `limit_bytes` with kCorrupt rather than eat the machine's memory.
Result<std::string> read_file(const char* path, size_t limit_bytes = 64U << 20);

/// The same, relative to an open directory; fills `out` (capacity is reused between calls).
Result<void> read_file_at(int directory_fd, const char* path, std::string& out,
                          size_t limit_bytes = 64U << 20);

/// The target of a symbolic link relative to an open directory.
Result<std::string> read_link_at(int directory_fd, const char* path);

/// Replaces `path` in one step: temporary file beside it, fsync, rename, fsync of the directory. On
/// any failure the old content stays and the temporary is removed. Mode of a new file: 0600.
Result<void> replace_file(const std::string& path, std::string_view content);

/// Makes an entry that was made at `path` survive a power failure.
Result<void> sync_parent_directory(const std::string& path);

/// Makes a directory and its missing parents, mode 0700, synced where that can be. An existing
/// directory is success.
Result<void> make_directories(const std::string& path);

}  // namespace base
