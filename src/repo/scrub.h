// Scrub: whether objects are as they were written. Without keys by their names, which are hashes of
// their bytes; with keys by opening every segment and making every id again. Any thread.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "repo/blob_store.h"
#include "repo/repository.h"

namespace repo {

/// What cannot be read any more: chunks, and packs of which nobody can say what is in them.
struct DamagedChunks {
  std::unordered_set<model::ChunkId, model::ChunkIdHash> packs;
  std::unordered_set<model::ChunkId, model::ChunkIdHash> chunks;
};

struct ScrubReport {
  uint64_t objects = 0;
  uint64_t bytes = 0;
  std::vector<std::string> damage;  ///< whole sentences that name objects
  DamagedChunks damaged;
};

/// Config, key slots, indexes and snapshots: hashes and copies.
base::Result<ScrubReport> scrub_small_objects(BlobStore& store);

/// Every pack. `repository` null: hashes alone, which need no key.
base::Result<ScrubReport> scrub_packs(BlobStore& store, const Repository* repository,
                                      unsigned workers);

}  // namespace repo
