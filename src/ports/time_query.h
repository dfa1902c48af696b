// A moment as a person gives it (`--at`), turned into the stretches of time that it can mean.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/clock_history.h"

namespace ports {

/// Takes
///   2026-11-22T12:03:11Z, 2026-11-22T12:03:11.250+01:00   RFC 3339
///   2026-11-22 12:03:11, 2026-11-22 12:03                  local time of this machine
///   -10m, -2h, -45s, -3d, now                              before `now_us`
///   whatever else logs write (format/written_time.h): Nov 23 07:17:59, 23/Nov/2026:07:17:59 +0000,
///   seconds since 1970, 07:17:59; a name of a zone only where this machine's clocks show it
/// A date without a year means the newest that is not after `now_us`, and so does a time without a
/// date. A time without a fraction means that whole second, give or take one, since log writers
/// round and buffer; one without seconds means that whole minute; one with a fraction means what
/// its last digit can tell, give or take 10 ms. An hour that daylight saving repeats means both, so
/// there are two windows; an hour that it skips is refused with a word on why. The error names the
/// shapes above. Local time is read with the C library's time zone (TZ); thread-safe.
base::Result<std::vector<model::TimeWindow>> parse_time(std::string_view text, int64_t now_us);

/// "2026-11-22 12:03:11.250 CET", local time, for people. `digits` of the second's fraction, 0
/// to 6.
std::string local_time_text(int64_t time_us, int digits);
/// "between 12:03:10 and 12:03:12 CET on 2026-11-22"; the date is said twice where there are two.
/// Both ends are included: the last microsecond of a second stands for that second.
std::string between_in_words(model::TimeWindow window, int digits);
/// "2026-11-22T11:03:11.250000Z", for programs.
std::string rfc3339(int64_t time_us);

}  // namespace ports
