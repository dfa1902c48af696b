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

TEST_F(TimeQuery, TakesWhatLogsWrite) {
  const int64_t now_us = 1795418400 * kSecondUs;  // 2026-11-23 07:20:00 UTC
  const int64_t expected = windows("2026-11-23T07:17:59Z")[0].from_us;
  for (const std::string_view text :
       {"2026-11-23 07:17:59 UTC", "2026-11-23  07:17:59 GMT", "23/Nov/2026:07:17:59 +0000",
        "[23/Nov/2026:07:17:59 +0000]", "2026/11/23 08:17:59", "2026-11-23 08:17:59 CET",
        "Nov 23 08:17:59", "Mon Nov 23 07:17:59 UTC 2026", "Mon, 23 Nov 2026 07:17:59 +0000",
        "20261123T071759Z", "1795418279", "08:17:59", "07:17:59Z"}) {
    const auto found = windows(text, now_us);
    ASSERT_EQ(found.size(), 1U) << text;
    EXPECT_EQ(found[0].from_us, expected) << text;
  }
  EXPECT_EQ(windows("1795418279.892")[0].from_us, windows("2026-11-23T07:17:59.892Z")[0].from_us);
}

TEST_F(TimeQuery, WhatIsLeftOutIsNeverInTheFuture) {
  const int64_t now_us = 1795418400 * kSecondUs;
  EXPECT_EQ(windows("Nov 23 08:20:01", now_us)[0], windows("2025-11-23 08:20:01")[0]);
  EXPECT_EQ(windows("Feb 29 08:00:00", now_us)[0], windows("2024-02-29 08:00:00")[0]);
  EXPECT_EQ(windows("08:20:01", now_us)[0], windows("2026-11-22 08:20:01")[0]);
}

TEST_F(TimeQuery, AZonesNameTellsTheRepeatedHourApart) {
  EXPECT_EQ(windows("2026-10-25 02:30:00 CEST")[0], windows("2026-10-25T00:30:00Z")[0]);
  EXPECT_EQ(windows("2026-10-25 02:30:00 CET")[0], windows("2026-10-25T01:30:00Z")[0]);
  const auto other = ports::parse_time("2026-11-23 07:17:59 PST", 0);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("the zone \"PST\""), std::string::npos);
}

TEST_F(TimeQuery, ALeapSecondIsTheNextAndTheSecondBefore1970Exists) {
  EXPECT_EQ(windows("2026-11-23 07:17:60")[0], windows("2026-11-23 07:18:00")[0]);
  EXPECT_EQ(windows("1970-01-01 00:59:59")[0].from_us, -2 * kSecondUs);
}

TEST_F(TimeQuery, WhatDoesNotExistIsSaid) {
  const auto why = [](std::string_view text) {
    const auto parsed = ports::parse_time(text, 0);
    return parsed ? std::string("taken") : parsed.error().message;
  };
  EXPECT_NE(why("2026-11-31 00:00:00").find("that month has no day 31"), std::string::npos);
  EXPECT_NE(why("2026-11-23 25:00:00").find("there is no hour 25"), std::string::npos);
  EXPECT_NE(why("2026-13-01 00:00:00").find("there is no month 13"), std::string::npos);
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
