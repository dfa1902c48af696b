// ChunkId: the keyed hash of a chunk's content, and names of objects, which are hashes of their
// bytes.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace model {

struct ChunkId {
  std::array<uint8_t, 32> bytes{};

  friend auto operator<=>(const ChunkId&, const ChunkId&) = default;
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

/// Ids are hashes already.
struct ChunkIdHash {
  size_t operator()(const ChunkId& id) const {
    size_t out;
    std::memcpy(&out, id.bytes.data(), sizeof(out));
    return out;
  }
};

enum class ChunkKind : uint8_t { kData = 1, kTree = 2 };

std::string to_hex(std::string_view bytes);
/// Exactly 64 lower-case digits.
std::optional<ChunkId> id_from_hex(std::string_view digits);

}  // namespace model
