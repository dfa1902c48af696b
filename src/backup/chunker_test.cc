#include "backup/chunker.h"

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

const model::ChunkSizes kSizes;

std::string random_bytes(size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

std::vector<std::string_view> all_cuts(const backup::Chunker& chunker, std::string_view bytes) {
  std::vector<std::string_view> chunks;
  while (!bytes.empty()) {
    chunks.push_back(bytes.substr(0, chunker.cut(bytes)));
    bytes.remove_prefix(chunks.back().size());
  }
  return chunks;
}

/// Bytes of `after` that stand in no chunk of `before`.
size_t new_bytes(const std::vector<std::string_view>& before,
                 const std::vector<std::string_view>& after) {
  const std::set<std::string_view> known(before.begin(), before.end());
  size_t out = 0;
  for (const std::string_view chunk : after) out += known.contains(chunk) ? 0 : chunk.size();
  return out;
}

TEST(Chunker, NothingIsNoChunk) { EXPECT_EQ(backup::Chunker({}, kSizes).cut(""), 0U); }

TEST(Chunker, WhatIsSmallStaysWhole) {
  const std::string bytes = random_bytes(kSizes.smallest, 1);
  EXPECT_EQ(backup::Chunker({}, kSizes).cut(bytes), bytes.size());
}

TEST(Chunker, ChunksKeepToTheSizesAndAverageNearTheAverage) {
  const std::string bytes = random_bytes(32U << 20, 2);
  const auto chunks = all_cuts(backup::Chunker({}, kSizes), bytes);
  for (size_t i = 0; i + 1 < chunks.size(); ++i) {
    EXPECT_GT(chunks[i].size(), kSizes.smallest);
    EXPECT_LE(chunks[i].size(), kSizes.largest);
  }
  const size_t average = bytes.size() / chunks.size();
  EXPECT_GT(average, kSizes.average / 2U);
  EXPECT_LT(average, kSizes.average * 2U);
}

TEST(Chunker, AnInsertionChangesAFewChunksOnly) {
  const std::string before = random_bytes(8U << 20, 3);
  std::string after = before;
  after.insert(1'000'000, "one insertion");
  const backup::Chunker chunker({}, kSizes);
  EXPECT_LE(new_bytes(all_cuts(chunker, before), all_cuts(chunker, after)), 4 * kSizes.largest);
}

// Of every byte, not of zero alone. By chance a few tables cut a run before it fills the hash.
TEST(Chunker, ARunOfOneByteIsCutAtTheLargestSize) {
  int cut_early = 0;
  for (uint8_t seed = 0; seed < 4; ++seed) {
    const backup::Chunker chunker({seed}, kSizes);
    for (int byte = 0; byte < 256; ++byte) {
      const std::string run(kSizes.largest, static_cast<char>(byte));
      if (chunker.cut(run) < kSizes.largest) ++cut_early;
    }
  }
  EXPECT_LE(cut_early, 4);
}

TEST(Chunker, AnInsertionBehindALongRunIsFoundAgain) {
  const std::string tail = random_bytes(4U << 20, 4);
  const std::string before = std::string(3'000'000, '\0') + tail;
  const std::string after = std::string(3'000'001, '\0') + tail;
  const backup::Chunker chunker({}, kSizes);
  EXPECT_LE(new_bytes(all_cuts(chunker, before), all_cuts(chunker, after)), 3 * kSizes.largest);
}

TEST(Chunker, AnotherKeyCutsElsewhere) {
  const std::string bytes = random_bytes(4U << 20, 5);
  const auto one = all_cuts(backup::Chunker({1}, kSizes), bytes);
  const auto other = all_cuts(backup::Chunker({2}, kSizes), bytes);
  EXPECT_GT(new_bytes(one, other), bytes.size() * 9 / 10);
}

// A change here makes every repository store everything again.
TEST(Chunker, CutsWhereTheFirstVersionDid) {
  std::string bytes(4U << 20, '\0');
  uint64_t state = 1;
  for (char& byte : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<char>(state >> 56);
  }
  const auto chunks = all_cuts(backup::Chunker({7}, kSizes), bytes);
  ASSERT_GE(chunks.size(), 4U);
  const std::vector<size_t> sizes = {chunks[0].size(), chunks[1].size(), chunks[2].size(),
                                     chunks[3].size()};
  EXPECT_EQ(sizes, (std::vector<size_t>{82514, 66560, 43338, 67613}));
}

}  // namespace
