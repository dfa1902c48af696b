#include "ports/use_forecast.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ports {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kHour_s = 3600;
constexpr size_t kPartsNeeded = 10;
// The 97.5th percentile of the normal distribution.
constexpr double kNormal = 1.96;
// Of parts that are hardly told from their neighbours: it keeps the interval finite.
constexpr double kMostAlike = 0.97;

/// By how much Kendall's spread grows because neighbouring parts are alike, as they are where ports
/// are held for longer than a part: as for a series in which each value is `alike` times the one
/// before and chance, whose n values are worth n (1 - alike) / (1 + alike).
double widening(const UseOverTime& use, const std::vector<size_t>& parts, double slope) {
  std::vector<double> rest;
  rest.reserve(parts.size());
  for (const size_t part : parts) rest.push_back(use[part] - slope * static_cast<double>(part));
  double mean = 0;
  for (const double value : rest) mean += value;
  mean /= static_cast<double>(rest.size());
  double together = 0;
  double each = 0;
  for (size_t i = 0; i < rest.size(); ++i) {
    each += (rest[i] - mean) * (rest[i] - mean);
    if (i + 1 < rest.size() && parts[i + 1] == parts[i] + 1) {
      together += (rest[i] - mean) * (rest[i + 1] - mean);
    }
  }
  if (each == 0) return 1;
  // From few values likeness is found too small (Kendall 1954), the more so the larger it is.
  const double found = together / each;
  const double alike = found + (1 + 4 * found) / static_cast<double>(rest.size());
  if (alike <= 0) return 1;
  const double kept = std::min(alike, kMostAlike);
  return std::sqrt((1 + kept) / (1 - kept));
}

}  // namespace

std::string_view trend_name(Trend trend) {
  switch (trend) {
    case Trend::kTooShort:
      return "too-short";
    case Trend::kUnclear:
      return "unclear";
    case Trend::kGrowing:
      return "growing";
    case Trend::kShrinking:
      return "shrinking";
  }
  return {};
}

Forecast forecast_use(const UseOverTime& use, const KnownParts& known, int64_t part_us,
                      uint32_t free) {
  Forecast out;
  std::vector<size_t> parts;
  size_t filled = 0;
  for (size_t i = 0; i < kUseParts; ++i) {
    if (!known[i]) continue;
    parts.push_back(i);
    filled += use[i] > 0 ? 1 : 0;
  }
  const int64_t known_s = static_cast<int64_t>(parts.size()) * part_us / kSecondUs;
  if (filled < kPartsNeeded || known_s < kForecastLeast_s) return out;

  std::vector<double> slopes;  // ports a part
  slopes.reserve(parts.size() * (parts.size() - 1) / 2);
  for (size_t i = 0; i < parts.size(); ++i) {
    for (size_t j = i + 1; j < parts.size(); ++j) {
      const double rise = static_cast<double>(use[parts[j]]) - use[parts[i]];
      slopes.push_back(rise / static_cast<double>(parts[j] - parts[i]));
    }
  }
  std::ranges::sort(slopes);
  const auto n = static_cast<double>(parts.size());
  const double spread = kNormal * std::sqrt(n * (n - 1) * (2 * n + 5) / 18) *
                        widening(use, parts, slopes[slopes.size() / 2]);
  const auto count = static_cast<double>(slopes.size());
  const auto slope_at = [&](double rank) {
    return slopes[static_cast<size_t>(std::clamp(rank, 0.0, count - 1))];
  };
  const double least = slope_at((count - spread) / 2);
  const double most = slope_at((count + spread) / 2);
  const double part_s = static_cast<double>(part_us) / kSecondUs;
  out.ports_per_hour = slopes[slopes.size() / 2] * kHour_s / part_s;
  out.trend = least > 0 ? Trend::kGrowing : most < 0 ? Trend::kShrinking : Trend::kUnclear;
  if (out.trend != Trend::kGrowing) return out;
  out.full_in_s_least = static_cast<int64_t>(free / most * part_s);
  out.full_in_s_most = static_cast<int64_t>(free / least * part_s);
  return out;
}

}  // namespace ports
