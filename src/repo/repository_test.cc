// A repository as a whole, over the store in memory: what was committed comes back, whatever fails.
#include "repo/repository.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "repo/chunk_reader.h"
#include "repo/writer_session.h"
#include "testkit/failing_store.h"
#include "testkit/memory_store.h"
#include "testkit/watched_store.h"

namespace {

using model::ChunkKind;
using testkit::FailingStore;
using testkit::MemoryStore;

constexpr repo::PassphraseCost kCheap{.memory_kib = 8, .passes = 1};
constexpr model::ChunkSizes kSmall{
    .smallest = 4096, .average = 4096, .largest = 8192, .segment = 16384, .pack = 65536};

repo::Credential passphrase(const char* text = "correct horse") {
  return {model::SlotKind::kPassphrase, text};
}

void make(repo::BlobStore& store) {
  const repo::Credential credential = passphrase();
  ASSERT_TRUE(repo::Repository::create(store, {&credential}, 1000, kSmall, kCheap));
}

std::unique_ptr<repo::Repository> open(repo::BlobStore& store) {
  auto opened = repo::Repository::open(store, passphrase());
  if (!opened) ADD_FAILURE() << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

/// Bytes that do not compress, the same for one seed.
std::string noise(unsigned seed, size_t size) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

/// Chunks of many sizes and one tree over them, committed. Answers the snapshot's name.
base::Result<model::ChunkId> write_set(repo::Repository& repository, unsigned seed, size_t count) {
  auto session = repo::WriterSession::begin(repository);
  if (!session) return std::unexpected(session.error());
  std::vector<model::ChunkId> ids;
  for (unsigned i = 0; i < count; ++i) {
    const auto id = (*session)->add(ChunkKind::kData, noise(seed + i, (i * 977) % 8192));
    if (!id) return id;
    ids.push_back(*id);
  }
  const auto root = (*session)->add(ChunkKind::kTree, "root", ids);
  if (!root) return root;
  model::Snapshot snapshot;
  snapshot.roots = *root;
  snapshot.created_s = seed;
  snapshot.host = "host";
  return (*session)->commit(snapshot);
}

/// Every snapshot is there whole: its tree, and each chunk with its content.
void expect_whole(const repo::Repository& repository, size_t count) {
  const auto list = repository.snapshots();
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->damaged.empty());
  auto reader = repo::ChunkReader::open(repository, 1 << 16);
  ASSERT_TRUE(reader);
  for (const repo::SnapshotObject& object : list->snapshots) {
    const auto tree = (*reader)->read_tree(object.snapshot.roots);
    ASSERT_TRUE(tree) << tree.error().message;
    ASSERT_EQ(tree->references.size(), count);
    const auto seed = static_cast<unsigned>(object.snapshot.created_s);
    for (unsigned i = 0; i < count; ++i) {
      const auto chunk = (*reader)->read(tree->references[i]);
      ASSERT_TRUE(chunk) << chunk.error().message;
      ASSERT_EQ(chunk->content(), noise(seed + i, (i * 977) % 8192));
    }
  }
}

TEST(Repository, GivesBackWhatWasCommitted) {
  MemoryStore store;
  make(store);
  const auto repository = open(store);
  ASSERT_TRUE(write_set(*repository, 1, 100));
  expect_whole(*open(store), 100);
}

TEST(Repository, StoresNothingTwice) {
  MemoryStore store;
  make(store);
  const auto repository = open(store);
  ASSERT_TRUE(write_set(*repository, 1, 100));
  const auto packs = store.list("packs").value();
  ASSERT_TRUE(write_set(*repository, 1, 100));
  EXPECT_EQ(store.list("packs").value(), packs);
  EXPECT_EQ(repository->snapshots()->snapshots.size(), 2U);
}

TEST(Repository, OpensWithItsSecretsOnly) {
  MemoryStore store;
  const repo::Credential typed = passphrase();
  const repo::Credential file{model::SlotKind::kKeyFile, repo::make_key_file_line()};
  ASSERT_TRUE(repo::Repository::create(store, {&typed, &file}, 1000, kSmall, kCheap));
  EXPECT_TRUE(repo::Repository::open(store, typed));
  EXPECT_TRUE(repo::Repository::open(store, file));
  const auto wrong = repo::Repository::open(store, passphrase("battery staple"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, base::ErrorKind::kPermission);
  const auto other =
      repo::Repository::open(store, {model::SlotKind::kKeyFile, repo::make_key_file_line()});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, base::ErrorKind::kPermission);
}

TEST(Repository, IsNotMadeOverAnother) {
  MemoryStore store;
  make(store);
  const auto before = store.objects();
  const repo::Credential credential = passphrase();
  const auto again = repo::Repository::create(store, {&credential}, 1000, kSmall, kCheap);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, base::ErrorKind::kUsage);
  EXPECT_EQ(store.objects(), before);
}

