#include "base/nearest.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace base {
namespace {

constexpr std::array<std::string_view, 5> kWords{"explain", "ports", "who", "registry", "version"};

TEST(NearestWord, FindsAWordWithOneTypingError) {
  EXPECT_EQ(nearest_word("prots", kWords), "ports");
  EXPECT_EQ(nearest_word("explian", kWords), "explain");
  EXPECT_EQ(nearest_word("whoo", kWords), "who");
  EXPECT_EQ(nearest_word("PORTS", kWords), "ports");
}

TEST(NearestWord, TakesABeginningForTheWholeWord) {
  EXPECT_EQ(nearest_word("reg", kWords), "registry");
  EXPECT_EQ(nearest_word("ver", kWords), "version");
}

TEST(NearestWord, StaysSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest_word("backup", kWords), "");
  EXPECT_EQ(nearest_word("", kWords), "");
  EXPECT_EQ(nearest_word("zz", kWords), "");
  EXPECT_EQ(nearest_word(std::string(100000, 'p'), kWords), "");
}

}  // namespace
}  // namespace base
