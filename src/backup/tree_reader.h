// Trees as they were stored: listings of directories and the pieces of files. Any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/tree_listing.h"
#include "model/backup_tree.h"
#include "repo/chunk_reader.h"

namespace backup {

base::Result<std::vector<model::TreeEntry>> read_listing(repo::ChunkReader& reader,
                                                         const model::ChunkId& id,
                                                         format::ListingKind kind);

/// The data pieces of a file, whose lists are read where it has such.
base::Result<std::vector<model::Piece>> read_pieces(repo::ChunkReader& reader,
                                                    const model::TreeEntry& file);

/// Which entries a walk visits: all, or those at or below some absolute paths, and the directories
/// on the way there.
class PathFilter {
 public:
  PathFilter() = default;
  explicit PathFilter(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  [[nodiscard]] bool selects(std::string_view path) const;
  [[nodiscard]] bool leads_to_selected(std::string_view path) const;

 private:
  std::vector<std::string> paths_;
};

/// An absolute path without empty, "." and ".." parts and without a slash at its end. `current` is
/// the directory that a relative one counts from.
std::string absolute_path(std::string_view path, std::string_view current);

std::string join_path(std::string_view directory, std::string_view name);

}  // namespace backup
