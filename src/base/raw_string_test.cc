#include "base/raw_string.h"

#include <cstring>

#include <gtest/gtest.h>

namespace {

TEST(RawString, HasTheSizeAskedForAndKeepsWhatItHeld) {
  for (const size_t size : {0, 1, 15, 16, 20, 30, 31, 100, 5000}) {
    std::string text = base::raw_string(size);
    EXPECT_EQ(text.size(), size);
    std::memset(text.data(), 'x', size);
    EXPECT_EQ(text, std::string(size, 'x'));
    base::resize_raw(text, size + 1);
    EXPECT_EQ(text.size(), size + 1);
    EXPECT_EQ(text.substr(0, size), std::string(size, 'x'));
    base::resize_raw(text, size / 2);
    EXPECT_EQ(text, std::string(size / 2, 'x'));
  }
}

}  // namespace
