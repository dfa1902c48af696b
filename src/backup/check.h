// Check: whether every snapshot has all that it needs, and which files of which snapshots do not.
#pragma once

#include <functional>
#include <string>

#include "backup/tree_reader.h"
#include "base/result.h"
#include "repo/repository.h"
#include "repo/scrub.h"

namespace backup {

struct CheckReport {
  uint64_t snapshots = 0;
  uint64_t files = 0;     ///< in listings that were looked at, each listing once
  uint64_t problems = 0;  ///< that were told of
};

/// Walks the trees of all snapshots: each chunk must be in a pack that is there, has the size that
/// the index says, and is not among `damaged`. `on_problem` is told the snapshot's name, the
/// path, and what is lost.
base::Result<CheckReport> check_snapshots(
    const repo::Repository& repository, const repo::DamagedChunks& damaged,
    const std::function<void(const std::string& snapshot, const std::string& path,
                             const std::string& what)>& on_problem);

}  // namespace backup
