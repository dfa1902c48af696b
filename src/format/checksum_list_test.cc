#include "format/checksum_list.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace format {
namespace {

// Any function of the bytes will do here.
std::string sum_of(std::string_view text) {
  const std::string digits = std::to_string(std::hash<std::string_view>{}(text));
  return std::string(32 - digits.size(), 'a') + digits;
}

const std::vector<FileChecksum> kEntries{
    {{65024, 247970, 6831736, 1745849508000000000, 1745849508000000001},
     "61b1600a764d9e2947a52ad348b2b0dd"},
    {{std::numeric_limits<uint64_t>::max(), 0, 0, -1, std::numeric_limits<int64_t>::min()},
     "7210080490f9fd139c1b44fa0f730988"},
};

TEST(ChecksumList, ComesBackAsItWasWritten) {
  EXPECT_EQ(decode_checksum_list(encode_checksum_list(kEntries, sum_of), sum_of), kEntries);
  EXPECT_EQ(decode_checksum_list(encode_checksum_list({}, sum_of), sum_of),
            std::vector<FileChecksum>{});
}

TEST(ChecksumList, RefusesEveryTruncation) {
  const std::string text = encode_checksum_list(kEntries, sum_of);
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(decode_checksum_list(std::string_view(text).substr(0, length), sum_of)) << length;
  }
}

TEST(ChecksumList, RefusesEveryChangedByte) {
  const std::string text = encode_checksum_list(kEntries, sum_of);
  for (size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(decode_checksum_list(damaged, sum_of)) << at;
  }
  EXPECT_FALSE(decode_checksum_list(text + "\n", sum_of));
}

TEST(ChecksumList, RefusesEntriesThatAreNotOurs) {
  // The sum is right, so only the entry itself can be refused.
  for (const char* entry :
       {"", "1 2 3 4 5\n", "1 2 3 4 5 short\n", "1 2 3 4 5 61b1600a764d9e2947a52ad348b2b0dd 6\n",
        "-1 2 3 4 5 61b1600a764d9e2947a52ad348b2b0dd\n",
        "1  2 3 4 5 61b1600a764d9e2947a52ad348b2b0dd\n",
        "1 2 3 4 5 61B1600A764D9E2947A52AD348B2B0DD\n"}) {
    const std::string body = std::string("twinport checksums 1\n") + entry;
    const bool is_empty = std::string_view(entry).empty();
    EXPECT_EQ(decode_checksum_list(body + "sum " + sum_of(body) + "\n", sum_of).has_value(),
              is_empty)
        << entry;
  }
  const std::string other = "twinport checksums 2\n";
  EXPECT_FALSE(decode_checksum_list(other + "sum " + sum_of(other) + "\n", sum_of));
}

}  // namespace
}  // namespace format
