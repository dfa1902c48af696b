#include "format/repository_config.h"

#include <gtest/gtest.h>

#include "testkit/damage.h"

namespace {

constexpr base::Key256 kKey{1, 2, 3};

model::RepositoryConfig example() {
  model::RepositoryConfig config;
  config.repository = {0xa0, 0xa1};
  config.created_s = 1'790'000'000;
  return config;
}

/// With the hash made to fit, as somebody without the key could.
std::string with_hash(std::string bytes) {
  const base::Hash256 hash = base::blake3(std::string_view(bytes).substr(0, 96));
  return bytes.substr(0, 96) + std::string(base::as_text(hash));
}

TEST(RepositoryConfig, ComesBack) {
  const std::string bytes = format::encode_config(example(), kKey);
  EXPECT_EQ(bytes.size(), 128U);
  const auto decoded = format::decode_config(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, example());
  EXPECT_TRUE(format::is_genuine_config(bytes, kKey));
}

TEST(RepositoryConfig, EveryDamageIsNoticed) {
  const std::string bytes = format::encode_config(example(), kKey);
  testkit::for_each_truncation(
      bytes, [](std::string_view damaged) { EXPECT_FALSE(format::decode_config(damaged)); });
  testkit::for_each_flip(bytes, [](std::string_view damaged, size_t at) {
    EXPECT_FALSE(format::decode_config(damaged)) << at;
  });
  EXPECT_FALSE(format::decode_config(bytes + '\0'));
}

TEST(RepositoryConfig, IsGenuineOnlyWithItsKey) {
  const std::string bytes = format::encode_config(example(), kKey);
  EXPECT_FALSE(format::is_genuine_config(bytes, base::Key256{9}));
  std::string forged = bytes;
  forged[44] = '\x02';  // of the average size: still a power of two
  forged[46] = '\0';
  EXPECT_FALSE(format::is_genuine_config(with_hash(forged), kKey));
}

TEST(RepositoryConfig, ANewerVersionSaysWhatToDo) {
  std::string bytes = format::encode_config(example(), kKey);
  bytes[8] = '\x02';
  const auto decoded = format::decode_config(with_hash(bytes));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().kind, base::ErrorKind::kUnsupported);
  EXPECT_NE(decoded.error().message.find("update this Twinport"), std::string::npos);
}

TEST(RepositoryConfig, RefusesSizesThatNobodyCouldLiveWith) {
  const auto is_taken = [](void (*change)(model::ChunkSizes&)) {
    model::RepositoryConfig config = example();
    change(config.sizes);
    return format::decode_config(format::encode_config(config, kKey)).has_value();
  };
  EXPECT_TRUE(is_taken([](model::ChunkSizes&) {}));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.smallest = 0; }));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.smallest = sizes.average + 1; }));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.average = 65535; }));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.largest = sizes.average - 1; }));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.largest = (8U << 20) + 1; }));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.segment = sizes.largest - 1; }));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.segment = (16U << 20) + 1; }));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.pack = sizes.segment - 1; }));
  EXPECT_FALSE(is_taken([](model::ChunkSizes& sizes) { sizes.pack = (64U << 20) + 1; }));
}

TEST(RepositoryConfig, RefusesAnUnknownChunker) {
  std::string bytes = format::encode_config(example(), kKey);
  bytes[12] = '\x02';
  EXPECT_FALSE(format::decode_config(with_hash(bytes)));
}

}  // namespace
