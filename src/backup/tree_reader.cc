#include "backup/tree_reader.h"

#include <algorithm>

namespace backup {
namespace {

bool is_at_or_below(std::string_view path, std::string_view ancestor) {
  if (ancestor == "/") return true;
  return path.starts_with(ancestor) &&
         (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

base::Error in_tree(const model::ChunkId& id, const base::Error& error) {
  return {error.kind, "tree " + model::to_hex(id.text()) + " " + error.message};
}

}  // namespace

base::Result<std::vector<model::TreeEntry>> read_listing(repo::ChunkReader& reader,
                                                         const model::ChunkId& id,
                                                         format::ListingKind kind) {
  const auto chunk = reader.read_tree(id);
  if (!chunk) return std::unexpected(chunk.error());
  auto entries = format::decode_listing(chunk->content, chunk->references, kind);
  if (!entries) return std::unexpected(in_tree(id, entries.error()));
  return entries;
}

base::Result<std::vector<model::Piece>> read_pieces(repo::ChunkReader& reader,
                                                    const model::TreeEntry& file) {
  if (!file.indirect) return file.pieces;
  std::vector<model::Piece> out;
  for (const model::Piece& list : file.pieces) {
    const auto chunk = reader.read_tree(list.id);
    if (!chunk) return std::unexpected(chunk.error());
    auto pieces = format::decode_piece_list(chunk->content, chunk->references);
    if (!pieces) return std::unexpected(in_tree(list.id, pieces.error()));
    uint64_t sum = 0;
    for (const model::Piece& piece : *pieces) sum += piece.length;
    if (sum != list.length) {
      return base::fail(base::ErrorKind::kCorrupt, "tree " + model::to_hex(list.id.text()) +
                                                       " does not have the length it should");
    }
    out.insert(out.end(), pieces->begin(), pieces->end());
  }
  return out;
}

bool PathFilter::selects(std::string_view path) const {
  return paths_.empty() || std::ranges::any_of(paths_, [&](const std::string& selected) {
           return is_at_or_below(path, selected);
         });
}

bool PathFilter::leads_to_selected(std::string_view path) const {
  return selects(path) || std::ranges::any_of(paths_, [&](const std::string& selected) {
           return is_at_or_below(selected, path);
         });
}

std::string absolute_path(std::string_view path, std::string_view current) {
  std::string whole(path.starts_with('/') ? "" : current);
  whole += '/';
  whole += path;
  std::vector<std::string_view> parts;
  for (std::string_view rest = whole; !rest.empty();) {
    const size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) {
    out += '/';
    out += part;
  }
  return out.empty() ? "/" : out;
}

std::string join_path(std::string_view directory, std::string_view name) {
  std::string out(directory);
  if (!out.ends_with('/')) out += '/';
  out += name;
  return out;
}

}  // namespace backup
