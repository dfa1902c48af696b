// What a file system may say of its files, and a repository cannot keep: it costs that file, or
// what is odd about it, and no other.
#include <algorithm>

#include <gtest/gtest.h>

#include "testkit/backup_runs.h"
#include "testkit/memory_store.h"

namespace {

using model::FileType;
using testkit::add_node;
using testkit::MemorySource;
using testkit::MemoryStore;
using testkit::MemoryTree;

struct Kept {
  MemoryTree tree;
  std::vector<std::string> problems;
};

Kept keep(MemoryTree& tree, MemorySource& source) {
  MemoryStore store;
  testkit::make_repository(store);
  Kept kept;
  const auto report = testkit::back_up(store, tree, &source, &kept.problems);
  if (!report) {
    ADD_FAILURE() << report.error().message;
    return kept;
  }
  EXPECT_EQ(report->snapshot.incomplete, kept.problems.size());
  kept.tree = testkit::restore(store, report->snapshot.roots);
  return kept;
}

Kept keep(MemoryTree& tree) {
  MemorySource source(tree);
  return keep(tree, source);
}

TEST(BackupLimits, ANameThatIsTooLongCostsThatFileAlone) {
  MemoryTree tree;
  const std::string long_name(256, 'n');
  add_node(tree, "/data/precious", FileType::kFile, "precious");
  add_node(tree, "/data/" + std::string(255, 'n'), FileType::kFile, "just short enough");
  MemoryTree expected = tree;
  add_node(tree, "/data/" + long_name, FileType::kFile, "?");
  const Kept kept = keep(tree);
  EXPECT_EQ(kept.tree, expected);
  EXPECT_EQ(kept.problems,
            std::vector<std::string>{"/data/" + long_name +
                                     " is left out: its name has 256 bytes, and a repository "
                                     "keeps names of up to 255"});
}

TEST(BackupLimits, ANameThatIsToldTwiceIsKeptOnce) {
  MemoryTree tree;
  add_node(tree, "/data/a", FileType::kFile, "a");
  add_node(tree, "/data/b", FileType::kFile, "b");
  MemorySource source(tree);
  source.tells_names_twice = true;
  const Kept kept = keep(tree, source);
  EXPECT_EQ(kept.tree, tree);
  EXPECT_EQ(kept.problems, std::vector<std::string>{});
}

TEST(BackupLimits, AttributesThatNoEntryHasRoomForCostTheirFileAlone) {
  MemoryTree tree;
  add_node(tree, "/data/precious", FileType::kFile, "precious");
  MemoryTree expected = tree;
  auto& odd = add_node(tree, "/data/odd", FileType::kFile, "odd");
  for (int i = 0; i < 200; ++i)
    odd.attributes.push_back({"user." + std::to_string(1000 + i), std::string(65536, 'v')});
  const Kept kept = keep(tree);
  EXPECT_EQ(kept.tree, expected);
  ASSERT_EQ(kept.problems.size(), 1U);
  EXPECT_TRUE(kept.problems[0].starts_with("/data/odd is left out: what is known of it"));
}

TEST(BackupLimits, ManySmallFilesWithManyHolesFitTogether) {
  MemoryTree tree;
  for (int file = 0; file < 12; ++file) {
    auto& node = add_node(tree, "/data/" + std::to_string(100 + file), FileType::kFile,
                          std::string(40'000, '\0'));
    for (uint64_t i = 0; i < 10'000; ++i) node.holes.push_back({.offset = i * 4, .length = 2});
  }
  const Kept kept = keep(tree);
  EXPECT_EQ(kept.tree, tree);
  EXPECT_EQ(kept.problems, std::vector<std::string>{});
}

TEST(BackupLimits, OfTooManyHolesTheLargestAreKeptAndTheContentIsWhole) {
  MemoryTree tree;
  auto& node = add_node(tree, "/data/image", FileType::kFile, std::string(300'000, '\0'));
  for (uint64_t i = 0; i < 50'000; ++i)
    node.holes.push_back({.offset = i * 6, .length = i % 5 == 0 ? 3U : 2U});
  const Kept kept = keep(tree);
  ASSERT_TRUE(kept.tree.contains("/data/image"));
  const auto& image = kept.tree.at("/data/image");
  EXPECT_EQ(image.data, tree["/data/image"].data);
  EXPECT_EQ(image.entry.holes.size(), 16384U);
  EXPECT_EQ(std::ranges::count(image.entry.holes, 3U, &model::Hole::length), 10'000);
  EXPECT_EQ(kept.problems, std::vector<std::string>{});
}

TEST(BackupLimits, AttributesThatCannotBeReadCostNoContentAndAreToldEachTime) {
  MemoryTree tree;
  add_node(tree, "/data/important", FileType::kFile, "important");
  MemorySource source(tree);
  source.unread = {{"/data/important", {"attribute system.nfs4_acl: not permitted"}},
                   {"/data", {"its attributes cannot be listed: not permitted"}}};
  MemoryStore store;
  testkit::make_repository(store);
  for (int i = 0; i < 2; ++i) {
    std::vector<std::string> problems;
    const auto report = testkit::back_up(store, tree, &source, &problems);
    ASSERT_TRUE(report);
    EXPECT_EQ(problems.size(), 2U) << i;
    EXPECT_EQ(testkit::restore(store, report->snapshot.roots)["/data/important"].data, "important");
  }
}

// A store through a mapping does not move the stamp while the page waits to be written.
TEST(BackupLimits, WhatWasStampedShortlyBeforeTheLastBackupIsReadAgain) {
  for (const int64_t age : {0, 1, 59, 60, 61}) {
    MemoryTree tree;
    auto& node = add_node(tree, "/data/mapped", FileType::kFile, "one");
    MemoryStore store;
    testkit::make_repository(store);
    MemorySource source(tree);
    source.clock = node.changed;
    source.clock.seconds += age;
    ASSERT_TRUE(testkit::back_up(store, tree, &source));
    tree["/data/mapped"].data = "two";
    const auto again = testkit::back_up(store, tree, &source);
    ASSERT_TRUE(again);
    EXPECT_EQ(testkit::restore(store, again->snapshot.roots)["/data/mapped"].data,
              age <= 60 ? "two" : "one")
        << age;
  }
}

}  // namespace
