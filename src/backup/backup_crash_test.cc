// Whole backups over a store that fails, loses what was not synced, and tears it: whatever a backup
// acknowledged is restored bit for bit, and the next backup succeeds.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "backup/backup.h"
#include "backup/restore.h"
#include "testkit/backup_runs.h"
#include "testkit/failing_store.h"
#include "testkit/memory_store.h"
#include "testkit/memory_tree.h"

namespace {

using model::FileType;
using testkit::back_up;
using testkit::FailingStore;
using testkit::make_repository;
using testkit::MemorySource;
using testkit::MemoryStore;
using testkit::MemoryTree;
using testkit::noise;
using testkit::passphrase;
using testkit::restore;

/// One of everything: small files, one of many chunks, one with holes, an empty one, links, nodes.
MemoryTree make_tree() {
  MemoryTree tree;
  for (unsigned i = 0; i < 20; ++i)
    add_node(tree, "/data/small/" + std::to_string(i), FileType::kFile, noise(i, 300 * i));
  add_node(tree, "/data/large", FileType::kFile, noise(100, 200'000));
  std::string sparse = noise(101, 30'000);
  sparse.replace(4096, 8192, 8192, '\0');
  model::TreeEntry& holes = add_node(tree, "/data/sparse", FileType::kFile, sparse);
  holes.holes = {{.offset = 4096, .length = 8192}};
  add_node(tree, "/data/empty directory", FileType::kDirectory);
  add_node(tree, "/data/link", FileType::kSymlink).target = "\xff not text";
  model::TreeEntry& fifo = add_node(tree, "/data/fifo", FileType::kFifo);
  fifo.attributes = {{"user.note", std::string("\0\1", 2)}};
  fifo.user = "somebody";
  return tree;
}

/// As somebody works on: one file changed, one gone, one new.
void work_on(MemoryTree& tree, unsigned seed) {
  add_node(tree, "/data/small/3", FileType::kFile, noise(seed, 5000)).changed = {
      .seconds = 1000 + seed, .nanoseconds = 0};
  tree.erase("/data/small/7");
  add_node(tree, "/data/new/" + std::to_string(seed), FileType::kFile, noise(seed + 1, 70'000));
}

TEST(Backup, ComesBackAsItWas) {
  MemoryStore store;
  make_repository(store);
  MemoryTree tree = make_tree();
  const auto report = back_up(store, tree);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(restore(store, report->snapshot.roots), tree);
}

// A backup takes time, and file systems give the number of a file that is gone to the next.
TEST(Backup, AFileThatGotTheNumberOfAnotherMeanwhileHasItsOwnContent) {
  MemoryStore store;
  make_repository(store);
  MemoryTree tree;
  auto& gone = testkit::add_node(tree, "/data/a", model::FileType::kFile, "of a file that is gone");
  gone.links = 2;
  auto& added = testkit::add_node(tree, "/data/z", model::FileType::kFile, "of another");
  added.links = 2;
  added.inode = gone.inode;
  added.changed.seconds += 5;
  const auto report = back_up(store, tree);
  ASSERT_TRUE(report) << report.error().message;
  MemoryTree out;
  auto repository = repo::Repository::open(store, passphrase());
  auto reader = repo::ChunkReader::open(**repository);
  testkit::MemoryTarget target(out);
  backup::RestoreRequest request;
  request.roots = report->snapshot.roots;
  std::vector<std::string> problems;
  request.on_problem = [&](const std::string& path, const std::string&) {
    problems.push_back(path);
  };
  ASSERT_TRUE(backup::restore(request, **reader, target));
  EXPECT_EQ(out["/data/a"].data, "of a file that is gone");
  EXPECT_EQ(out["/data/z"].data, "of another");
  EXPECT_EQ(problems, std::vector<std::string>{"/data/z"});
}

TEST(Backup, OfWhatDidNotChangeReadsNothingAndStoresNothing) {
  MemoryStore store;
  make_repository(store);
  MemoryTree tree = make_tree();
  ASSERT_TRUE(back_up(store, tree));
  const auto packs = store.list("packs").value();
  MemorySource source(tree);
  source.before_read = [](const std::string& path, uint64_t) { ADD_FAILURE() << path; };
  const auto again = back_up(store, tree, &source);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->unchanged_files, 22U);
  EXPECT_EQ(store.list("packs").value(), packs);
  EXPECT_EQ(restore(store, again->snapshot.roots), tree);
}

// The kernel stamps in ticks: what was written in the tick of the last look may have been written
// again after it, within the same stamp.
TEST(Backup, AFileStampedAsTheLastBackupBeganIsReadAgain) {
  MemoryStore store;
  make_repository(store);
  MemoryTree tree = make_tree();
  MemorySource source(tree);
  source.clock = tree["/data/large"].entry.changed;
  ASSERT_TRUE(back_up(store, tree, &source));
  tree["/data/large"].data[0] ^= 1;
  const auto again = back_up(store, tree);
  ASSERT_TRUE(again);
  EXPECT_EQ(restore(store, again->snapshot.roots), tree);
}

TEST(Backup, AnUnchangedFileIsReadAgainWhereItsChunksAreGone) {
  MemoryStore store;
  make_repository(store);
  MemoryTree tree = make_tree();
  ASSERT_TRUE(back_up(store, tree));
  for (const char* folder : {"packs", "indexes"}) {
    for (const repo::BlobInfo& object : *store.list(folder)) ASSERT_TRUE(store.remove(object.name));
  }
  const auto again = back_up(store, tree);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(restore(store, again->snapshot.roots), tree);
}

TEST(Backup, AFileThatGrowsShrinksOrGoesWhileItIsReadIsToldOf) {
  for (const char* what : {"shrinks", "goes", "changes"}) {
    SCOPED_TRACE(what);
    MemoryStore store;
    make_repository(store);
    MemoryTree tree = make_tree();
    MemorySource source(tree);
    source.before_read = [&](const std::string& path, uint64_t) {
      if (path != "/data/large") return;
      const auto at = tree.find(path);
      if (at == tree.end()) return;
      if (what == std::string_view("goes")) {
        tree.erase(at);
        return;
      }
      at->second.entry.changed.seconds = 1999;
      if (what == std::string_view("shrinks")) {
        at->second.data.resize(1000);
        at->second.entry.size = 1000;
      } else {
        at->second.data[0] = static_cast<char>(at->second.data[0] + 1);
      }
    };
    std::vector<std::string> problems;
    const auto report = back_up(store, tree, &source, &problems);
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_TRUE(problems[0].starts_with("/data/large "));
    EXPECT_EQ(report->snapshot.incomplete, 1U);
    // All else is as it was, and the file, where it is kept, can be restored.
    MemoryTree restored = restore(store, report->snapshot.roots);
    restored.erase("/data/large");
    tree.erase("/data/large");
    EXPECT_EQ(restored, tree);
  }
}

TEST(Backup, KeepsWhatTheKernelMakesUpEmptyAndLeavesTheRepositoryOut) {
  MemoryStore store;
  make_repository(store);
  MemoryTree tree = make_tree();
  MemoryTree expected = tree;
  add_node(expected, "/data/proc", FileType::kDirectory);
  tree = expected;
  add_node(tree, "/data/proc/kcore", FileType::kFile, noise(1, 5000));
  add_node(tree, "/data/repository/config", FileType::kFile, noise(2, 128));
  MemorySource source(tree);
  source.uses = {{"/data/proc", backup::DirectoryUse::kKeepEmpty},
                 {"/data/repository", backup::DirectoryUse::kLeaveOut}};
  const auto report = back_up(store, tree, &source);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(restore(store, report->snapshot.roots), expected);
}

TEST(Backup, LosesNothingAcknowledgedWhateverFails) {
  MemoryTree first = make_tree();
  MemoryTree second = first;
  work_on(second, 50);
  uint64_t operations = 0;
  {
    MemoryStore store;
    make_repository(store);
    ASSERT_TRUE(back_up(store, first));
    FailingStore counting(store, 0, FailingStore::Mode::kOnce);
    ASSERT_TRUE(back_up(counting, second));
    operations = counting.operations();
  }
  ASSERT_GE(operations, 6U) << "packs of data and of trees, an index, a snapshot, two barriers";
  using Loss = MemoryStore::Loss;
  for (const auto mode : {FailingStore::Mode::kOnce, FailingStore::Mode::kForEver}) {
    for (const auto loss : {Loss::kNothing, Loss::kAll, Loss::kEverySecond, Loss::kTorn}) {
      for (uint64_t nth = 1; nth <= operations; ++nth) {
        SCOPED_TRACE(testing::Message()
                     << "operation " << nth << ", loss " << static_cast<int>(loss));
        MemoryStore store;
        make_repository(store);
        const auto before = back_up(store, first);
        ASSERT_TRUE(before);
        FailingStore failing(store, nth, mode);
        EXPECT_FALSE(back_up(failing, second)) << "a backup that failed was acknowledged";
        store.lose_power(loss);
        ASSERT_EQ(restore(store, before->snapshot.roots), first);
        // A snapshot that was not acknowledged and is there all the same is whole.
        const auto listed = (*repo::Repository::open(store, passphrase()))->snapshots();
        ASSERT_TRUE(listed);
        for (const repo::SnapshotObject& object : listed->snapshots) {
          if (object.snapshot.roots != before->snapshot.roots)
            ASSERT_EQ(restore(store, object.snapshot.roots), second);
        }
        std::vector<std::string> told;
        const auto next = back_up(store, second, nullptr, &told);
        ASSERT_TRUE(next) << next.error().message;
        // An index that the power failure tore is told of, and nothing else.
        EXPECT_LE(told.size(), loss == Loss::kTorn ? 1U : 0U);
        for (const std::string& problem : told)
          EXPECT_NE(problem.find("indexes/"), std::string::npos) << problem;
        ASSERT_EQ(restore(store, next->snapshot.roots), second);
        // And nothing that came later took anything away.
        ASSERT_EQ(restore(store, before->snapshot.roots), first);
        store.lose_power(Loss::kAll);
        ASSERT_EQ(restore(store, next->snapshot.roots), second)
            << "acknowledged before it was safe";
      }
    }
  }
}

TEST(Restore, GoesOnPastADamagedPackAndNamesWhatItLost) {
  MemoryStore store;
  make_repository(store);
  MemoryTree tree = make_tree();
  const auto report = back_up(store, tree);
  ASSERT_TRUE(report);
  // Every pack of data loses its middle; listings stand in packs of their own.
  size_t damaged = 0;
  for (const repo::BlobInfo& object : *store.list("packs")) {
    std::string bytes = *store.get(object.name, object.size);
    if (bytes[10] != static_cast<char>(model::ChunkKind::kData)) continue;
    bytes[bytes.size() / 3] ^= 1;
    store.overwrite(object.name, bytes);
    ++damaged;
  }
  ASSERT_GE(damaged, 2U);
  MemoryTree out;
  auto repository = repo::Repository::open(store, passphrase());
  auto reader = repo::ChunkReader::open(**repository);
  testkit::MemoryTarget target(out);
  std::vector<std::string> lost;
  backup::RestoreRequest request;
  request.roots = report->snapshot.roots;
  request.on_problem = [&](const std::string& path, const std::string&) { lost.push_back(path); };
  const auto restored = backup::restore(request, **reader, target);
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_FALSE(lost.empty());
  EXPECT_EQ(restored->problems, lost.size());
  // What is there is good, and what is not was named.
  for (const auto& [path, node] : out) EXPECT_EQ(node, tree[path]) << path;
  for (const auto& [path, node] : tree)
    EXPECT_NE(out.contains(path), std::ranges::find(lost, path) != lost.end()) << path;
}

}  // namespace
