// Listings of directories and lists of pieces: the contents of tree chunks. Ids stand outside the
// content, as the chunk's references. Layout: docs/formats/repository.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/backup_tree.h"

namespace format {

/// Bytes of a name in a directory, and of an attribute's name.
inline constexpr size_t kNameLongest = 255;

struct TreeContent {
  std::string bytes;
  std::vector<model::ChunkId> references;
};

/// What the names of entries are.
enum class ListingKind : unsigned char { kDirectory, kRoots };

/// `entries` ascend by name.
TreeContent encode_listing(std::span<const model::TreeEntry> entries);
base::Result<std::vector<model::TreeEntry>> decode_listing(
    std::string_view bytes, std::span<const model::ChunkId> references, ListingKind kind);

TreeContent encode_piece_list(std::span<const model::Piece> pieces);
base::Result<std::vector<model::Piece>> decode_piece_list(
    std::string_view bytes, std::span<const model::ChunkId> references);

}  // namespace format
