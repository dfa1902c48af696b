// Restore: a snapshot's files, made anew below a directory. What is damaged is told of by name and
// left out, and the rest is restored. One thread walks and makes names; others fill files.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backup/target_tree.h"
#include "backup/tree_reader.h"
#include "base/result.h"
#include "model/backup_tree.h"

namespace backup {

struct RestoreRequest {
  model::ChunkId roots;
  /// Absolute paths in the snapshot, each with all that is in it; empty = everything.
  std::vector<std::string> paths;
  unsigned workers = 2;
  /// Told of what could not be restored; one call at a time, from any thread.
  std::function<void(const std::string& path, const std::string& what)> on_problem;
};

/// Something that could not be set, on how many entries, and one of them.
struct UnsetCount {
  uint64_t entries = 0;
  std::string first_path;
};

struct RestoreReport {
  uint64_t files = 0;
  uint64_t directories = 0;
  uint64_t others = 0;
  uint64_t data_bytes = 0;
  uint64_t problems = 0;
  std::map<std::string, UnsetCount> unset;
};

/// The entry /a/b of the snapshot becomes a/b in `target`. Fails when the snapshot's first listing
/// cannot be read, when no path is in the snapshot, or when the target takes no more.
base::Result<RestoreReport> restore(const RestoreRequest& request, repo::ChunkReader& reader,
                                    TargetDirectory& target);

}  // namespace backup
