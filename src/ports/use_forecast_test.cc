#include "ports/use_forecast.h"

#include <algorithm>
#include <array>
#include <random>

#include <gtest/gtest.h>

namespace ports {
namespace {

constexpr int64_t kMinuteUs = 60'000'000;
const KnownParts kAllKnown = KnownParts().set();

UseOverTime parts(auto value) {
  UseOverTime out{};
  for (size_t i = 0; i < kUseParts; ++i) out[i] = static_cast<uint32_t>(value(i));
  return out;
}

TEST(UseForecast, SteadyGrowthFillsTheRange) {
  const auto found =
      forecast_use(parts([](size_t i) { return 100 + 10 * i; }), kAllKnown, kMinuteUs, 600);
  EXPECT_EQ(found.trend, Trend::kGrowing);
  EXPECT_DOUBLE_EQ(found.ports_per_hour, 600);
  EXPECT_EQ(found.full_in_s_least, 3600);
  EXPECT_EQ(found.full_in_s_most, 3600);
}

TEST(UseForecast, NoiseWidensTheSpanAndClaimsNothing) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int> noise(-40, 40);
  const auto growing =
      forecast_use(parts([&](size_t i) { return 100 + 5 * static_cast<int>(i) + noise(random); }),
                   kAllKnown, kMinuteUs, 600);
  ASSERT_EQ(growing.trend, Trend::kGrowing);
  EXPECT_LT(*growing.full_in_s_least, 7200);
  EXPECT_GT(*growing.full_in_s_most, 7200);
  int claimed = 0;
  for (int run = 0; run < 400; ++run) {
    const auto steady =
        forecast_use(parts([&](size_t) { return 100 + noise(random); }), kAllKnown, kMinuteUs, 600);
    claimed += steady.trend != Trend::kUnclear ? 1 : 0;
  }
  EXPECT_LT(claimed, 40);  // 5 % by chance
  EXPECT_GT(claimed, 2);
}

/// Of 300 histories, how many are called a trend.
int claimed_of_300(auto history) {
  int claimed = 0;
  for (int run = 0; run < 300; ++run) {
    const auto found = forecast_use(history(), kAllKnown, kMinuteUs, 600);
    claimed += found.trend != Trend::kUnclear ? 1 : 0;
  }
  return claimed;
}

TEST(UseForecast, PortsHeldForLongMakeNoTrendOfChance) {
  std::mt19937 random(7);
  // Five ports a second, each counted for a minute, in parts of ten seconds.
  std::poisson_distribution<int> opened(50);
  EXPECT_LT(claimed_of_300([&] {
              std::array<int, kUseParts + 6> made{};
              for (int& one : made) one = opened(random);
              return parts([&](size_t i) {
                int sum = 0;
                for (size_t j = 0; j < 6; ++j) sum += made[i + j];
                return sum;
              });
            }),
            30);
  // A walk without aim: what comes next is what was, and chance.
  std::uniform_int_distribution<int> step(-20, 20);
  EXPECT_LT(claimed_of_300([&] {
              int now = 2000;
              return parts([&](size_t) { return now += step(random); });
            }),
            90);
}

TEST(UseForecast, OneBurstIsNoTrend) {
  const auto found =
      forecast_use(parts([](size_t i) { return i == 59 ? 5000 : 100; }), kAllKnown, kMinuteUs, 1);
  EXPECT_EQ(found.trend, Trend::kUnclear);
}

TEST(UseForecast, SaysWhenThereIsTooLittleOrLess) {
  const auto late = parts([](size_t i) { return i > 55 ? i : 0; });
  EXPECT_EQ(forecast_use(late, kAllKnown, kMinuteUs, 100).trend, Trend::kTooShort);
  const auto less = parts([](size_t i) { return 700 - 10 * i; });
  const auto shrinking = forecast_use(less, kAllKnown, kMinuteUs, 100);
  EXPECT_EQ(shrinking.trend, Trend::kShrinking);
  EXPECT_FALSE(shrinking.full_in_s_least);
  // All of it in five minutes, which a minute of rest dominates.
  EXPECT_EQ(forecast_use(less, kAllKnown, kMinuteUs / 12, 100).trend, Trend::kTooShort);
}

TEST(UseForecast, LeavesOutWhatIsNotKnown) {
  // Use seems to grow while little of it is known yet; what is known is steady.
  const auto use = parts([](size_t i) { return std::min<size_t>(i, 49) * 10; });
  EXPECT_GT(forecast_use(use, kAllKnown, kMinuteUs, 100).ports_per_hour, 0);
  KnownParts known = kAllKnown;
  for (size_t i = 0; i < 49; ++i) known.reset(i);
  EXPECT_EQ(forecast_use(use, known, kMinuteUs, 100).ports_per_hour, 0);
  EXPECT_EQ(forecast_use(use, known, kMinuteUs, 100).trend, Trend::kUnclear);
  EXPECT_EQ(forecast_use(use, {}, kMinuteUs, 100).trend, Trend::kTooShort);
}

}  // namespace
}  // namespace ports
