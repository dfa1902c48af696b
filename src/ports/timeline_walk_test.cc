#include "ports/timeline_walk.h"

#include <map>

#include <gtest/gtest.h>

#include "testkit/memory_timeline.h"
#include "testkit/recorded.h"

namespace ports {
namespace {

TEST(TimelineWalk, GivesEachRowOnce) {
  testkit::MemoryTimeline timeline;
  ASSERT_TRUE(timeline.begin_boot("boot", testkit::kWallUs));
  // More than fit one answer, in bursts, and some that live through all of it.
  constexpr int64_t kRows = 60'000;
  TimelineBatch batch = testkit::batch(kRows * 1000);
  for (int64_t i = 0; i < kRows; ++i) {
    const int64_t opened_us = i / 1000 * 1'000'000;
    auto socket = testkit::connection(static_cast<uint64_t>(i + 1), 40000, opened_us);
    if (i % 1000 == 0) {
      batch.opened.push_back(socket);
    } else {
      batch.closed.push_back(testkit::closed(socket, opened_us + 500));
    }
  }
  ASSERT_TRUE(timeline.write(batch));
  std::map<uint64_t, int> seen;
  const int64_t from_us = testkit::kWallUs + 10'000'000;
  const auto frame = walk_timeline(timeline, {from_us, testkit::kWallUs + kRows * 1000},
                                   [&](const TimelineRow& row) { ++seen[row.socket.cookie]; });
  ASSERT_TRUE(frame) << frame.error().message;
  EXPECT_TRUE(frame->rows.empty());
  // Ten bursts ended before; of each of those one socket is still open.
  EXPECT_EQ(seen.size(), static_cast<size_t>(kRows - 10 * 999));
  for (const auto& [cookie, times] : seen) EXPECT_EQ(times, 1) << cookie;
}

TEST(TimelineWalk, TakesHoweverMuchOneMomentHas) {
  testkit::MemoryTimeline timeline;
  ASSERT_TRUE(timeline.begin_boot("boot", testkit::kWallUs));
  TimelineBatch batch = testkit::batch(10);
  for (uint64_t i = 1; i <= 60'000; ++i) {
    batch.closed.push_back(testkit::closed(testkit::connection(i, 40000, 5), 5));
  }
  ASSERT_TRUE(timeline.write(batch));
  size_t seen = 0;
  ASSERT_TRUE(walk_timeline(timeline, {0, testkit::kWallUs + testkit::kHourUs},
                            [&](const TimelineRow&) { ++seen; }));
  EXPECT_EQ(seen, 60'000U);
}

TEST(TimelineWalk, IsNotHeldUpByManySocketsThatLiveThroughAllOfIt) {
  testkit::MemoryTimeline timeline;
  ASSERT_TRUE(timeline.begin_boot("boot", testkit::kWallUs));
  TimelineBatch batch = testkit::batch(testkit::kHourUs);
  for (uint64_t i = 1; i <= 60'000; ++i) {
    batch.opened.push_back(testkit::connection(i, 40000, 5));
  }
  ASSERT_TRUE(timeline.write(batch));
  size_t seen = 0;
  ASSERT_TRUE(walk_timeline(timeline, {0, testkit::kWallUs + testkit::kHourUs},
                            [&](const TimelineRow&) { ++seen; }));
  EXPECT_EQ(seen, 60'000U);
}

}  // namespace
}  // namespace ports
