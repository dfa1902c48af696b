// Garbage collection: frees what no snapshot needs, beside whoever is at work, without any key.
// Why nothing is lost: docs/concurrency.md, whose rules the code names. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "repo/blob_store.h"

namespace repo {

/// Enough for a list of 30,000 packs, and for what a file system needs to remove things.
inline constexpr uint64_t kGcReserve = 1U << 20;

struct GcOptions {
  /// A pack is written anew without what is dead in it where that is so much of it.
  unsigned dead_percent = 20;
  bool dry_run = false;
  /// An index has no more entries than this: it is made in memory.
  size_t index_entries_most = 1U << 20;
  /// Indexes of fewer entries are merged once there are several of them.
  size_t small_index_entries = 1U << 17;
  size_t small_indexes_most = 4;
  uint64_t reserve_bytes = kGcReserve;
};

struct GcReport {
  uint64_t snapshots = 0;
  uint64_t chunks = 0;  ///< that snapshots need
  uint64_t packs = 0;   ///< that were there
  uint64_t bytes = 0;   ///< of them
  uint64_t dead_packs = 0;
  uint64_t dead_bytes = 0;
  uint64_t rewritten_packs = 0;
  uint64_t rewritten_dead_bytes = 0;  ///< that they go without from now on
  uint64_t removed_packs = 0;
  uint64_t removed_bytes = 0;
  uint64_t acquitted_packs = 0;  ///< condemned by an earlier run, and needed
  uint64_t waiting_packs = 0;    ///< condemned; somebody who began before may count on them
  uint64_t waiting_bytes = 0;
  uint64_t sessions = 0;  ///< of others, at the end
  uint64_t indexes_before = 0;
  uint64_t indexes_after = 0;
  BlobStore::Leftovers leftovers;
  std::string reserve_problem;  ///< why no room could be set aside; "" = it is
  std::string unfinished;  ///< why packs could not be rewritten, once others were freed; "" = done
};

base::Result<GcReport> collect_garbage(BlobStore& store, const GcOptions& options = {});

}  // namespace repo
