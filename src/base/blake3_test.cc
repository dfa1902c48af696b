#include "base/blake3.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace {

// The official test vectors: input is 0, 1, ..., 250, 0, 1, ...; this key.
std::string vector_input(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i % 251);
  return out;
}

std::string hex(const base::Hash256& hash) {
  std::string out;
  for (const uint8_t byte : hash) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

TEST(Blake3, OfNothingIsTheKnownValue) {
  EXPECT_EQ(hex(base::blake3("")),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

TEST(Blake3, KeyedIsTheKnownValue) {
  base::Key256 key;
  std::string_view("whats the Elvish word for friend")
      .copy(reinterpret_cast<char*>(key.data()), 32);
  EXPECT_EQ(hex(base::blake3(key, "")),
            "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26");
}

TEST(Blake3, DoesNotDependOnHowTheInputIsCut) {
  const std::string input = vector_input(102400);
  base::Blake3 in_parts;
  for (size_t at = 0; at < input.size(); at += 777)
    in_parts.update(std::string_view(input).substr(at, 777));
  EXPECT_EQ(in_parts.finish(), base::blake3(input));
}

TEST(Blake3, ExtendedOutputContinuesTheHash) {
  base::Blake3 hasher;
  hasher.update("gear");
  std::array<uint8_t, 64> out;
  hasher.finish(0, out);
  std::array<uint8_t, 32> second;
  hasher.finish(32, second);
  EXPECT_TRUE(std::equal(second.begin(), second.end(), out.begin() + 32));
  EXPECT_TRUE(std::equal(out.begin(), out.begin() + 32, hasher.finish().begin()));
}

}  // namespace
