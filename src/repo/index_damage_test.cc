// What an index says is never believed beyond "look there": whatever is wrong with it, what the
// packs have is read, and no writer counts on what they have not.
#include <algorithm>
#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "base/blake3.h"
#include "format/key_slot.h"
#include "repo/chunk_reader.h"
#include "repo/repair.h"
#include "repo/scrub.h"
#include "repo/writer_session.h"
#include "testkit/damage.h"
#include "testkit/memory_store.h"
#include "testkit/unreadable_store.h"

namespace {

using model::ChunkKind;

constexpr repo::PassphraseCost kCheap{.memory_kib = 8, .passes = 1};
constexpr model::ChunkSizes kSmall{
    .smallest = 4096, .average = 4096, .largest = 8192, .segment = 16384, .pack = 65536};

std::string content(unsigned number) {
  std::mt19937 random(number);
  std::string out(300 + number * 7, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

class IndexDamage : public testing::Test {
 protected:
  static constexpr unsigned kChunks = 24;

  void SetUp() override {
    const repo::Credential typed = credential();
    ASSERT_TRUE(repo::Repository::create(store_, {&typed}, 1000, kSmall, kCheap));
    auto opened = repo::Repository::open(store_, typed);
    ASSERT_TRUE(opened);
    repository_ = std::move(*opened);
    ASSERT_TRUE(write(1));
  }

  static repo::Credential credential() { return {model::SlotKind::kPassphrase, "correct horse"}; }

  base::Result<model::ChunkId> write(int64_t created_s) {
    auto session = repo::WriterSession::begin(*repository_);
    if (!session) return std::unexpected(session.error());
    std::vector<model::ChunkId> ids;
    for (unsigned i = 0; i < kChunks; ++i) {
      const auto id = (*session)->add(ChunkKind::kData, content(i));
      if (!id) return id;
      ids.push_back(*id);
    }
    const auto root = (*session)->add(ChunkKind::kTree, "root", ids);
    if (!root) return root;
    model::Snapshot snapshot;
    snapshot.roots = *root;
    snapshot.created_s = created_s;
    snapshot.host = "host";
    return (*session)->commit(snapshot);
  }

  /// How many chunks of all snapshots cannot be read.
  size_t unreadable(repo::BlobStore& store) {
    const auto repository = repo::Repository::open(store, credential());
    if (!repository) return SIZE_MAX;
    const auto list = (*repository)->snapshots();
    auto reader = repo::ChunkReader::open(**repository);
    if (!list || !reader || list->snapshots.empty()) return SIZE_MAX;
    size_t failed = 0;
    for (const repo::SnapshotObject& object : list->snapshots) {
      const auto tree = (*reader)->read_tree(object.snapshot.roots);
      if (!tree) return SIZE_MAX;
      for (unsigned i = 0; i < kChunks; ++i) {
        const auto chunk = (*reader)->read(tree->references[i]);
        if (!chunk || chunk->content() != content(i)) ++failed;
      }
    }
    return failed;
  }

  /// The index with its entries changed, and hash and name made to fit.
  void make_wrong(const std::function<void(std::vector<model::IndexEntry>&)>& change) {
    const std::string object = store_.list("indexes")->at(0).name;
    const std::string bytes = store_.objects()[object];
    const auto index = format::ChunkIndex::open(bytes);
    ASSERT_TRUE(index);
    std::vector<model::PackPlace> packs;
    std::vector<model::IndexEntry> entries;
    for (size_t i = 0; i < index->pack_count(); ++i) packs.push_back(index->pack(i));
    for (size_t i = 0; i < index->size(); ++i) entries.push_back(index->entry(i));
    change(entries);
    const std::string wrong = format::encode_chunk_index(packs, entries);
    ASSERT_TRUE(store_.remove(object));
    wrong_ = "indexes/" + model::to_hex(base::as_text(base::blake3(wrong)));
    ASSERT_TRUE(store_.put(wrong_, wrong));
  }

  testkit::MemoryStore store_;
  std::unique_ptr<repo::Repository> repository_;
  std::string wrong_;
};

TEST_F(IndexDamage, NoFlippedBitOfAnIndexHidesWhatThePacksHave) {
  const std::string object = store_.list("indexes")->at(0).name;
  const std::string bytes = store_.objects()[object];
  unsigned number = 0;
  testkit::for_each_flip(bytes, [&](std::string_view damaged, size_t at) {
    // Another bit of each byte.
    if (number++ % 9 != 0) return;
    store_.overwrite(object, std::string(damaged));
    EXPECT_EQ(unreadable(store_), 0U) << "at " << at;
  });
}

TEST_F(IndexDamage, NoWriterCountsOnAnIndexThatIsDamaged) {
  const std::string object = store_.list("indexes")->at(0).name;
  const std::string bytes = store_.objects()[object];
  for (size_t at = 0; at < bytes.size(); at += 7) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    store_.overwrite(object, damaged);
    const auto session = repo::WriterSession::begin(*repository_);
    ASSERT_TRUE(session) << session.error().message;
    // Each byte counts: all but the name's own hash are looked at.
    ASSERT_EQ((*session)->notices().size(), 1U) << "at " << at;
    EXPECT_TRUE((*session)->notices()[0].starts_with(object));
    EXPECT_TRUE((*session)->has(repository_->chunk_id(ChunkKind::kData, content(3), {})));
  }
}

TEST_F(IndexDamage, AnIndexThatWasWrongBeforeItWasHashedIsReadPastAndToldAndMended) {
  const auto changes = std::to_array<std::function<void(std::vector<model::IndexEntry>&)>>({
      [](auto& entries) { entries[5].offset ^= 64; },
      [](auto& entries) { entries[5].ordinal ^= 1; },
      [](auto& entries) { entries[5].stored ^= 1; },
      [](auto& entries) {
        const auto other = std::ranges::find_if(
            entries, [&](const auto& one) { return one.ordinal != entries[0].ordinal; });
        ASSERT_NE(other, entries.end());
        std::swap(entries[0].ordinal, other->ordinal);
      },
  });
  for (const auto& change : changes) {
    make_wrong(change);
    EXPECT_EQ(unreadable(store_), 0U);
    const auto scrubbed = repo::scrub_small_objects(store_);
    ASSERT_TRUE(scrubbed);
    ASSERT_EQ(scrubbed->damage.size(), 1U);
    EXPECT_TRUE(scrubbed->damage[0].starts_with(wrong_ + " is a wrong index"))
        << scrubbed->damage[0];
    ASSERT_TRUE(repo::repair(store_, false));
    EXPECT_TRUE(repo::scrub_small_objects(store_)->damage.empty());
    EXPECT_EQ(unreadable(store_), 0U);
  }
}

TEST_F(IndexDamage, ADamagedCopyOfAChunkHidesNoGoodOne) {
  // Two writers that knew nothing of each other.
  const auto before = store_.objects();
  const auto packs = *store_.list("packs");
  const auto indexes = *store_.list("indexes");
  for (const repo::BlobInfo& object : packs) ASSERT_TRUE(store_.remove(object.name));
  for (const repo::BlobInfo& object : indexes) ASSERT_TRUE(store_.remove(object.name));
  ASSERT_TRUE(write(2));
  const auto second = *store_.list("packs");
  for (const repo::BlobInfo& object : packs) store_.overwrite(object.name, before.at(object.name));
  for (const repo::BlobInfo& object : indexes)
    store_.overwrite(object.name, before.at(object.name));
  for (const auto& damaged : {packs, second}) {
    const auto whole = store_.objects();
    for (const repo::BlobInfo& object : damaged) {
      std::string bytes = whole.at(object.name);
      bytes[100] = static_cast<char>(bytes[100] ^ 1);
      store_.overwrite(object.name, bytes);
    }
    EXPECT_EQ(unreadable(store_), 0U);
    for (const repo::BlobInfo& object : damaged)
      store_.overwrite(object.name, whole.at(object.name));
  }
}

TEST_F(IndexDamage, AVersionThatFlippedIsDamageAndLocksNothingAway) {
  ASSERT_TRUE(write(2));
  const std::string snapshot = store_.list("snapshots")->at(0).name;
  for (const std::string& object :
       {snapshot, store_.list("indexes")->at(0).name, std::string("config"),
        std::string("config-copy"), store_.list("keys")->at(0).name}) {
    const std::string bytes = store_.objects()[object];
    for (const size_t at : {8U, 9U}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ 2);
      store_.overwrite(object, damaged);
      const auto scrubbed = repo::scrub_small_objects(store_);
      ASSERT_TRUE(scrubbed) << object;
      EXPECT_EQ(scrubbed->damage.size(), 1U) << object;
      EXPECT_EQ(unreadable(store_), 0U) << object;
      // It may write the same index anew, from the packs, and so mend it.
      EXPECT_TRUE(repo::WriterSession::begin(*repository_)) << object;
      const auto list = repository_->snapshots();
      ASSERT_TRUE(list) << object;
      EXPECT_EQ(list->damaged.size(), object == snapshot ? 1U : 0U);
    }
    store_.overwrite(object, bytes);
  }
}

TEST_F(IndexDamage, ASnapshotOfANewerTwinportIsToldAndLocksNoOtherAway) {
  std::string bytes = store_.objects()[store_.list("snapshots")->at(0).name];
  bytes[8] = 2;
  ASSERT_TRUE(store_.put("snapshots/" + model::to_hex(base::as_text(base::blake3(bytes))), bytes));
  const auto list = repository_->snapshots();
  ASSERT_TRUE(list);
  EXPECT_EQ(list->snapshots.size(), 1U);
  ASSERT_EQ(list->damaged.size(), 1U);
  EXPECT_NE(list->damaged[0].find("newer Twinport"), std::string::npos) << list->damaged[0];
}

TEST_F(IndexDamage, OneObjectThatCannotBeReadStopsNothing) {
  ASSERT_TRUE(write(2));
  for (const std::string& object :
       {store_.list("snapshots")->at(0).name, store_.list("indexes")->at(0).name,
        store_.list("keys")->at(0).name, std::string("config")}) {
    testkit::UnreadableStore half(store_, object);
    EXPECT_EQ(unreadable(half), 0U) << object;
    const auto repository = repo::Repository::open(half, credential());
    ASSERT_TRUE(repository) << object;
    EXPECT_TRUE(repo::WriterSession::begin(**repository)) << object;
    const auto scrubbed = repo::scrub_small_objects(half);
    ASSERT_TRUE(scrubbed) << object;
    ASSERT_EQ(scrubbed->damage.size(), 1U) << object;
    EXPECT_NE(scrubbed->damage[0].find(object), std::string::npos) << scrubbed->damage[0];
  }
}

TEST_F(IndexDamage, AnIndexThatCannotBeReadIsNotTakenAwayByRepair) {
  const std::string object = store_.list("indexes")->at(0).name;
  testkit::UnreadableStore half(store_, object);
  ASSERT_TRUE(repo::repair(half, false));
  EXPECT_TRUE(store_.objects().contains(object));
}

TEST_F(IndexDamage, ADearSlotOfAStrangersDoesNotKeepTheGoodOneFromBeingTried) {
  const auto good = format::decode_key_slot(store_.objects()[store_.list("keys")->at(0).name]);
  ASSERT_TRUE(good);
  model::KeySlot dear = *good;
  dear.memory_kib = 4U << 20;
  dear.passes = 1000;
  ASSERT_TRUE(store_.put("keys/" + std::string(64, '0'), format::encode_key_slot(dear)));
  EXPECT_TRUE(repo::Repository::open(store_, credential()));
}

TEST_F(IndexDamage, AConfigThatSomebodyMadeUpGivesWayToTheGenuineCopy) {
  std::string bytes = store_.objects()["config"];
  bytes[64] = static_cast<char>(bytes[64] ^ 1);  // the part that only the key can make
  bytes.replace(96, 32, base::as_text(base::blake3(bytes.substr(0, 96))));
  store_.overwrite("config", bytes);
  EXPECT_EQ(unreadable(store_), 0U);
  store_.overwrite("config-copy", bytes);
  EXPECT_FALSE(repo::Repository::open(store_, credential()));
}

}  // namespace
