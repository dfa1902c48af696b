// Whole backups and restores over trees and repositories in memory, for tests.
#pragma once

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backup/backup.h"
#include "backup/restore.h"
#include "testkit/memory_tree.h"

namespace testkit {

inline constexpr repo::PassphraseCost kCheap{.memory_kib = 8, .passes = 1};
inline constexpr model::ChunkSizes kSmall{
    .smallest = 4096, .average = 4096, .largest = 8192, .segment = 16384, .pack = 65536};

inline repo::Credential passphrase() { return {model::SlotKind::kPassphrase, "correct horse"}; }

inline std::string noise(unsigned seed, size_t size) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

/// Of /data. A problem that nobody asks for is a failure.
inline base::Result<backup::BackupReport> back_up(repo::BlobStore& store, MemoryTree& tree,
                                                  MemorySource* source = nullptr,
                                                  std::vector<std::string>* problems = nullptr) {
  auto repository = repo::Repository::open(store, passphrase());
  if (!repository) return std::unexpected(repository.error());
  MemorySource plain(tree);
  backup::BackupRequest request;
  request.paths = {"/data"};
  request.host = "host";
  request.store_clock_s = [] { return 5000; };
  request.on_problem = [&](const std::string& path, const std::string& what) {
    if (problems == nullptr) {
      ADD_FAILURE() << path << " " << what;
    } else {
      problems->push_back(path + " " + what);
    }
  };
  return backup::back_up(**repository, source == nullptr ? plain : *source, request);
}

inline MemoryTree restore(repo::BlobStore& store, const model::ChunkId& roots) {
  MemoryTree out;
  auto repository = repo::Repository::open(store, passphrase());
  auto reader = repo::ChunkReader::open(**repository);
  MemoryTarget target(out);
  backup::RestoreRequest request;
  request.roots = roots;
  request.on_problem = [](const std::string& path, const std::string& what) {
    ADD_FAILURE() << path << " " << what;
  };
  const auto restored = backup::restore(request, **reader, target);
  if (!restored) ADD_FAILURE() << restored.error().message;
  return out;
}

inline void make_repository(repo::BlobStore& store) {
  const repo::Credential credential = passphrase();
  ASSERT_TRUE(repo::Repository::create(store, {&credential}, 1000, kSmall, kCheap));
}

}  // namespace testkit
