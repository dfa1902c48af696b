// Mark: which segments of which packs a set of trees needs, by the references that stand outside
// the seal: no key is needed. One bit for each entry of the indexes and the places of live segments
// is all that is held, and the listings of one depth of the trees.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "repo/blob_store.h"
#include "repo/index_set.h"

namespace repo {

/// What of a pack is needed.
struct LivePack {
  model::PackPlace place;
  std::vector<uint32_t> offsets;  ///< of segments with a marked chunk, ascending
  uint64_t bytes = 0;             ///< of these segments
};

struct Marks {
  std::vector<bool> entries;  ///< by IndexSet::number()
  std::unordered_map<model::ChunkId, LivePack, model::ChunkIdHash> packs;
  uint64_t chunks = 0;
  uint64_t missing = 0;              ///< ids that are nowhere, each time one was met
  std::vector<model::ChunkId> lost;  ///< the first of them

  [[nodiscard]] bool is_live(const model::ChunkId& pack) const { return packs.contains(pack); }
};

struct MarkOptions {
  bool condemned_too = true;     ///< chunks in condemned packs count as there
  const IdSet* known = nullptr;  ///< ids that are known to be lost: not missed
  size_t lost_most = 1'000'000;  ///< of Marks::lost
};

base::Result<Marks> mark(BlobStore& store, const IndexSet& indexes,
                         std::span<const model::ChunkId> roots, const MarkOptions& options = {});

}  // namespace repo
