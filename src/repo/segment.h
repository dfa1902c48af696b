// Segments: chunks that are compressed and sealed together. SegmentMaker has a compressor and a
// sealer of its own: one for each thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/repository.h"
#include "repo/seal.h"

namespace repo {

/// Chunks gathered, before they are sealed.
struct OpenSegment {
  std::vector<model::PackedChunk> chunks;
  std::vector<uint32_t> lengths;
  std::string contents;
};

/// A segment opened: its chunks' contents one behind another.
struct SegmentContents {
  std::vector<uint32_t> ends;  ///< of each chunk, in `bytes`
  std::string bytes;

  [[nodiscard]] std::string_view chunk(size_t ordinal) const {
    const uint32_t begin = ordinal == 0 ? 0 : ends[ordinal - 1];
    return std::string_view(bytes).substr(begin, ends[ordinal] - begin);
  }
};

struct SealedSegment {
  model::SegmentEntry entry;  ///< without its place
  std::string bytes;
};

class SegmentMaker {
 public:
  /// Makes a chunk's id anew, of what came out of a seal.
  using IdMaker = std::function<model::ChunkId(std::string_view content,
                                               const std::vector<model::ChunkId>& references)>;

  /// `session_key` belongs to the salt of the packs that the segments are for.
  SegmentMaker(const SecretKey& session_key, int level);
  ~SegmentMaker();
  SegmentMaker(const SegmentMaker&) = delete;
  SegmentMaker& operator=(const SegmentMaker&) = delete;

  /// Compresses and seals, then opens what came out and compares its ids with those that were made
  /// when the chunks were read: memory that fails is the usual silent corrupter. A difference is
  /// kCorrupt. Takes the chunks out of `segment`.
  base::Result<SealedSegment> seal(std::string_view header, uint64_t counter, OpenSegment& segment,
                                   const IdMaker& id_of);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Opens and decompresses the `stored` bytes of `entry`.
base::Result<SegmentContents> open_segment(Sealer& sealer, std::string_view header,
                                           const model::SegmentEntry& entry,
                                           std::string_view stored);

}  // namespace repo
