// ChunkReader: chunks by id. Segments that were opened lately stay in memory, so reading in the
// order in which things were written opens each segment once. Any thread.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "repo/index_set.h"
#include "repo/repository.h"
#include "repo/segment.h"

namespace repo {

/// A chunk's content; good as long as the view lives.
class ChunkView {
 public:
  ChunkView(std::shared_ptr<const SegmentContents> segment, size_t ordinal)
      : segment_(std::move(segment)), ordinal_(ordinal) {}
  [[nodiscard]] std::string_view content() const { return segment_->chunk(ordinal_); }

 private:
  std::shared_ptr<const SegmentContents> segment_;
  size_t ordinal_;
};

/// A tree chunk with what it refers to.
struct TreeChunk {
  std::string content;
  std::vector<model::ChunkId> references;
};

class ChunkReader {
 public:
  /// `cache_bytes`: of opened segments.
  static base::Result<std::unique_ptr<ChunkReader>> open(const Repository& repository,
                                                         size_t cache_bytes = 32U << 20);
  ChunkReader(const Repository& repository, IndexSet indexes, size_t cache_bytes)
      : repository_(repository), indexes_(std::move(indexes)), cache_bytes_(cache_bytes) {}

  /// kNotFound: nothing in the repository has it. kCorrupt: it is damaged; says where.
  base::Result<ChunkView> read(const model::ChunkId& id);
  base::Result<TreeChunk> read_tree(const model::ChunkId& id);
  /// What of the indexes was not believed, and why: whole sentences.
  std::vector<std::string> notices();
  /// Where it should be.
  std::optional<ChunkPlace> locate(const model::ChunkId& id);

 private:
  struct Pack {
    PackOutline outline;
    SecretKey session_key;
  };
  using Place = std::pair<model::ChunkId, uint32_t>;
  struct CachedSegment {
    std::shared_ptr<const SegmentContents> contents;
    std::list<Place>::iterator use;
  };
  struct Opened {
    std::shared_ptr<const Pack> pack;
    const model::SegmentEntry* entry = nullptr;
    std::shared_ptr<const SegmentContents> contents;
  };

  /// Tries every place that is known of, and looks again where gc has moved the chunk meanwhile or
  /// an index may be wrong.
  base::Result<std::pair<Opened, ChunkPlace>> open(const model::ChunkId& id, const char* what);
  base::Result<std::pair<Opened, ChunkPlace>> open_anywhere(const model::ChunkId& id,
                                                            const char* what);
  base::Result<void> reload();
  std::vector<ChunkPlace> places_of(const model::ChunkId& id);
  base::Result<std::shared_ptr<const Pack>> pack(const model::PackPlace& place);
  /// Sets `place` right where the pack's directory says otherwise.
  base::Result<Opened> open_segment_of(const model::ChunkId& id, ChunkPlace& place);
  void keep(const Place& place, const std::shared_ptr<const SegmentContents>& contents);

  const Repository& repository_;
  /// As long as it is there, gc keeps what was not condemned when we began. Best effort: a
  /// repository that cannot be written to is read all the same.
  std::unique_ptr<StoreSession> presence_;
  IndexSet indexes_;
  size_t cache_bytes_;
  std::mutex mutex_;  ///< guards all below, and indexes_
  bool looked_for_unknown_packs_ = false;
  IndexTrust trust_ = IndexTrust::kHeader;
  std::map<model::ChunkId, std::shared_ptr<const Pack>> packs_;
  std::list<model::ChunkId> pack_uses_;
  std::map<Place, CachedSegment> segments_;
  std::list<Place> uses_;  ///< latest first
  size_t cached_bytes_ = 0;
};

}  // namespace repo
