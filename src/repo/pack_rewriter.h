// PackRewriter: what is live of packs, in new packs. Segments are copied as they are, sealed, so no
// key is needed; segments of one salt and kind share packs. One thread.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "repo/index_set.h"
#include "repo/mark.h"

namespace repo {

class PackRewriter {
 public:
  /// New packs are not much larger than `pack_bytes`.
  PackRewriter(BlobStore& store, size_t pack_bytes) : store_(store), pack_bytes_(pack_bytes) {}

  /// Those with the same header one after another share packs. False where the pack is damaged: it
  /// is left as it is.
  base::Result<bool> rewrite(const LivePack& pack);
  base::Result<void> finish();

  [[nodiscard]] const std::vector<model::PackPlace>& new_packs() const { return packs_; }
  /// Names of packs that were rewritten whole.
  [[nodiscard]] const std::vector<model::ChunkId>& old_packs() const { return old_packs_; }
  struct NewPlace {
    uint32_t pack = 0;  ///< in new_packs()
    uint32_t offset = 0;
  };
  /// Where a segment went; nothing where it was left out.
  [[nodiscard]] std::optional<NewPlace> find(const model::ChunkId& pack, uint32_t offset) const;
  [[nodiscard]] bool was_rewritten(const model::ChunkId& pack) const {
    return moves_.contains(pack);
  }

 private:
  base::Result<void> write();

  BlobStore& store_;
  size_t pack_bytes_;
  std::string bytes_;  ///< of the pack that is being made
  std::string header_;
  std::vector<model::SegmentEntry> segments_;
  std::vector<model::PackPlace> packs_;
  std::vector<model::ChunkId> old_packs_;
  std::unordered_map<model::ChunkId, std::map<uint32_t, NewPlace>, model::ChunkIdHash> moves_;
};

}  // namespace repo
