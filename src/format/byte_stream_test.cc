#include "format/byte_stream.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace {

using format::ByteReader;
using format::ByteWriter;

TEST(ByteStream, VarintsComeBack) {
  const auto values = {uint64_t{0},       uint64_t{1},       uint64_t{127},
                       uint64_t{128},     uint64_t{16383},   uint64_t{16384},
                       uint64_t{1} << 62, uint64_t{1} << 63, ~uint64_t{0}};
  for (const uint64_t value : values) {
    ByteWriter writer;
    writer.varint(value);
    ByteReader reader(writer.view());
    EXPECT_EQ(reader.varint(), value);
    EXPECT_TRUE(reader.done());
  }
}

TEST(ByteStream, SignedNumbersComeBackAndSmallOnesAreShort) {
  using Limits = std::numeric_limits<int64_t>;
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{-64}, int64_t{63},
                              Limits::min(), Limits::max()}) {
    ByteWriter writer;
    writer.zigzag(value);
    ByteReader reader(writer.view());
    EXPECT_EQ(reader.zigzag(), value);
    EXPECT_TRUE(reader.done());
    if (value >= -64 && value < 64) EXPECT_EQ(writer.view().size(), 1U);
  }
}

TEST(ByteStream, RefusesAVarintOfMoreThan64Bits) {
  for (const std::string& bytes :
       {std::string(9, '\xff') + '\x02', std::string(10, '\x80') + '\x01'}) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.varint(), 0U);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(ByteStream, RefusesAVarintThatIsCutOff) {
  ByteReader reader("\x80");
  EXPECT_EQ(reader.varint(), 0U);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteStream, ALengthBeyondTheEndReadsAsEmpty) {
  ByteReader reader("\x05shor");
  EXPECT_EQ(reader.short_text(100), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ByteStream, ALengthAboveTheLimitIsRefused) {
  ByteReader reader("\x05short");
  EXPECT_EQ(reader.short_text(4), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ByteStream, ACountIsNoMoreThanTheBytesCouldHold) {
  ByteWriter writer;
  writer.varint(5);
  writer.raw("12345");
  ByteReader fits(writer.view());
  EXPECT_EQ(fits.varint_count(1), 5U);
  ByteReader does_not(writer.view());
  EXPECT_EQ(does_not.varint_count(2), 0U);
  EXPECT_FALSE(does_not.ok());
}

TEST(ByteStream, PaddingMustBeZero) {
  ByteReader good(std::string_view("\0\0", 2));
  good.zeros(2);
  EXPECT_TRUE(good.done());
  ByteReader bad(std::string_view("\0\1", 2));
  bad.zeros(2);
  EXPECT_FALSE(bad.ok());
}

}  // namespace
