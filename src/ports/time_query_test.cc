#include "ports/time_query.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

namespace {

constexpr int64_t kSecondUs = 1'000'000;

class TimeQuery : public testing::Test {
 protected:
  void SetUp() override { use("Europe/Berlin"); }
  void TearDown() override { use("UTC"); }
  static void use(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  static std::vector<model::TimeWindow> windows(std::string_view text, int64_t now_us = 0) {
    const auto parsed = ports::parse_time(text, now_us);
    EXPECT_TRUE(parsed) << text << ": " << parsed.error().message;
    return parsed ? *parsed : std::vector<model::TimeWindow>{};
  }
};

TEST_F(TimeQuery, AWholeSecondIsTakenGiveOrTakeOne) {
  const auto found = windows("2026-11-22T12:03:11Z");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].from_us, 1795348990 * kSecondUs);
  EXPECT_EQ(found[0].until_us, 1795348993 * kSecondUs - 1);
}

TEST_F(TimeQuery, OffsetAndLocalTimeNameTheSameMoment) {
  EXPECT_EQ(windows("2026-11-22 13:03:11")[0].from_us, windows("2026-11-22T12:03:11Z")[0].from_us);
  EXPECT_EQ(windows("2026-11-22T13:03:11+01:00")[0].from_us,
            windows("2026-11-22T12:03:11Z")[0].from_us);
  EXPECT_EQ(windows("2026-11-22T07:33:11 -0430")[0].from_us,
            windows("2026-11-22T12:03:11Z")[0].from_us);
}

TEST_F(TimeQuery, AFractionNarrowsTheWindow) {
  const auto found = windows("1970-01-01T00:00:01.25Z");
  EXPECT_EQ(found[0].from_us, 1'250'000 - 10'000);
  EXPECT_EQ(found[0].until_us, 1'259'999 + 10'000);
  EXPECT_EQ(windows("1970-01-01T00:00:01,250000999Z")[0].from_us, 1'240'000);
}

TEST_F(TimeQuery, WithoutSecondsTheWholeMinuteIsMeant) {
  const auto found = windows("1970-01-01T00:02Z");
  EXPECT_EQ(found[0].from_us, 120 * kSecondUs);
  EXPECT_EQ(found[0].until_us, 180 * kSecondUs - 1);
}

TEST_F(TimeQuery, ARepeatedHourMeansBoth) {
  const auto found = windows("2026-10-25 02:30:00");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].from_us - found[0].from_us, 3600 * kSecondUs);
}

TEST_F(TimeQuery, ASkippedHourIsRefusedWithTheReason) {
  const auto parsed = ports::parse_time("2026-03-29 02:30:00", 0);
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("clocks went forward"), std::string::npos);
}

TEST_F(TimeQuery, RelativeTimesCountBackFromNow) {
  const int64_t now = 1'000'000 * kSecondUs;
  EXPECT_EQ(windows("-10m", now)[0].from_us, now - 601 * kSecondUs);
  EXPECT_EQ(windows("-3d", now)[0].until_us, now - 3 * 86400 * kSecondUs + kSecondUs);
  EXPECT_EQ(windows("now", now)[0].until_us, now + kSecondUs);
}

TEST_F(TimeQuery, RefusesWhatIsNoTimeAndNamesTheShapes) {
  for (const char* text : {"", "yesterday", "-", "-m", "-10", "-10y", "2026-11-22",
                           "2026-13-01 00:00:00", "2026-02-29 00:00:00", "2026-11-22 24:00:00",
                           "2026-11-22 12:60:00", "2026-11-22T12:03:11.Z", "2026-11-22T12:03:11Zx",
                           "2026-11-22T12:03:11+9", "99999999999999999999-01-01 00:00:00"}) {
    const auto parsed = ports::parse_time(text, 0);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, base::ErrorKind::kUsage);
    EXPECT_NE(parsed.error().message.find("-10m"), std::string::npos);
  }
}

TEST_F(TimeQuery, PrintsForPeopleAndForPrograms) {
  EXPECT_EQ(ports::local_time_text(1795348991'250'000, 3), "2026-11-22 13:03:11.250 CET");
  EXPECT_EQ(ports::local_time_text(1795348991'250'000, 0), "2026-11-22 13:03:11 CET");
  EXPECT_EQ(ports::rfc3339(1795348991'250'000), "2026-11-22T12:03:11.250000Z");
  EXPECT_EQ(ports::rfc3339(-1), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
