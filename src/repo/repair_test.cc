// Repair of every kind of damage: what can be saved is saved, what is lost is known, and the next
// backup heals it.
#include "repo/repair.h"

#include <random>

#include <gtest/gtest.h>

#include "repo/chunk_reader.h"
#include "repo/gc.h"
#include "repo/repository.h"
#include "repo/scrub.h"
#include "repo/writer_session.h"
#include "testkit/failing_store.h"
#include "testkit/memory_store.h"

namespace {

using model::ChunkId;
using model::ChunkKind;
using testkit::MemoryStore;

constexpr repo::PassphraseCost kCheap{.memory_kib = 8, .passes = 1};
constexpr model::ChunkSizes kSmall{
    .smallest = 4096, .average = 4096, .largest = 8192, .segment = 16384, .pack = 65536};
constexpr unsigned kChunks = 60;

std::string noise(unsigned seed) {
  std::mt19937 random(seed);
  std::string out(4000, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

class Repair : public testing::Test {
 protected:
  void SetUp() override { make(store_); }

  void make(MemoryStore& store) {
    const repo::Credential credential(model::SlotKind::kPassphrase, "x");
    ASSERT_TRUE(repo::Repository::create(store, {&credential}, 1, kSmall, kCheap));
    write(store);
  }
  static std::unique_ptr<repo::Repository> open(repo::BlobStore& store) {
    auto opened =
        repo::Repository::open(store, repo::Credential(model::SlotKind::kPassphrase, "x"));
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  static void write(repo::BlobStore& store) {
    const auto repository = open(store);
    const auto session = repo::WriterSession::begin(*repository);
    ASSERT_TRUE(session);
    std::vector<ChunkId> ids;
    for (unsigned i = 0; i < kChunks; ++i)
      ids.push_back((*session)->add(ChunkKind::kData, noise(i)).value());
    model::Snapshot snapshot;
    snapshot.roots = (*session)->add(ChunkKind::kTree, "root", ids).value();
    ASSERT_TRUE((*session)->commit(snapshot));
  }
  /// How many chunks of the oldest snapshot can be read; those must be good.
  static unsigned readable(repo::BlobStore& store) {
    const auto repository = open(store);
    const auto list = repository->snapshots().value();
    if (list.snapshots.empty()) return 0;
    const auto reader = repo::ChunkReader::open(*repository);
    const auto tree = (*reader)->read_tree(list.snapshots.front().snapshot.roots);
    if (!tree) return 0;
    unsigned count = 0;
    for (unsigned i = 0; i < kChunks; ++i) {
      const auto chunk = (*reader)->read(tree->references[i]);
      if (!chunk) continue;
      EXPECT_EQ(chunk->content(), noise(i));
      ++count;
    }
    return count;
  }
  static void flip(MemoryStore& store, const std::string& object, size_t at) {
    std::string bytes = *store.get(object, 1 << 20);
    bytes[at] ^= 1;
    store.overwrite(object, bytes);
  }
  static std::string pack_of(MemoryStore& store, ChunkKind kind) {
    for (const auto& object : *store.list("packs")) {
      if ((*store.get(object.name, 1 << 20))[10] == static_cast<char>(kind)) return object.name;
    }
    ADD_FAILURE() << "no such pack";
    return "";
  }
  static void expect_sound(repo::BlobStore& store) {
    EXPECT_EQ(repo::scrub_small_objects(store)->damage, std::vector<std::string>{});
    EXPECT_EQ(repo::scrub_packs(store, nullptr, 1)->damage, std::vector<std::string>{});
    const auto collected = repo::collect_garbage(store, {});
    EXPECT_TRUE(collected) << collected.error().message;
  }

  MemoryStore store_;
};

TEST_F(Repair, OfASoundRepositoryDoesNothing) {
  const auto before = store_.objects();
  const auto report = repo::repair(store_, false);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->done, std::vector<std::string>{});
  EXPECT_EQ(report->lost_chunks, 0U);
  EXPECT_EQ(store_.objects(), before);
}

TEST_F(Repair, MakesCopiesAnew) {
  const auto whole = store_.objects();
  for (const auto& [name, bytes] : whole) {
    if (!name.starts_with("config") && !name.starts_with("key")) continue;
    SCOPED_TRACE(name);
    flip(store_, name, bytes.size() / 2);
    ASSERT_EQ(repo::repair(store_, false)->done.size(), 1U);
    EXPECT_EQ(store_.objects(), whole);
    ASSERT_TRUE(store_.remove(name));
    ASSERT_EQ(repo::repair(store_, false)->done.size(), 1U);
    EXPECT_EQ(store_.objects(), whole);
  }
}

TEST_F(Repair, MakesIndexesAnewFromPacks) {
  const std::string index = store_.list("indexes")->front().name;
  flip(store_, index, 200);
  EXPECT_FALSE(repo::repair(store_, true)->done.empty());
  EXPECT_EQ(store_.list("indexes")->front().name, index) << "a dry run changed something";
  ASSERT_TRUE(repo::repair(store_, false));
  EXPECT_EQ(readable(store_), kChunks);
  expect_sound(store_);
  const auto packs = store_.list("packs").value();
  write(store_);
  EXPECT_EQ(store_.list("packs").value(), packs) << "chunks that are there were stored again";
}

TEST_F(Repair, SavesTheSoundPartOfADamagedPackAndTheNextBackupHealsTheRest) {
  const std::string pack = pack_of(store_, ChunkKind::kData);
  flip(store_, pack, 100);
  const std::string damaged = *store_.get(pack, 1 << 20);
  const auto report = repo::repair(store_, false);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_FALSE(report->done.empty());
  EXPECT_GT(report->lost_chunks, 0U);
  EXPECT_LT(report->lost_chunks, 6U) << "only one segment was damaged";
  EXPECT_EQ(readable(store_), kChunks - report->lost_chunks);
  EXPECT_EQ(store_.get("damaged/" + pack.substr(pack.rfind('/') + 1), 1 << 20), damaged);
  expect_sound(store_);
  EXPECT_EQ(readable(store_), kChunks - report->lost_chunks);
  write(store_);
  EXPECT_EQ(readable(store_), kChunks);
  EXPECT_EQ(repo::repair(store_, false)->lost_chunks, 0U);
  EXPECT_TRUE(store_.list("lost")->empty());
}

TEST_F(Repair, OfATornOrMissingTreeLeavesARepositoryThatWorks) {
  for (const bool missing : {false, true}) {
    MemoryStore store;
    make(store);
    const std::string pack = pack_of(store, ChunkKind::kTree);
    if (missing) {
      ASSERT_TRUE(store.remove(pack));
    } else {
      store.overwrite(pack, store.get(pack, 1 << 20)->substr(0, 150));
    }
    const auto report = repo::repair(store, false);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->lost_chunks, 1U);
    write(store);
    EXPECT_EQ(readable(store), kChunks) << "the same tree was stored again";
    expect_sound(store);
    EXPECT_EQ(readable(store), kChunks);
  }
}

TEST_F(Repair, SetsADamagedSnapshotAside) {
  const std::string snapshot = store_.list("snapshots")->front().name;
  write(store_);
  ASSERT_EQ(store_.list("snapshots")->size(), 2U);
  flip(store_, snapshot, 60);
  EXPECT_FALSE(repo::collect_garbage(store_, {}));
  ASSERT_TRUE(repo::repair(store_, false));
  EXPECT_EQ(store_.list("snapshots")->size(), 1U);
  EXPECT_EQ(store_.list("damaged")->size(), 1U);
  expect_sound(store_);
  EXPECT_EQ(readable(store_), kChunks);
}

TEST_F(Repair, WhateverFailsTakesNothingAway) {
  using testkit::FailingStore;
  const auto damage = [&](MemoryStore& store) {
    make(store);
    const std::string pack = pack_of(store, ChunkKind::kData);
    flip(store, pack, 100);
    flip(store, store.list("indexes")->front().name, 200);
    flip(store, "config-copy", 20);
  };
  uint64_t operations = 0;
  unsigned saved = 0;
  {
    MemoryStore store;
    damage(store);
    FailingStore counting(store, 0, FailingStore::Mode::kOnce);
    ASSERT_TRUE(repo::repair(counting, false));
    operations = counting.operations();
    saved = readable(store);
  }
  ASSERT_GT(operations, 8U);
  ASSERT_LT(saved, kChunks);
  using Loss = MemoryStore::Loss;
  for (const auto mode : {FailingStore::Mode::kOnce, FailingStore::Mode::kForEver}) {
    for (const auto loss : {Loss::kNothing, Loss::kAll, Loss::kEverySecond, Loss::kTorn}) {
      for (uint64_t nth = 1; nth <= operations; ++nth) {
        SCOPED_TRACE(testing::Message()
                     << "operation " << nth << ", loss " << static_cast<int>(loss));
        MemoryStore store;
        damage(store);
        FailingStore failing(store, nth, mode);
        static_cast<void>(repo::repair(failing, false));
        store.lose_power(loss);
        ASSERT_TRUE(repo::repair(store, false));
        ASSERT_EQ(readable(store), saved);
        expect_sound(store);
        ASSERT_EQ(readable(store), saved);
      }
    }
  }
}

}  // namespace
