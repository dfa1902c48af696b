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

// ---- newest first -------------------------------------------------------------------------------

/// A row each millisecond that lives for half of one, and each thousandth for ever.
void record_minutes(testkit::MemoryTimeline& timeline, int64_t rows) {
  ASSERT_TRUE(timeline.begin_boot("boot", testkit::kWallUs));
  TimelineBatch batch = testkit::batch(rows * 1000);
  for (int64_t i = 0; i < rows; ++i) {
    auto socket = testkit::connection(static_cast<uint64_t>(i + 1), 40000, i * 1000);
    if (i % 1000 == 0) {
      batch.opened.push_back(socket);
    } else {
      batch.closed.push_back(testkit::closed(socket, i * 1000 + 500));
    }
  }
  ASSERT_TRUE(timeline.write(batch));
}

TEST(TimelineWalkNewest, GivesEachRowOnceWhereTheyAreFewEnough) {
  constexpr int64_t kRows = 120'000;
  testkit::MemoryTimeline timeline;
  record_minutes(timeline, kRows);
  std::map<uint64_t, int> seen;
  const auto rows = walk_newest(timeline, testkit::at(5'000'000, kRows * 1000), 1'000'000,
                                [&](const TimelineRow& row) { ++seen[row.socket.cookie]; });
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_FALSE(rows->cut_short);
  EXPECT_EQ(rows->from_us, testkit::kWallUs + 5'000'000);
  EXPECT_EQ(seen.size(), static_cast<size_t>(kRows - 5 * 999));
  for (const auto& [cookie, times] : seen) EXPECT_EQ(times, 1) << cookie;
}

TEST(TimelineWalkNewest, StopsAndSaysSinceWhenItLooked) {
  constexpr int64_t kRows = 120'000;
  testkit::MemoryTimeline timeline;
  record_minutes(timeline, kRows);
  std::map<uint64_t, int> seen;
  const auto rows = walk_newest(timeline, testkit::at(0, kRows * 1000), 1,
                                [&](const TimelineRow& row) { ++seen[row.socket.cookie]; });
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_TRUE(rows->cut_short);
  const int64_t first = (rows->from_us - testkit::kWallUs + 999) / 1000;
  EXPECT_GT(first, 60'000);
  // All since then, and those of before that are still open.
  const int64_t open_before = (first + 999) / 1000;
  EXPECT_EQ(seen.size(), static_cast<size_t>(kRows - first + open_before));
  for (const auto& [cookie, times] : seen) EXPECT_EQ(times, 1) << cookie;
}

TEST(TimelineWalkNewest, TakesHoweverMuchOneMomentHas) {
  testkit::MemoryTimeline timeline;
  ASSERT_TRUE(timeline.begin_boot("boot", testkit::kWallUs));
  TimelineBatch batch = testkit::batch(testkit::kHourUs);
  for (uint64_t i = 1; i <= 60'000; ++i) batch.opened.push_back(testkit::connection(i, 40000, 5));
  ASSERT_TRUE(timeline.write(batch));
  for (const int64_t from_us : {int64_t{0}, testkit::kWallUs + 6}) {
    size_t seen = 0;
    ASSERT_TRUE(walk_newest(timeline,
                            testkit::at_wall(from_us, testkit::kWallUs + testkit::kHourUs),
                            1'000'000, [&](const TimelineRow&) { ++seen; }));
    EXPECT_EQ(seen, 60'000U);
  }
}

}  // namespace
}  // namespace ports
