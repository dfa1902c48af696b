#include "host/boot_clock.h"

#include <gtest/gtest.h>

namespace {

TEST(BootClock, BootTimeNeverGoesBack) {
  const auto first = host::read_clocks();
  const auto second = host::read_clocks();
  EXPECT_GT(first.boot_ns, 0U);
  EXPECT_GE(second.boot_ns, first.boot_ns);
  EXPECT_GT(first.wall_us, int64_t{1'500'000'000} * 1'000'000) << "a plausible year";
}

TEST(BootClock, TheBootKeepsItsName) {
  const auto first = host::read_boot_id();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->size(), 36U);
  EXPECT_EQ(host::read_boot_id().value(), *first);
}

}  // namespace
