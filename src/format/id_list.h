// Lists of ids: packs that gc has condemned, chunks that repair found lost.
// Layout: docs/formats/repository.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/chunk_id.h"

namespace format {

inline constexpr size_t kIdListLargest = 64U << 20;

enum class IdListKind : uint8_t {
  kCondemned,  ///< names of packs
  kLost,       ///< ids of chunks
};

/// Sorts them and leaves repeated ones out.
std::string encode_id_list(IdListKind kind, std::vector<model::ChunkId> ids);
base::Result<std::vector<model::ChunkId>> decode_id_list(IdListKind kind, std::string_view bytes);

}  // namespace format
