#include "model/clock_history.h"

#include <limits>

#include <gtest/gtest.h>

namespace {

using model::ClockHistory;
using model::TimeWindow;
using Windows = std::vector<TimeWindow>;

TEST(ClockHistory, WithoutAStepBothClocksAreOne) {
  const ClockHistory clock;
  EXPECT_EQ(clock.wall_us(17), 17);
  EXPECT_EQ(clock.boot_windows({3, 5}), (Windows{{3, 5}}));
}

TEST(ClockHistory, EachMomentHasTheWallTimeThatWasShownThen) {
  ClockHistory clock;
  clock.add({0, 1000});
  clock.add({50, 4000});
  EXPECT_EQ(clock.wall_us(-5), 995);
  EXPECT_EQ(clock.wall_us(49), 1049);
  EXPECT_EQ(clock.wall_us(50), 4050);
}

TEST(ClockHistory, AClockSetBackShowsATimeTwice) {
  ClockHistory clock;
  clock.add({0, 1000});
  clock.add({50, 980});
  // Wall 1035..1040 was shown at 35..40 and again at 55..60.
  EXPECT_EQ(clock.boot_windows({1035, 1040}), (Windows{{35, 40}, {55, 60}}));
  EXPECT_EQ(clock.boot_windows({1000, 1010}), (Windows{{0, 10}}));
}

TEST(ClockHistory, AClockSetForwardSkipsTimes) {
  ClockHistory clock;
  clock.add({0, 1000});
  clock.add({50, 2000});
  EXPECT_TRUE(clock.boot_windows({1050, 2049}).empty());
  EXPECT_EQ(clock.boot_windows({1049, 2050}), (Windows{{49, 49}, {50, 50}}));
}

TEST(ClockHistory, ALaterWordOnTheSameTimeReplacesTheEarlierOne) {
  ClockHistory clock;
  clock.add({0, 1000});
  clock.add({50, 2000});
  clock.add({40, 3000});
  EXPECT_EQ(clock.steps(), (std::vector<model::ClockStep>{{0, 1000}, {40, 3000}}));
}

TEST(ClockHistory, AWindowOfAllTimesDoesNotWrapAround) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  ClockHistory clock;
  clock.add({0, 1000});
  EXPECT_EQ(clock.boot_windows({kMin, kMax}), (Windows{{kMin, kMax - 1000}}));
  EXPECT_EQ(clock.wall_us(kMax), kMax);
  ClockHistory negative;
  negative.add({0, -1000});
  EXPECT_EQ(negative.boot_windows({kMin, kMax}), (Windows{{kMin + 1000, kMax}}));
}

}  // namespace
