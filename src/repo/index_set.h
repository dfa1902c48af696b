// IndexSet: all indexes of a repository, and packs that none of them names yet. find() may be
// called from any thread; whoever adds does so alone.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "format/chunk_index.h"
#include "repo/blob_store.h"

namespace repo {

struct ChunkPlace {
  model::PackPlace pack;
  uint32_t offset = 0;
  uint32_t stored = 0;
  uint16_t ordinal = 0;
};

/// A pack's beginning and end: what is in it, without its segments.
struct PackOutline {
  model::PackPlace place;
  std::string header;  ///< as it stands in the pack
  std::vector<model::SegmentEntry> segments;
};

std::string pack_object(const model::ChunkId& name);

/// Reads header, directory and trailer of a pack of `size` bytes.
base::Result<PackOutline> read_pack_outline(BlobStore& store, const model::ChunkId& name,
                                            uint64_t size);

class IndexSet {
 public:
  /// Opens all indexes. One that cannot be opened is left out and told in notices(). What an index
  /// says of a pack that is not there, or has another size, counts for nothing: a writer stores
  /// such chunks again.
  static base::Result<IndexSet> load(BlobStore& store);

  [[nodiscard]] std::optional<ChunkPlace> find(const model::ChunkId& id) const;
  void add(const PackOutline& pack);

  /// Packs of the store that no index names: of interrupted writers, or of present ones.
  [[nodiscard]] const std::vector<BlobInfo>& unknown_packs() const { return unknown_packs_; }

  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

 private:
  struct Loaded {
    BlobView view;
    format::ChunkIndex index;
    std::vector<bool> has_pack;
  };
  struct Added {
    uint32_t pack = 0;  ///< in added_packs_
    uint32_t offset = 0;
    uint32_t stored = 0;
    uint16_t ordinal = 0;
  };
  std::deque<Loaded> indexes_;
  std::vector<model::PackPlace> added_packs_;
  std::unordered_map<model::ChunkId, Added, model::ChunkIdHash> added_;
  std::vector<BlobInfo> unknown_packs_;
  std::vector<std::string> notices_;
};

/// The name in "packs/HH/NAME", "indexes/NAME" and the like; nothing where it is not one.
std::optional<model::ChunkId> name_of_object(std::string_view object);

}  // namespace repo
