#include "format/written_time.h"

#include <gtest/gtest.h>

namespace {

TEST(WrittenTime, RefusesWhatIsNoTime) {
  for (const std::string_view text : {"",
                                      " ",
                                      "[",
                                      "[]",
                                      "2026",
                                      "2026-",
                                      "2026-11-23",
                                      "2026-11-23T",
                                      "2026-11/23 07:17:59",
                                      "23/Nov/2026",
                                      "23/11/2026:07:17:59",
                                      "Nov",
                                      "Nov 23",
                                      "Mon,",
                                      "99999999T999999",
                                      "07:17:59:00",
                                      "07:1",
                                      "1795418279.",
                                      "179541827900",
                                      "2026-11-23 07:17:59 +1",
                                      "2026-11-23 07:17:59 UTC 5",
                                      "Nov 23 07:17:59 26",
                                      "10.0.0.1",
                                      "-10m"}) {
    EXPECT_FALSE(format::read_written_time(text)) << text;
  }
  EXPECT_FALSE(format::read_written_time(std::string(100'000, '1')));
  EXPECT_FALSE(format::read_written_time(std::string_view("2026-11-23\0 07:17:59", 20)));
}

TEST(WrittenTime, EveryBeginningAndEveryChangedByteIsReadOrRefused) {
  const std::string whole = "Mon, 23 Nov 2026 07:17:59.892 +0000";
  ASSERT_TRUE(format::read_written_time(whole));
  for (size_t i = 0; i < whole.size(); ++i) {
    (void)format::read_written_time(whole.substr(0, i));
    std::string changed = whole;
    changed[i] = '\xff';
    EXPECT_FALSE(format::read_written_time(changed)) << i;
  }
}

TEST(WrittenTime, SaysWhatWasLeftOut) {
  const auto alone = format::read_written_time("7:17:59");
  ASSERT_TRUE(alone);
  EXPECT_FALSE(alone->has_date);
  const auto no_year = format::read_written_time("Nov  3 07:17:59");
  ASSERT_TRUE(no_year);
  EXPECT_TRUE(no_year->has_date);
  EXPECT_FALSE(no_year->has_year);
}

}  // namespace
