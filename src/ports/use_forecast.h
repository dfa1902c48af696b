// Whether use of the ephemeral range will come to its end, from how it went.
//
// The time looked at is cut into 60 parts, and of the highest use in each the slope is estimated as
// the median of the slopes between all pairs of parts (Theil and Sen), with its 95 % interval by
// Kendall's statistic. Growth is claimed only where the whole interval is above zero, and the time
// to the end is told as the span that the interval gives. It assumes that use goes on as it did; it
// knows of no day and no week. Parts that depend on each other (ports held for long) widen the
// interval as those of an autoregressive series of the first order would.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ports {

inline constexpr size_t kUseParts = 60;
/// Ports in use, the highest of each part.
using UseOverTime = std::array<uint32_t, kUseParts>;
using KnownParts = std::bitset<kUseParts>;

/// Less history than this says nothing: ports rest for a minute, so use moves that slowly.
inline constexpr int64_t kForecastLeast_s = 600;

enum class Trend : uint8_t {
  kTooShort,  ///< not enough history: see forecast_use()
  kUnclear,   ///< neither growth nor decline that could be told from chance
  kGrowing,
  kShrinking,
};
std::string_view trend_name(Trend trend);  ///< "too-short", "unclear", "growing", "shrinking"

struct Forecast {
  Trend trend = Trend::kTooShort;
  double ports_per_hour = 0;  ///< the median slope
  /// Growing: seconds until every port is in use, by the upper and the lower end of the interval.
  std::optional<int64_t> full_in_s_least;
  std::optional<int64_t> full_in_s_most;
};

/// `free`: ports left at the end. Parts that are not `known` are left out. Too short: fewer than
/// ten known parts with any use, or known parts of less than kForecastLeast_s together.
Forecast forecast_use(const UseOverTime& use, const KnownParts& known, int64_t part_us,
                      uint32_t free);

}  // namespace ports
