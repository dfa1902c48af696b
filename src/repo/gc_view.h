// What gc and repair see of a repository at one moment, without a key. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "repo/index_set.h"
#include "repo/mark.h"

namespace repo {

struct StoredSnapshot {
  std::string object;
  model::ChunkId roots;
};

/// Snapshots by what stands in clear. kCorrupt names one that cannot be read.
base::Result<std::vector<StoredSnapshot>> read_clear_snapshots(BlobStore& store);
/// Chunks that repair found lost.
base::Result<IdSet> read_lost_chunks(BlobStore& store);

struct GcView {
  std::vector<SessionInfo> sessions;  ///< listed before all else
  std::vector<StoredSnapshot> snapshots;
  IndexSet indexes;  ///< with the packs that no index names
  Marks marks;
};

/// In the order that rule 9 of docs/concurrency.md asks for. kCorrupt where not everything can be
/// seen that snapshots need.
base::Result<GcView> look_for_gc(BlobStore& store);

/// Whether everybody in `sessions` has seen that condemnation.
bool is_ripe(const std::string& condemnation, const std::vector<SessionInfo>& sessions);

}  // namespace repo
