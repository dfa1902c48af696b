#include "ports/coverage.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

namespace {

using ports::Covered;

constexpr int64_t kSecond = 1'000'000;

/// Recorded from second 100 to second 200; it is second 210.
class CoverageTest : public testing::Test {
 protected:
  CoverageTest() {
    answer.oldest_us = 100 * kSecond;
    answer.recorded_until_us = 200 * kSecond;
    setenv("TZ", "UTC", 1);
    tzset();
  }
  ports::Coverage find(int64_t from_s, int64_t until_s) {
    return ports::find_coverage({{from_s * kSecond, until_s * kSecond}}, answer, 210 * kSecond);
  }
  void gap(std::string kind, int64_t from_s, int64_t until_s, uint64_t lost = 0) {
    model::RecordedGap one;
    one.kind = std::move(kind);
    one.from_us = from_s * kSecond;
    one.until_us = until_s * kSecond;
    one.lost = lost;
    answer.gaps.push_back(std::move(one));
  }
  static std::vector<std::string> reasons(const ports::Coverage& coverage) {
    std::vector<std::string> out;
    for (const auto& part : coverage.unrecorded) out.push_back(part.reason);
    return out;
  }

  ports::TimelineAnswer answer;
};

TEST_F(CoverageTest, InsideOfTheRecordEverythingIsKnown) {
  const auto coverage = find(100, 200);
  EXPECT_EQ(coverage.covered, Covered::kAll);
  EXPECT_TRUE(coverage.unrecorded.empty());
}

TEST_F(CoverageTest, BeforeTheReachNothingIsKnown) {
  EXPECT_EQ(find(50, 60).covered, Covered::kNone);
  EXPECT_EQ(reasons(find(50, 60)), std::vector<std::string>{"before-recording"});
  const auto part = find(90, 110);
  EXPECT_EQ(part.covered, Covered::kPart);
  EXPECT_EQ(part.unrecorded[0].window, (model::TimeWindow{90 * kSecond, 100 * kSecond - 1}));
}

TEST_F(CoverageTest, AfterTheLastBatchNothingIsKnownYet) {
  EXPECT_EQ(find(201, 205).covered, Covered::kNone);
  EXPECT_EQ(reasons(find(195, 205)), std::vector<std::string>{"not-written-yet"});
}

TEST_F(CoverageTest, OnlyATimeThatIsAllInTheFutureIsCalledSo) {
  EXPECT_EQ(reasons(find(300, 301)), std::vector<std::string>{"future"});
  EXPECT_EQ(find(300, 301).covered, Covered::kNone);
  answer.recorded_until_us = 210 * kSecond;
  EXPECT_EQ(find(209, 211).covered, Covered::kAll) << "\"now\", give or take a second";
}

TEST_F(CoverageTest, AGapInWhichNobodyRecordedIsDark) {
  gap("not-recording", 120, 130);
  EXPECT_EQ(find(122, 125).covered, Covered::kNone);
  EXPECT_EQ(find(115, 125).covered, Covered::kPart);
  EXPECT_EQ(find(131, 140).covered, Covered::kAll);
}

TEST_F(CoverageTest, LostEventsLeaveTheRestKnown) {
  gap("ring-full", 120, 130, 7);
  const auto coverage = find(122, 125);
  EXPECT_EQ(coverage.covered, Covered::kPart);
  EXPECT_EQ(coverage.unrecorded[0].lost, 7U);
  EXPECT_EQ(ports::unrecorded_in_words(coverage.unrecorded[0]),
            "Between 00:02:02.000 and 00:02:05.000 UTC on 1970-01-01: 7 events were lost because "
            "the ring was full.");
}

TEST_F(CoverageTest, DarkStretchesThatTouchLeaveNothing) {
  gap("not-recording", 120, 125);
  gap("not-written", 125, 130);
  EXPECT_EQ(find(121, 129).covered, Covered::kNone);
}

TEST_F(CoverageTest, OneOfTwoWindowsBeingKnownIsAPart) {
  const auto coverage = ports::find_coverage(
      {{50 * kSecond, 60 * kSecond}, {150 * kSecond, 160 * kSecond}}, answer, 210 * kSecond);
  EXPECT_EQ(coverage.covered, Covered::kPart);
}

TEST_F(CoverageTest, WithoutATimelineNothingIsKnown) {
  const auto coverage = ports::no_coverage({{1, 2}});
  EXPECT_EQ(coverage.covered, Covered::kNone);
  EXPECT_EQ(reasons(coverage), std::vector<std::string>{"no-timeline"});
}

}  // namespace
