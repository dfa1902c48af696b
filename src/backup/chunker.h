// Chunker: cuts a stream into chunks where its content says, so that a change moves few cuts.
// FastCDC with a keyed table: who has not the key cannot tell where known data would be cut.
// The algorithm is part of the format: docs/formats/repository.md.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/blake3.h"
#include "model/repository.h"

namespace backup {

class Chunker {
 public:
  Chunker(const base::Key256& chunker_key, const model::ChunkSizes& sizes);

  /// Length of the first chunk of `data`, which is a stream's next sizes.largest bytes, or all
  /// that is left of it. 0 only for nothing.
  [[nodiscard]] size_t cut(std::string_view data) const;

 private:
  std::array<uint64_t, 256> table_;
  model::ChunkSizes sizes_;
  uint64_t early_mask_;  ///< before the average: fewer cuts
  uint64_t late_mask_;
};

}  // namespace backup
