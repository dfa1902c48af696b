#include "format/chunk_index.h"

#include <random>

#include <gtest/gtest.h>

#include "base/blake3.h"
#include "testkit/damage.h"

namespace {

using model::ChunkId;
using model::IndexEntry;
using model::PackPlace;

std::vector<PackPlace> example_packs() {
  return {{.name = {{1}}, .size = 1000, .directory_size = 100},
          {.name = {{2}}, .size = 2000, .directory_size = 200}};
}

/// Ids as they are: spread evenly.
std::vector<IndexEntry> random_entries(size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<IndexEntry> out(count);
  for (IndexEntry& entry : out) {
    for (uint8_t& byte : entry.id.bytes) byte = static_cast<uint8_t>(random());
    entry.pack = static_cast<uint32_t>(random() % 2);
    entry.offset = static_cast<uint32_t>(random());
    entry.stored = static_cast<uint32_t>(random());
    entry.ordinal = static_cast<uint16_t>(random());
  }
  return out;
}

/// The head's hash made to fit.
std::string with_hash(std::string bytes) {
  const base::Hash256 hash = base::blake3(std::string_view(bytes).substr(64));
  bytes.replace(32, 32, base::as_text(hash));
  return bytes;
}

TEST(ChunkIndex, FindsEveryEntryAndNoOther) {
  for (const size_t count : {0U, 1U, 2U, 63U, 64U, 65U, 1000U, 50'000U}) {
    const auto entries = random_entries(count, 1);
    const std::string bytes = format::encode_chunk_index(example_packs(), entries);
    EXPECT_EQ(bytes.size(), 64 + 2 * 40 + count * format::kIndexEntrySize);
    const auto index = format::ChunkIndex::open(bytes);
    ASSERT_TRUE(index) << index.error().message;
    EXPECT_TRUE(index->check());
    for (const IndexEntry& entry : entries) ASSERT_EQ(index->find(entry.id), entry);
    for (const IndexEntry& other : random_entries(1000, 2)) ASSERT_FALSE(index->find(other.id));
  }
}

TEST(ChunkIndex, FindsTheFirstAndTheLastIdThatThereCanBe) {
  ChunkId last;
  last.bytes.fill(0xff);
  const std::vector<IndexEntry> entries = {{.id = {}}, {.id = last, .ordinal = 9}};
  const std::string bytes = format::encode_chunk_index(example_packs(), entries);
  const auto index = format::ChunkIndex::open(bytes);
  ASSERT_TRUE(index);
  EXPECT_EQ(index->find(ChunkId{}), entries[0]);
  EXPECT_EQ(index->find(last), entries[1]);
}

// Where an id stands is guessed from the spread of hashes; a repository may be made to have
// another.
TEST(ChunkIndex, FindsIdsThatAreNotSpreadEvenly) {
  std::vector<IndexEntry> entries;
  for (unsigned i = 0; i < 5000; ++i) {
    IndexEntry entry;
    entry.id.bytes[0] = i < 10 ? 0 : 0xf0;
    entry.id.bytes[i % 2 == 0 ? 6 : 30] = static_cast<uint8_t>(i >> 8);
    entry.id.bytes[31] = static_cast<uint8_t>(i);
    entries.push_back(entry);
  }
  const std::string bytes = format::encode_chunk_index(example_packs(), entries);
  const auto index = format::ChunkIndex::open(bytes);
  ASSERT_TRUE(index);
  for (const IndexEntry& entry : entries) ASSERT_TRUE(index->find(entry.id));
}

TEST(ChunkIndex, KeepsAnIdOnce) {
  IndexEntry entry;
  entry.offset = 1;
  IndexEntry again = entry;
  again.offset = 2;
  const std::string bytes = format::encode_chunk_index(example_packs(), {entry, again});
  const auto index = format::ChunkIndex::open(bytes);
  ASSERT_TRUE(index);
  EXPECT_EQ(index->size(), 1U);
  EXPECT_EQ(index->find(entry.id), entry);
}

TEST(ChunkIndex, PacksComeBack) {
  const std::string bytes = format::encode_chunk_index(example_packs(), {});
  const auto index = format::ChunkIndex::open(bytes);
  ASSERT_TRUE(index);
  ASSERT_EQ(index->pack_count(), 2U);
  EXPECT_EQ(index->pack(0), example_packs()[0]);
  EXPECT_EQ(index->pack(1), example_packs()[1]);
}

TEST(ChunkIndex, DamageIsNoticedAtOnceOrByCheckAndNeverHarmsALookUp) {
  const auto entries = random_entries(20, 3);
  const std::string bytes = format::encode_chunk_index(example_packs(), entries);
  testkit::for_each_truncation(
      bytes, [](std::string_view damaged) { EXPECT_FALSE(format::ChunkIndex::open(damaged)); });
  testkit::for_each_flip(bytes, [&](std::string_view damaged, size_t at) {
    const auto index = format::ChunkIndex::open(damaged);
    if (!index) return;
    EXPECT_FALSE(index->check()) << at;
    for (const IndexEntry& entry : entries) {
      const auto found = index->find(entry.id);
      if (found) EXPECT_LT(found->pack, index->pack_count());
    }
  });
}

TEST(ChunkIndex, RefusesCountsThatWrapAround) {
  std::string bytes = format::encode_chunk_index(example_packs(), random_entries(3, 4));
  // 2^60 entries of 48 bytes are a multiple of 2^64: nothing, if it wrapped.
  std::string wraps = bytes.substr(0, 64 + 2 * 40);
  wraps.replace(16, 8, std::string_view("\0\0\0\0\0\0\0\x10", 8));
  EXPECT_FALSE(format::ChunkIndex::open(wraps));
  bytes.replace(12, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(format::ChunkIndex::open(bytes));
}

TEST(ChunkIndex, CheckRefusesDisorderAndPacksThatAreNotListed) {
  auto entries = random_entries(2, 5);
  std::string bytes = format::encode_chunk_index(example_packs(), entries);
  std::string swapped = bytes;
  const size_t first = bytes.size() - 2 * format::kIndexEntrySize;
  swapped.replace(first, 48, bytes, first + 48, 48);
  swapped.replace(first + 48, 48, bytes, first, 48);
  swapped = with_hash(swapped);
  EXPECT_FALSE(format::ChunkIndex::open(swapped)->check());
  entries[0].pack = 2;
  bytes = format::encode_chunk_index(example_packs(), entries);
  const auto index = format::ChunkIndex::open(bytes);
  EXPECT_FALSE(index->check());
  EXPECT_FALSE(index->find(entries[0].id));
}

TEST(ChunkIndex, ANewerVersionSaysWhatToDo) {
  std::string bytes = format::encode_chunk_index({}, {});
  bytes[8] = '\x02';
  EXPECT_EQ(format::ChunkIndex::open(bytes).error().kind, base::ErrorKind::kUnsupported);
}

}  // namespace
