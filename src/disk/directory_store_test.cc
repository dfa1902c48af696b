#include "disk/directory_store.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "testkit/blob_store_contract.h"
#include "testkit/memory_store.h"
#include "testkit/temporary_directory.h"

namespace {

testkit::StoreUnderTest in_directory() {
  auto directory = std::make_shared<testkit::TemporaryDirectory>();
  auto store = disk::DirectoryStore::create(directory->path() + "/repo");
  return {.keeper = directory, .store = std::move(*store)};
}

testkit::StoreUnderTest in_memory() {
  return {.keeper = nullptr, .store = std::make_unique<testkit::MemoryStore>()};
}

using testkit::BlobStoreContract;
INSTANTIATE_TEST_SUITE_P(Directory, BlobStoreContract, testing::Values(in_directory));
INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreContract, testing::Values(in_memory));

TEST(DirectoryStore, RefusesADirectoryWithOtherThingsInIt) {
  const testkit::TemporaryDirectory directory;
  std::ofstream(directory.path() + "/thesis.txt") << "x";
  const auto store = disk::DirectoryStore::create(directory.path());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().kind, base::ErrorKind::kUsage);
  EXPECT_NE(store.error().message.find("thesis.txt"), std::string::npos);
}

TEST(DirectoryStore, ObjectsAreReadOnlyAndNobodyElses) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.path() + "/repo";
  auto store = disk::DirectoryStore::create(path);
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->put("packs/ab/abcd", "x"));
  struct stat status;
  ASSERT_EQ(stat((path + "/packs/ab/abcd").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0400U);
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST(DirectoryStore, WhatIsBeingWrittenIsNotListed) {
  const testkit::TemporaryDirectory directory;
  auto store = disk::DirectoryStore::create(directory.path() + "/repo");
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->put("packs/ab/abcd", "x"));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path() + "/repo/incoming"));
}

TEST(DirectoryStore, ALinkIsNoObject) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.path() + "/repo";
  auto store = disk::DirectoryStore::create(path);
  ASSERT_TRUE(store);
  std::filesystem::create_symlink("/etc/passwd", path + "/config");
  EXPECT_FALSE((*store)->get("config", 1 << 20));
  std::filesystem::create_symlink("/etc", path + "/packs/ab");
  EXPECT_TRUE((*store)->list("packs")->empty());
}

}  // namespace
