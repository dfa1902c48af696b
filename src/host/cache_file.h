// A cache in one small file. One that is missing or not ours is the same as an empty one; one that
// cannot be written is not kept: that costs time, not truth, so there is no error to report.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "format/checksum_list.h"

namespace host {

/// Nothing where somebody else can have written it: who can do so can make any program look sound.
std::optional<std::string> read_cache(const std::string& path);

/// Replaces the file, and makes its directory; whether that worked.
bool keep_cache(const std::string& path, const std::string& text);

format::FileStamp stamp_of(const struct stat& status);

/// Wall clock, as in a stamp.
int64_t wall_clock_ns();

/// Whether a file that is written to from `now_ns` on will have another stamp.
bool is_old(const format::FileStamp& stamp, int64_t now_ns);

}  // namespace host
