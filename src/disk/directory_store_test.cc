#include "disk/directory_store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "disk/file_lock.h"
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

TEST(DirectoryStore, ABarrierCoversTheFoldersThatAnotherWriterMayHaveMade) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.path() + "/repo";
  auto store = disk::DirectoryStore::create(path);
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->barrier());
  // What cannot be synced shows whether it is.
  std::filesystem::rename(path + "/packs", path + "/elsewhere");
  std::ofstream(path + "/packs") << "no directory";
  EXPECT_FALSE((*store)->barrier());
}

TEST(DirectoryStore, ABarrierThatFailedForgetsNothing) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.path() + "/repo";
  auto store = disk::DirectoryStore::create(path);
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->barrier());
  ASSERT_TRUE((*store)->put("packs/ab/abcd", "x"));
  std::filesystem::rename(path + "/packs/ab", path + "/packs/cd");
  std::ofstream(path + "/packs/ab") << "no directory";
  EXPECT_FALSE((*store)->barrier());
  EXPECT_FALSE((*store)->barrier()) << "what the first did not sync is forgotten";
  std::filesystem::remove(path + "/packs/ab");
  EXPECT_TRUE((*store)->barrier());
  // Nor is what somebody else put, and we build upon.
  ASSERT_TRUE((*store)->keep("packs/cd/abcd"));
  std::filesystem::rename(path + "/packs/cd", path + "/packs/ef");
  std::ofstream(path + "/packs/cd") << "no directory";
  EXPECT_FALSE((*store)->barrier());
}

TEST(DirectoryStore, AFifoUnderAnObjectsNameIsNotWaitedFor) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.path() + "/repo";
  auto store = disk::DirectoryStore::create(path);
  ASSERT_TRUE(store);
  ASSERT_EQ(mkfifo((path + "/config").c_str(), 0600), 0);
  const auto config = (*store)->get("config", 100);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().kind, base::ErrorKind::kCorrupt);
}

std::unique_ptr<disk::DirectoryStore> store_in(const testkit::TemporaryDirectory& directory) {
  auto store = disk::DirectoryStore::create(directory.path() + "/repo");
  if (!store) ADD_FAILURE() << store.error().message;
  return store ? std::move(*store) : nullptr;
}

/// Runs `work` in a process of its own that is killed once it has done it.
void in_a_process_that_is_killed(const std::function<bool()>& work) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!work()) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it did not do its work";
}

size_t files_in(const std::string& path) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path),
                                           std::filesystem::directory_iterator{}));
}

TEST(DirectoryStore, ASessionDiesWithItsProcess) {
  const testkit::TemporaryDirectory directory;
  const auto store = store_in(directory);
  in_a_process_that_is_killed([&] {
    // Neither it nor its lock is given back.
    return store->open_session(repo::SessionKind::kWriter).value().release() != nullptr &&
           store->try_lock("gc").value().release() != nullptr;
  });
  EXPECT_EQ(files_in(directory.path() + "/repo/sessions"), 1U);
  EXPECT_TRUE(store->sessions()->empty());
  EXPECT_EQ(files_in(directory.path() + "/repo/sessions"), 0U) << "it was not cleared away";
  EXPECT_NE(store->try_lock("gc").value(), nullptr);
}

TEST(DirectoryStore, OneTakenForDeadSeesIt) {
  const testkit::TemporaryDirectory directory;
  const auto store = store_in(directory);
  const auto session = store->open_session(repo::SessionKind::kWriter);
  ASSERT_TRUE(session);
  EXPECT_TRUE((*session)->stands());
  for (const auto& file : std::filesystem::directory_iterator(directory.path() + "/repo/sessions"))
    std::filesystem::remove(file);
  EXPECT_FALSE((*session)->stands());
}

TEST(DirectoryStore, AReaderMakesNoPlaceForSessions) {
  const testkit::TemporaryDirectory directory;
  const auto store = store_in(directory);
  std::filesystem::remove(directory.path() + "/repo/sessions");
  EXPECT_FALSE(store->open_session(repo::SessionKind::kReader));
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/repo/sessions"));
  EXPECT_TRUE(store->open_session(repo::SessionKind::kWriter));
}

TEST(DirectoryStore, ClearsAwayOnlyWhatTheDeadLeft) {
  const testkit::TemporaryDirectory directory;
  const auto store = store_in(directory);
  const std::string incoming = directory.path() + "/repo/incoming";
  std::ofstream(incoming + "/dead-0") << "half a pa";
  // One who is at work holds a lock on what it writes.
  std::ofstream(incoming + "/living-0") << "half a pa";
  const int living = open((incoming + "/living-0").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(disk::lock_for_writing(living), disk::LockResult::kLocked);
  const auto cleared = store->clear_leftovers();
  ASSERT_TRUE(cleared);
  EXPECT_EQ(cleared->files, 1U);
  EXPECT_EQ(cleared->bytes, 9U);
  EXPECT_FALSE(std::filesystem::exists(incoming + "/dead-0"));
  EXPECT_TRUE(std::filesystem::exists(incoming + "/living-0"));
  close(living);
}

TEST(DirectoryStore, ObjectsAreWrittenWhileLeftoversAreCleared) {
  const testkit::TemporaryDirectory directory;
  const auto store = store_in(directory);
  std::atomic<bool> done = false;
  std::jthread clearer([&] {
    while (!done) EXPECT_TRUE(store->clear_leftovers());
  });
  for (int i = 0; i < 300; ++i)
    EXPECT_TRUE(store->put("packs/ab/" + std::to_string(i), std::string(100, 'x')));
  done = true;
  clearer.join();
  EXPECT_EQ(store->list("packs")->size(), 300U);
}

TEST(DirectoryStore, TheReserveTakesRealRoom) {
  const testkit::TemporaryDirectory directory;
  const auto store = store_in(directory);
  ASSERT_TRUE(store->reserve(1 << 20));
  struct stat status;
  ASSERT_EQ(stat((directory.path() + "/repo/reserve").c_str(), &status), 0);
  EXPECT_GE(status.st_blocks * 512, 1 << 20);
  ASSERT_TRUE(store->reserve(0));
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/repo/reserve"));
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
