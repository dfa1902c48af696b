#include "base/units.h"

#include <gtest/gtest.h>

namespace {

TEST(Units, ReadsLengthsOfTime) {
  EXPECT_EQ(base::parse_duration_ms("500ms"), 500);
  EXPECT_EQ(base::parse_duration_ms("10s"), 10'000);
  EXPECT_EQ(base::parse_duration_ms("15m"), 900'000);
  EXPECT_EQ(base::parse_duration_ms("2h"), 7'200'000);
  EXPECT_EQ(base::parse_duration_ms("30d"), int64_t{30} * 86'400'000);
  EXPECT_EQ(base::parse_duration_ms("4w"), int64_t{28} * 86'400'000);
  EXPECT_EQ(base::parse_duration_ms("0s"), 0);
}

TEST(Units, RefusesALengthOfTimeThatIsNotOne) {
  for (const char* text : {"", "10", "s", "-1s", "1 s", "1.5h", "10S", "1y", "1h30m",
                           "18446744073709551615w", "99999999999999999999s"}) {
    EXPECT_FALSE(base::parse_duration_ms(text)) << text;
  }
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(base::parse_size_bytes("4GiB"), uint64_t{4} << 30U);
  EXPECT_EQ(base::parse_size_bytes("512M"), uint64_t{512} << 20U);
  EXPECT_EQ(base::parse_size_bytes("64K"), uint64_t{64} << 10U);
  EXPECT_EQ(base::parse_size_bytes("4096"), 4096U);
}

TEST(Units, RefusesASizeThatIsNotOne) {
  for (const char* text : {"", "GiB", "-1", "1.5G", "4 GiB", "4gib", "4GB", "17179869184G"}) {
    EXPECT_FALSE(base::parse_size_bytes(text)) << text;
  }
}

TEST(Units, TellsSizesInWords) {
  EXPECT_EQ(base::size_in_words(1), "1 byte");
  EXPECT_EQ(base::size_in_words(812), "812 bytes");
  EXPECT_EQ(base::size_in_words(uint64_t{4} << 30U), "4 GiB");
  EXPECT_EQ(base::size_in_words(3'355'443), "3.1 MiB");
  EXPECT_EQ(base::size_in_words(1'048'575), "1023.9 KiB");
}

}  // namespace
