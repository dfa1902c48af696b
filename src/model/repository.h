// Plain values of a repository's objects, as docs/formats/repository.md lays them out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/chunk_id.h"

namespace model {

using RepositoryId = std::array<uint8_t, 16>;
using Salt = std::array<uint8_t, 32>;

/// How contents are cut and gathered; the defaults are those of ADR 0020.
struct ChunkSizes {
  uint32_t smallest = 16U << 10;
  uint32_t average = 64U << 10;
  uint32_t largest = 256U << 10;
  uint32_t segment = 1U << 20;
  uint32_t pack = 32U << 20;

  friend bool operator==(const ChunkSizes&, const ChunkSizes&) = default;
};

struct RepositoryConfig {
  RepositoryId repository{};
  int64_t created_s = 0;
  ChunkSizes sizes;

  friend bool operator==(const RepositoryConfig&, const RepositoryConfig&) = default;
};

enum class SlotKind : uint8_t { kPassphrase = 1, kKeyFile = 2 };

struct KeySlot {
  SlotKind kind = SlotKind::kPassphrase;
  uint32_t memory_kib = 0;
  uint32_t passes = 0;
  RepositoryId repository{};
  int64_t created_s = 0;
  Salt salt{};
  std::string label;
  std::array<uint8_t, 48> sealed_key{};

  friend bool operator==(const KeySlot&, const KeySlot&) = default;
};

struct PackedChunk {
  ChunkId id;
  std::vector<ChunkId> references;

  friend bool operator==(const PackedChunk&, const PackedChunk&) = default;
};

enum class SegmentEncoding : uint8_t { kPlain = 0, kZstd = 1 };

struct SegmentEntry {
  uint32_t offset = 0;  ///< in the pack
  uint32_t stored = 0;
  uint64_t counter = 0;
  std::array<uint8_t, 32> hash{};
  SegmentEncoding encoding = SegmentEncoding::kPlain;
  std::vector<PackedChunk> chunks;

  friend bool operator==(const SegmentEntry&, const SegmentEntry&) = default;
};

struct PackHeader {
  ChunkKind kind = ChunkKind::kData;
  RepositoryId repository{};
  Salt salt{};

  friend bool operator==(const PackHeader&, const PackHeader&) = default;
};

/// Where a pack is and how it ends.
struct PackPlace {
  ChunkId name;
  uint32_t size = 0;
  uint32_t directory_size = 0;

  friend bool operator==(const PackPlace&, const PackPlace&) = default;
};

struct IndexEntry {
  ChunkId id;
  uint32_t pack = 0;  ///< place in the index's list
  uint32_t offset = 0;
  uint32_t stored = 0;
  uint16_t ordinal = 0;

  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

}  // namespace model