TEST(Repository, EitherCopyOfConfigAndKeysWillDo) {
  MemoryStore whole;
  make(whole);
  for (const std::string folder : {"config", "config-copy", "keys/", "key-copies/"}) {
    MemoryStore store;
    for (auto& [name, bytes] : whole.objects()) {
      const bool hit = name == folder || (folder.ends_with('/') && name.starts_with(folder));
      std::string damaged = bytes;
      if (hit) damaged[damaged.size() / 2] ^= 1;
      store.overwrite(name, damaged);
    }
    EXPECT_TRUE(repo::Repository::open(store, passphrase())) << folder;
  }
}

TEST(Repository, RefusesANewerFormatClearly) {
  MemoryStore store;
  make(store);
  for (const char* name : {"config", "config-copy"}) {
    std::string bytes = *store.get(name, 4096);
    bytes[8] = 2;
    store.overwrite(name, bytes);
  }
  const auto opened = repo::Repository::open(store, passphrase());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, base::ErrorKind::kUnsupported);
  EXPECT_NE(opened.error().message.find("newer Twinport"), std::string::npos);
}

TEST(Repository, ASnapshotUnderAnothersNameIsDamage) {
  MemoryStore store;
  make(store);
  auto repository = repo::Repository::open(store, passphrase()).value();
  for (const char* host : {"one", "two"}) {
    model::Snapshot snapshot;
    snapshot.host = host;
    ASSERT_TRUE(repository->put_snapshot(snapshot));
  }
  const auto objects = store.list("snapshots").value();
  ASSERT_EQ(objects.size(), 2U);
  store.overwrite(objects[0].name, *store.get(objects[1].name, 4096));
  const auto list = repository->snapshots().value();
  ASSERT_EQ(list.snapshots.size(), 1U);
  EXPECT_EQ("snapshots/" + model::to_hex(list.snapshots[0].name.text()), objects[1].name);
  ASSERT_EQ(list.damaged.size(), 1U);
  EXPECT_TRUE(list.damaged[0].starts_with(objects[0].name)) << list.damaged[0];
}

TEST(Repository, AnInterruptedSessionsPacksAreUsedByTheNext) {
  MemoryStore store;
  make(store);
  const auto repository = open(store);
  {
    // All packs are written; the barrier after them, and all else, fails.
    uint64_t packs = 0;
    {
      MemoryStore trial;
      make(trial);
      ASSERT_TRUE(write_set(*open(trial), 1, 100));
      packs = trial.list("packs")->size();
    }
    FailingStore late(store, packs + 1, FailingStore::Mode::kForEver);
    EXPECT_FALSE(write_set(*open(late), 1, 100));
  }
  const auto left = store.list("packs").value();
  ASSERT_FALSE(left.empty());
  {
    std::vector<std::string> done;
    testkit::WatchedStore watched(store, [&](const std::string& operation) {
      done.push_back(operation.substr(0, operation.find('/')));
    });
    ASSERT_TRUE(repo::WriterSession::begin(*open(watched)));
    EXPECT_EQ(std::ranges::count(done, "put packs"), 0) << "what is stored is not stored again";
    EXPECT_EQ(std::ranges::count(done, "keep packs"), static_cast<ptrdiff_t>(left.size()));
    EXPECT_LT(std::ranges::find(done, "barrier"), std::ranges::find(done, "put indexes"));
  }
  // That session committed nothing, and the next need not take them up again.
  EXPECT_TRUE(repo::IndexSet::load(store)->unknown_packs().empty());
  ASSERT_TRUE(write_set(*repository, 1, 100));
  EXPECT_EQ(store.list("packs").value(), left) << "nothing was stored again";
  expect_whole(*repository, 100);
}

