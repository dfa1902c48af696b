// gc against writers and readers, in every order that matters: docs/concurrency.md. Over the store
// in memory; whole backups are in backup/backup_crash_test.cc.
#include "repo/gc.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "repo/chunk_reader.h"
#include "repo/holds.h"
#include "repo/mark.h"
#include "repo/repository.h"
#include "repo/writer_session.h"
#include "testkit/failing_store.h"
#include "testkit/memory_store.h"
#include "testkit/watched_store.h"

namespace {

using model::ChunkId;
using model::ChunkKind;
using testkit::MemoryStore;

constexpr repo::PassphraseCost kCheap{.memory_kib = 8, .passes = 1};
constexpr model::ChunkSizes kSmall{
    .smallest = 4096, .average = 4096, .largest = 8192, .segment = 16384, .pack = 65536};

std::string noise(unsigned seed) {
  std::mt19937 random(seed);
  std::string out(4000, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

using Seeds = std::vector<unsigned>;

Seeds range(unsigned from, unsigned to) {
  Seeds out;
  for (unsigned i = from; i < to; ++i) out.push_back(i);
  return out;
}

/// A repository in memory; a snapshot is a tree of chunks that are named by seeds.
class Gc : public testing::Test {
 protected:
  void SetUp() override {
    const repo::Credential credential(model::SlotKind::kPassphrase, "x");
    ASSERT_TRUE(repo::Repository::create(store_, {&credential}, 1, kSmall, kCheap));
    auto opened = repo::Repository::open(store_, credential);
    ASSERT_TRUE(opened);
    repository_ = std::move(*opened);
  }

  std::unique_ptr<repo::WriterSession> begin() {
    auto session = repo::WriterSession::begin(*repository_);
    if (!session) ADD_FAILURE() << session.error().message;
    return session ? std::move(*session) : nullptr;
  }
  static ChunkId add(repo::WriterSession& session, const Seeds& seeds) {
    std::vector<ChunkId> ids;
    for (const unsigned seed : seeds)
      ids.push_back(session.add(ChunkKind::kData, noise(seed)).value());
    return session.add(ChunkKind::kTree, "root", ids).value();
  }
  static base::Result<ChunkId> commit(repo::WriterSession& session, const ChunkId& root) {
    model::Snapshot snapshot;
    snapshot.roots = root;
    return session.commit(snapshot);
  }
  ChunkId write(const Seeds& seeds) {
    const auto session = begin();
    const auto name = commit(*session, add(*session, seeds));
    if (!name) ADD_FAILURE() << name.error().message;
    return name.value_or(ChunkId{});
  }
  void forget(const ChunkId& snapshot) { ASSERT_TRUE(repo::remove_snapshots(store_, {snapshot})); }
  repo::GcReport collect(repo::GcOptions options = {}) {
    const auto report = repo::collect_garbage(store_, options);
    if (!report) ADD_FAILURE() << report.error().message;
    return report.value_or(repo::GcReport{});
  }
  std::unique_ptr<repo::ChunkReader> reader() {
    return std::move(repo::ChunkReader::open(*repository_, 1 << 16).value());
  }
  static void expect_chunks(repo::ChunkReader& reader, const ChunkId& root, const Seeds& seeds) {
    const auto tree = reader.read_tree(root);
    ASSERT_TRUE(tree) << tree.error().message;
    ASSERT_EQ(tree->references.size(), seeds.size());
    for (size_t i = 0; i < seeds.size(); ++i) {
      const auto chunk = reader.read(tree->references[i]);
      ASSERT_TRUE(chunk) << chunk.error().message;
      ASSERT_EQ(chunk->content(), noise(seeds[i]));
    }
  }
  ChunkId root_of(const ChunkId& snapshot) {
    const auto list = repository_->snapshots().value();
    for (const auto& object : list.snapshots) {
      if (object.name == snapshot) return object.snapshot.roots;
    }
    ADD_FAILURE() << "the snapshot is gone";
    return {};
  }
  void expect_whole(const ChunkId& snapshot, const Seeds& seeds) {
    expect_chunks(*reader(), root_of(snapshot), seeds);
  }
  size_t count(const char* folder) { return store_.list(folder)->size(); }
  uint64_t stored() {
    uint64_t bytes = 0;
    for (const auto& object : *store_.list("packs")) bytes += object.size;
    return bytes;
  }

  MemoryStore store_;
  std::unique_ptr<repo::Repository> repository_;
};

TEST_F(Gc, OfARepositoryWithoutGarbageChangesNothing) {
  const ChunkId kept = write(range(0, 60));
  auto before = store_.objects();
  const auto report = collect();
  EXPECT_EQ(report.removed_packs, 0U);
  EXPECT_EQ(store_.objects(), before);
  EXPECT_GT(store_.reserved(), 0U);
  expect_whole(kept, range(0, 60));
}

TEST_F(Gc, FreesWhatOnlyAForgottenSnapshotNeeded) {
  const ChunkId gone = write(range(0, 60));
  const ChunkId kept = write(range(100, 160));
  const uint64_t both = stored();
  forget(gone);
  const auto dry = collect({.dry_run = true});
  EXPECT_GT(dry.dead_packs, 0U);
  EXPECT_EQ(stored(), both);
  const auto report = collect();
  EXPECT_EQ(report.removed_packs, dry.dead_packs);
  EXPECT_LT(stored(), both * 6 / 10);
  EXPECT_EQ(count("condemned"), 0U);
  expect_whole(kept, range(100, 160));
  forget(kept);
  collect();
  EXPECT_EQ(count("packs"), 0U);
  EXPECT_EQ(count("indexes"), 0U);
}

TEST_F(Gc, RewritesPacksOfWhichMuchIsDead) {
  const ChunkId gone = write(range(0, 60));
  Seeds some;
  for (unsigned i = 0; i < 60; i += 12) some.push_back(i);
  const ChunkId kept = write(some);
  forget(gone);
  const uint64_t before = stored();
  const auto report = collect();
  EXPECT_GT(report.rewritten_packs, 0U);
  EXPECT_LT(stored(), before * 7 / 10);
  expect_whole(kept, some);
  // And what it made is found without any index too.
  for (const auto& object : *store_.list("indexes")) ASSERT_TRUE(store_.remove(object.name));
  expect_whole(kept, some);
  // Nothing is left to do.
  auto objects = store_.objects();
  collect();
  objects = store_.objects();
  collect();
  EXPECT_EQ(store_.objects(), objects);
}

TEST_F(Gc, MergesManySmallIndexesIntoOne) {
  std::vector<ChunkId> snapshots;
  for (unsigned i = 0; i < 8; ++i) snapshots.push_back(write(range(i * 10, i * 10 + 15)));
  EXPECT_EQ(count("indexes"), 8U);
  collect();
  EXPECT_EQ(count("indexes"), 1U);
  for (unsigned i = 0; i < 8; ++i) expect_whole(snapshots[i], range(i * 10, i * 10 + 15));
  const auto packs = store_.list("packs").value();
  write(range(0, 85));
  EXPECT_LE(count("packs"), packs.size() + 1) << "only the new tree was stored";
}

TEST_F(Gc, CutsIndexesSoThatMemoryStaysBounded) {
  std::vector<ChunkId> snapshots;
  for (unsigned i = 0; i < 8; ++i) snapshots.push_back(write(range(i * 10, i * 10 + 15)));
  collect({.index_entries_most = 20});
  EXPECT_GT(count("indexes"), 3U);
  for (unsigned i = 0; i < 8; ++i) expect_whole(snapshots[i], range(i * 10, i * 10 + 15));
}

TEST_F(Gc, AWriterThatBeganBeforeKeepsWhatItWasTold) {
  const ChunkId gone = write(range(0, 60));
  auto session = begin();  // it is told that all of it is stored
  forget(gone);
  const auto report = collect();
  EXPECT_EQ(report.removed_packs, 0U);
  EXPECT_GT(report.waiting_packs, 0U);
  EXPECT_EQ(report.sessions, 1U);
  const size_t packs = count("packs");
  const auto name = commit(*session, add(*session, range(0, 60)));
  ASSERT_TRUE(name) << name.error().message;
  EXPECT_LE(count("packs"), packs + 1) << "it had been told that the chunks are there";
  session.reset();
  expect_whole(*name, range(0, 60));
  const auto second = collect();
  EXPECT_GT(second.acquitted_packs, 0U);
  expect_whole(*name, range(0, 60));
  collect();
  expect_whole(*name, range(0, 60));
  EXPECT_EQ(count("condemned"), 0U);
}

TEST_F(Gc, AWriterThatBeganBeforeAndDiesLeavesItsPartToTheNextGc) {
  const ChunkId gone = write(range(0, 60));
  auto session = begin();
  add(*session, range(0, 80));
  forget(gone);
  collect();
  EXPECT_GT(count("packs"), 0U);
  session.reset();
  collect();
  EXPECT_EQ(count("packs"), 0U);
  EXPECT_EQ(count("condemned"), 0U);
}

TEST_F(Gc, AWriterThatBeganAfterStoresDoomedChunksAgain) {
  const ChunkId gone = write(range(0, 60));
  auto hinders = begin();
  forget(gone);
  collect();  // condemned, and waits for the session above
  auto session = begin();
  const auto name = commit(*session, add(*session, range(0, 60)));
  ASSERT_TRUE(name);
  hinders.reset();
  session.reset();
  const auto report = collect();
  EXPECT_EQ(report.acquitted_packs, 0U);
  EXPECT_GT(report.removed_packs, 0U);
  expect_whole(*name, range(0, 60));
}

TEST_F(Gc, ASessionThatSawACondemnationDoesNotHinderIt) {
  const ChunkId gone = write(range(0, 60));
  auto hinders = begin();
  forget(gone);
  collect();
  auto session = begin();
  const ChunkId root = add(*session, range(0, 60));
  hinders.reset();
  EXPECT_GT(collect().removed_packs, 0U) << "though the second session is at work";
  const auto name = commit(*session, root);
  ASSERT_TRUE(name) << name.error().message;
  session.reset();
  collect();
  expect_whole(*name, range(0, 60));
}

/// Does something once, when gc has condemned and not looked who is at work.
testkit::WatchedStore meanwhile(MemoryStore& store, std::function<void()> what) {
  return {store, [what = std::move(what), condemned = false](const std::string& operation) mutable {
            condemned |= operation.starts_with("put condemned/");
            if (condemned && operation == "sessions" && what) std::exchange(what, nullptr)();
          }};
}

TEST_F(Gc, ASnapshotThatCameMeanwhileSavesItsPacks) {
  const ChunkId gone = write(range(0, 60));
  auto session = begin();
  forget(gone);
  ChunkId name;
  // It commits and ends after gc has marked and condemned, before gc looks who is at work.
  testkit::WatchedStore store = meanwhile(store_, [&] {
    name = commit(*session, add(*session, range(0, 60))).value();
    session.reset();
  });
  const auto report = repo::collect_garbage(store, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->removed_packs, 0U);
  EXPECT_GT(report->waiting_packs, 0U);
  expect_whole(name, range(0, 60));
  collect();
  collect();
  expect_whole(name, range(0, 60));
}

TEST_F(Gc, ATreeThatOutlivedItsChunksVouchesForNothing) {
  // Two trees in one segment; one of them is forgotten, and what it refers to goes.
  auto session = begin();
  const ChunkId first = add(*session, range(0, 60));
  const ChunkId second = add(*session, range(100, 160));
  model::Snapshot snapshot;
  snapshot.roots = session->add(ChunkKind::kTree, "both", {first, second}).value();
  const ChunkId both = session->commit(snapshot).value();
  session.reset();
  session = begin();
  const ChunkId kept = commit(*session, second).value();
  session.reset();
  forget(both);
  EXPECT_GT(collect().removed_packs, 0U);
  // The tree over the first ones may still be there. A backup asks for each chunk all the same.
  const ChunkId again = write(range(0, 60));
  expect_whole(again, range(0, 60));
  expect_whole(kept, range(100, 160));
}

TEST_F(Gc, AReaderFindsWhatWasMoved) {
  const ChunkId gone = write(range(0, 60));
  Seeds some;
  for (unsigned i = 0; i < 60; i += 12) some.push_back(i);
  const ChunkId kept = write(some);
  const ChunkId root = root_of(kept);
  forget(gone);
  const auto old = reader();
  store_.forget_sessions();  // as if it had none
  EXPECT_GT(collect().removed_packs, 0U);
  expect_chunks(*old, root, some);
}

TEST_F(Gc, AReaderKeepsWhatWasForgottenMeanwhile) {
  const ChunkId gone = write(range(0, 60));
  const ChunkId root = root_of(gone);
  auto restoring = reader();
  forget(gone);
  EXPECT_GT(collect().waiting_packs, 0U);
  expect_chunks(*restoring, root, range(0, 60));
  restoring.reset();
  EXPECT_GT(collect().removed_packs, 0U);
  EXPECT_EQ(count("packs"), 0U);
}

TEST_F(Gc, ReadersBesideItSeeEverything) {
  const ChunkId gone = write(range(0, 60));
  const ChunkId kept = write(range(30, 90));
  forget(gone);
  auto store = meanwhile(store_, [&] { expect_whole(kept, range(30, 90)); });
  ASSERT_TRUE(repo::collect_garbage(store, {}));
  expect_whole(kept, range(30, 90));
}

TEST_F(Gc, TakesUpWhatAnInterruptedWriterLeftWhereSomebodyNeedsIt) {
  const ChunkId kept = write(range(0, 60));
  for (const auto& object : *store_.list("indexes")) ASSERT_TRUE(store_.remove(object.name));
  collect();
  EXPECT_GT(count("indexes"), 0U);
  expect_whole(kept, range(0, 60));
  store_.lose_power(MemoryStore::Loss::kAll);
  expect_whole(kept, range(0, 60));
}

TEST_F(Gc, ADamagedIndexMakesItRemoveNothingThatIsNeeded) {
  const ChunkId kept = write(range(0, 60));
  const std::string object = store_.list("indexes")->front().name;
  const std::string good = store_.get(object, 1 << 20).value();
  // Each byte of a few entries: what it says of places is wrong, or of ids.
  for (size_t at = 64; at < good.size(); at += 7) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    store_.overwrite(object, bad);
    static_cast<void>(repo::collect_garbage(store_, {}));
    expect_whole(kept, range(0, 60));
    for (const auto& index : *store_.list("indexes")) ASSERT_TRUE(store_.remove(index.name));
  }
}

TEST_F(Gc, RemovesNothingWhereItCannotSeeAll) {
  const ChunkId gone = write(range(0, 60));
  write(range(100, 160));
  forget(gone);
  // A tree is lost: nobody knows what it referred to.
  for (const auto& object : *store_.list("packs")) {
    if ((*store_.get(object.name, 1 << 20))[10] == static_cast<char>(ChunkKind::kTree))
      ASSERT_TRUE(store_.remove(object.name));
  }
  const auto before = store_.objects();
  const auto report = repo::collect_garbage(store_, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, base::ErrorKind::kCorrupt);
  EXPECT_NE(report.error().message.find("repair"), std::string::npos);
  EXPECT_EQ(store_.objects(), before);
}

TEST_F(Gc, ADamagedSnapshotStopsIt) {
  const ChunkId gone = write(range(0, 60));
  const ChunkId kept = write(range(100, 160));
  forget(gone);
  const std::string object = "snapshots/" + model::to_hex(kept.text());
  std::string bytes = *store_.get(object, 1 << 20);
  bytes[70] ^= 1;
  store_.overwrite(object, bytes);
  const auto before = store_.objects();
  EXPECT_FALSE(repo::collect_garbage(store_, {}));
  EXPECT_EQ(store_.objects(), before);
}

TEST_F(Gc, IsOneAtATime) {
  const auto lock = store_.try_lock("gc");
  ASSERT_TRUE(lock);
  EXPECT_FALSE(repo::collect_garbage(store_, {}));
}

TEST_F(Gc, OfHeldSnapshotsTakesNothing) {
  const ChunkId held = write(range(0, 60));
  ASSERT_TRUE(repo::set_hold(store_, held, true));
  forget(held);
  collect();
  expect_whole(held, range(0, 60));
  ASSERT_TRUE(repo::set_hold(store_, held, false));
  forget(held);
  collect();
  EXPECT_EQ(count("packs"), 0U);
}

TEST_F(Gc, LosesNothingAcknowledgedWhateverFails) {
  using Loss = MemoryStore::Loss;
  using testkit::FailingStore;
  const auto prepare = [&] {
    store_.~MemoryStore();
    new (&store_) MemoryStore();
    SetUp();
    for (unsigned i = 0; i < 3; ++i) write(range(i * 200, i * 200 + 40));
    const ChunkId gone = write(range(1000, 1060));
    Seeds some;
    for (unsigned i = 1000; i < 1060; i += 12) some.push_back(i);
    const ChunkId kept = write(some);
    forget(gone);
    return std::pair(kept, some);
  };
  uint64_t operations = 0;
  {
    prepare();
    FailingStore counting(store_, 0, FailingStore::Mode::kOnce);
    const auto report = repo::collect_garbage(counting, {.small_indexes_most = 1});
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_GT(report->rewritten_packs, 0U);
    ASSERT_GT(report->dead_packs, 0U);
    operations = counting.operations();
  }
  ASSERT_GT(operations, 15U);
  for (const auto mode : {FailingStore::Mode::kOnce, FailingStore::Mode::kForEver}) {
    for (const auto loss : {Loss::kNothing, Loss::kAll, Loss::kEverySecond, Loss::kTorn}) {
      for (uint64_t nth = 1; nth <= operations; ++nth) {
        SCOPED_TRACE(testing::Message()
                     << "operation " << nth << ", loss " << static_cast<int>(loss));
        const auto [kept, some] = prepare();
        FailingStore failing(store_, nth, mode);
        static_cast<void>(repo::collect_garbage(failing, {.small_indexes_most = 1}));
        store_.lose_power(loss);
        ASSERT_NO_FATAL_FAILURE(expect_whole(kept, some));
        // The next run ends what this one began, beside a writer that saw it as it was left.
        auto session = begin();
        const ChunkId root = add(*session, range(1000, 1030));
        collect({.small_indexes_most = 1});
        const auto committed = commit(*session, root);
        ASSERT_TRUE(committed) << committed.error().message;
        const ChunkId next = *committed;
        session.reset();
        ASSERT_NO_FATAL_FAILURE(expect_whole(next, range(1000, 1030)));
        collect({.small_indexes_most = 1});
        collect({.small_indexes_most = 1});
        EXPECT_EQ(count("condemned"), 0U);
        ASSERT_NO_FATAL_FAILURE(expect_whole(kept, some));
        ASSERT_NO_FATAL_FAILURE(expect_whole(next, range(1000, 1030)));
        store_.lose_power(Loss::kAll);
        ASSERT_NO_FATAL_FAILURE(expect_whole(kept, some));
        ASSERT_NO_FATAL_FAILURE(expect_whole(next, range(1000, 1030)));
      }
    }
  }
}

}  // namespace
