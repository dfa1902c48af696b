#include "ports/timeline_match.h"

#include <limits>

#include <gtest/gtest.h>

#include "testkit/memory_timeline.h"
#include "testkit/timeline_contract.h"
#include "testkit/timeline_property.h"

namespace {

using Windows = std::vector<model::TimeWindow>;

TEST(TimelineMatch, WindowsThatOverlapOrTouchBecomeOne) {
  EXPECT_EQ(ports::merged({{10, 20}, {1, 3}, {15, 30}, {31, 40}, {42, 41}, {50, 50}}),
            (Windows{{1, 3}, {10, 40}, {50, 50}}));
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(ports::merged({{5, kLast}, {7, 9}, {kLast, kLast}}), (Windows{{5, kLast}}));
  EXPECT_EQ(ports::merged({}), Windows{});
}

TEST(TimelineMatch, AWindowThatEndsBeforeItBeginsAsksForNothing) {
  ports::TimelineQuery query;
  query.windows = {{5, 4}};
  EXPECT_TRUE(ports::boot_windows(query, {}).empty());
}

TEST(TimelineMatch, AClockIsDoubtfulForAnHourAfterItJumpedAhead) {
  constexpr int64_t kHourUs = 3'600'000'000;
  model::ClockHistory clock;
  clock.add({0, 0});
  EXPECT_FALSE(ports::clock_is_doubtful(clock, 100));
  clock.add({kHourUs, 23 * kHourUs});
  EXPECT_FALSE(ports::clock_is_doubtful(clock, kHourUs + 1));
  clock.add({2 * kHourUs, 48 * kHourUs});
  EXPECT_TRUE(ports::clock_is_doubtful(clock, 3 * kHourUs - 1));
  EXPECT_FALSE(ports::clock_is_doubtful(clock, 3 * kHourUs));
}

class MemoryWorld final : public testkit::TimelineWorld {
 public:
  ports::TimelineWriter& writer() override { return timeline_; }
  ports::TimelineReader& reader() override { return timeline_; }
  void restart() override {}

 private:
  testkit::MemoryTimeline timeline_;
};

std::unique_ptr<testkit::TimelineWorld> make_memory_world() {
  return std::make_unique<MemoryWorld>();
}

}  // namespace

namespace testkit {
INSTANTIATE_TEST_SUITE_P(Memory, TimelineContract, testing::Values(&make_memory_world));
}  // namespace testkit