TEST(Repository, LosesNothingAcknowledgedWhateverFails) {
  constexpr size_t kCount = 40;
  uint64_t operations = 0;
  {
    MemoryStore store;
    make(store);
    FailingStore counting(store, 0, FailingStore::Mode::kOnce);
    ASSERT_TRUE(write_set(*open(counting), 500, kCount));
    operations = counting.operations();
  }
  ASSERT_GT(operations, 5U);
  using Loss = MemoryStore::Loss;
  for (const auto mode : {FailingStore::Mode::kOnce, FailingStore::Mode::kForEver}) {
    for (const auto loss : {Loss::kNothing, Loss::kAll, Loss::kEverySecond, Loss::kTorn}) {
      for (uint64_t nth = 1; nth <= operations; ++nth) {
        SCOPED_TRACE(testing::Message()
                     << "operation " << nth << ", loss " << static_cast<int>(loss));
        MemoryStore store;
        make(store);
        ASSERT_TRUE(write_set(*open(store), 1, kCount));
        FailingStore failing(store, nth, mode);
        EXPECT_FALSE(write_set(*open(failing), 500, kCount));
        store.lose_power(loss);
        // A snapshot that was never acknowledged may be torn; what was, is whole, and the next
        // backup succeeds.
        const auto repository = open(store);
        ASSERT_TRUE(repository);
        ASSERT_TRUE(write_set(*repository, 500, kCount));
        auto list = repository->snapshots();
        ASSERT_TRUE(list);
        EXPECT_GE(list->snapshots.size(), 2U);
        for (const std::string& damaged : list->damaged)
          EXPECT_NE(damaged.find("snapshots/"), std::string::npos);
        for (const auto& object : store.list("snapshots").value()) {
          const auto bytes = store.get(object.name, 1 << 20);
          if (!repository->open_snapshot(*bytes)) ASSERT_TRUE(store.remove(object.name));
        }
        expect_whole(*repository, kCount);
      }
    }
  }
}

TEST(Repository, EveryFlippedByteOfAPackIsNoticedAndNeverReadAsGood) {
  MemoryStore store;
  make(store);
  const auto repository = open(store);
  ASSERT_TRUE(write_set(*repository, 1, 6));
  const auto tree = repository->snapshots()->snapshots.at(0).snapshot.roots;
  for (const repo::BlobInfo& object : *store.list("packs")) {
    const std::string good = *store.get(object.name, 1 << 20);
    for (size_t at = 0; at < good.size(); ++at) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0x10);
      EXPECT_NE(model::to_hex(base::as_text(base::blake3(bad))), object.name.substr(9));
      store.overwrite(object.name, bad);
      auto reader = repo::ChunkReader::open(*repository);
      const auto root = (*reader)->read_tree(tree);
      if (!root) continue;
      ASSERT_EQ(root->references.size(), 6U);
      for (unsigned i = 0; i < 6; ++i) {
        const auto chunk = (*reader)->read(root->references[i]);
        if (chunk) ASSERT_EQ(chunk->content(), noise(1 + i, (i * 977) % 8192)) << at;
      }
    }
    store.overwrite(object.name, good);
  }
}

TEST(Repository, StoresAgainWhatALostPackHeld) {
  MemoryStore store;
  make(store);
  const auto repository = open(store);
  ASSERT_TRUE(write_set(*repository, 1, 100));
  const auto packs = store.list("packs").value();
  ASSERT_GT(packs.size(), 1U);
  ASSERT_TRUE(store.remove(packs.front().name));
  ASSERT_TRUE(write_set(*repository, 1, 100));
  expect_whole(*repository, 100);
}

TEST(WriterSession, IsSeenFromItsBeginningToItsEnd) {
  MemoryStore store;
  make(store);
  const auto repository = open(store);
  {
    const auto session = repo::WriterSession::begin(*repository);
    ASSERT_TRUE(session);
    EXPECT_EQ(store.sessions()->size(), 1U);
  }
  EXPECT_TRUE(store.sessions()->empty());
}

// Its session is taken away, and with it whatever it was told is stored may go.
TEST(WriterSession, TakenForDeadItLooksForEveryChunkAgain) {
  for (const bool lost : {false, true}) {
    SCOPED_TRACE(lost);
    MemoryStore store;
    make(store);
    const auto repository = open(store);
    ASSERT_TRUE(write_set(*repository, 1, 40));
    auto session = repo::WriterSession::begin(*repository);
    ASSERT_TRUE(session);
    std::vector<model::ChunkId> ids;
    for (unsigned i = 0; i < 40; ++i)
      ids.push_back((*session)->add(ChunkKind::kData, noise(1 + i, (i * 977) % 8192)).value());
    model::Snapshot snapshot;
    snapshot.roots = (*session)->add(ChunkKind::kTree, "another root", ids).value();
    store.forget_sessions();
    for (const repo::BlobInfo& pack : *store.list("packs")) {
      // Of data; the tree over it is another one's.
      if (lost && (*store.get(pack.name, 1 << 20))[10] == static_cast<char>(ChunkKind::kData))
        ASSERT_TRUE(store.remove(pack.name));
    }
    const auto committed = (*session)->commit(snapshot);
    EXPECT_EQ(committed.has_value(), !lost);
    EXPECT_EQ(store.list("snapshots")->size(), lost ? 1U : 2U);
  }
}

TEST(Repository, IsReadWithoutAnyIndex) {
  MemoryStore store;
  make(store);
  const auto repository = open(store);
  ASSERT_TRUE(write_set(*repository, 1, 100));
  for (const repo::BlobInfo& object : *store.list("indexes"))
    ASSERT_TRUE(store.remove(object.name));
  expect_whole(*repository, 100);
}

}  // namespace
