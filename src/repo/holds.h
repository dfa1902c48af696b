// Holds: snapshots that no rule removes; and the removing itself. Any thread.
#pragma once

#include <vector>

#include "base/result.h"
#include "repo/blob_store.h"
#include "repo/index_set.h"

namespace repo {

/// Names of held snapshots.
base::Result<IdSet> read_holds(BlobStore& store);
base::Result<void> set_hold(BlobStore& store, const model::ChunkId& snapshot, bool held);

/// Removes them, but held ones, and returns once that would survive a power failure. What they
/// needed stays until gc.
base::Result<void> remove_snapshots(BlobStore& store, const std::vector<model::ChunkId>& names);

}  // namespace repo
