// A date and time as logs and people write it. Says what stands there; what a left-out year, day or
// zone means is for the reader of this to say (ports/time_query.h).
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace format {

struct WrittenTime {
  std::optional<int64_t>
      epoch_s;            ///< seconds since 1970; nothing but the fraction counts beside it
  bool has_date = false;  ///< tm_mon and tm_mday were written
  bool has_year = false;
  std::tm fields{};          ///< what was left out is 0; a written second 60 is 59 here
  bool leap_second = false;  ///< 60 was written: to every Linux clock the second after 59
  int64_t fraction_us = 0;
  int64_t resolution_us = 1'000'000;  ///< what the last written digit stands for
  std::optional<int> offset_s;        ///< from UTC
  std::string zone;                   ///< a zone's name other than UTC and GMT ("CET"), or nothing
};

/// Takes, with any number of blanks between the parts, and within brackets too:
///   2026-11-23T07:17:59.892Z, 2026-11-23 07:17 +01:00, 2026-11-23 07:17:59 UTC    RFC 3339
///   20261123T071759Z                                                            compact ISO 8601
///   2026/11/23 07:17:59                                                         nginx, errors
///   23/Nov/2026:07:17:59 +0000                                                  Apache, nginx
///   Mon, 23 Nov 2026 07:17:59 +0000                                             RFC 5322
///   Nov 23 07:17:59, Mon Nov 23 07:17:59 UTC 2026                               syslog, date
///   1795418279, 1795418279.892                                                  seconds since 1970
///   07:17:59                                                                    time alone
/// Refuses all else, and days and times that do not exist; the error's message is the reason, as
/// half a sentence. Total, no locale, no time zone is looked up.
base::Result<WrittenTime> read_written_time(std::string_view text);

}  // namespace format
