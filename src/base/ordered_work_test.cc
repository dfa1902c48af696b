#include "base/ordered_work.h"

#include <atomic>
#include <vector>

#include <gtest/gtest.h>

namespace {

TEST(OrderedWork, UsesEachTextOnceAndInOrder) {
  for (const size_t count : {0U, 1U, 2U, 1000U}) {
    std::vector<std::string> used;
    base::make_in_order(
        count, [](size_t i) { return std::to_string(i); },
        [&](std::string text) {
          used.push_back(std::move(text));
          return true;
        });
    ASSERT_EQ(used.size(), count);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(used[i], std::to_string(i));
  }
}

TEST(OrderedWork, MakesFewTextsAheadOfTheOneInUse) {
  std::atomic<size_t> made = 0;
  size_t used = 0;
  base::make_in_order(
      1000,
      [&](size_t) {
        ++made;
        return std::string("x");
      },
      [&](const std::string&) {
        EXPECT_LE(made, used + 32);
        ++used;
        return true;
      });
  EXPECT_EQ(used, 1000U);
}

TEST(OrderedWork, StopsSoonAfterItsUserHasSeenEnough) {
  std::atomic<size_t> made = 0;
  size_t used = 0;
  base::make_in_order(
      100'000,
      [&](size_t) {
        ++made;
        return std::string("x");
      },
      [&](const std::string&) { return ++used < 3; });
  EXPECT_EQ(used, 3U);
  EXPECT_LT(made, 100U);
}

}  // namespace
