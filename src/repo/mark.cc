#include "repo/mark.h"

#include <algorithm>

#include "format/pack.h"

namespace repo {
namespace {

/// A tree chunk whose references are to be followed.
struct Pending {
  ChunkPlace place;
  model::ChunkId id;
};

class Marker {
 public:
  Marker(BlobStore& store, const IndexSet& indexes, const MarkOptions& options)
      : store_(store), indexes_(indexes), options_(options) {
    marks_.entries.resize(indexes.numbers());
  }

  base::Result<void> visit(const model::ChunkId& id) {
    if (options_.known != nullptr && options_.known->contains(id)) {
      // Known to be lost; one that was stored again is as good as any.
      if (!find(id)) return {};
    }
    const auto number = find(id);
    if (!number) {
      miss(id);
      return {};
    }
    if (marks_.entries[*number]) return {};
    marks_.entries[*number] = true;
    ++marks_.chunks;
    const ChunkPlace place = indexes_.place(*number);
    LivePack& live = marks_.packs[place.pack.name];
    live.place = place.pack;
    const auto at = std::ranges::lower_bound(live.offsets, place.offset);
    if (at == live.offsets.end() || *at != place.offset) {
      live.offsets.insert(at, place.offset);
      live.bytes += place.stored;
    }
    const auto kind = kind_of(place.pack.name);
    if (!kind) return std::unexpected(kind.error());
    if (*kind == Kind::kUnreadable) miss(id);
    if (*kind == Kind::kTree) pending_.push_back({.place = place, .id = id});
    return {};
  }

  /// One depth of the trees after another, pack by pack.
  base::Result<void> follow() {
    while (!pending_.empty()) {
      std::vector<Pending> level = std::exchange(pending_, {});
      std::ranges::sort(level, {}, [](const Pending& pending) {
        return std::tuple(pending.place.pack.name, pending.place.offset, pending.place.ordinal);
      });
      for (size_t begin = 0; begin < level.size();) {
        const model::PackPlace pack = level[begin].place.pack;
        size_t end = begin;
        while (end < level.size() && level[end].place.pack.name == pack.name) ++end;
        if (auto done = follow_in(pack, std::span(level).subspan(begin, end - begin)); !done)
          return done;
        begin = end;
      }
    }
    return {};
  }

  Marks take() { return std::move(marks_); }

 private:
  enum class Kind : uint8_t { kData, kTree, kUnreadable };

  [[nodiscard]] std::optional<uint64_t> find(const model::ChunkId& id) const {
    const auto number = indexes_.number(id);
    if (number && !options_.condemned_too &&
        indexes_.is_condemned(indexes_.place(*number).pack.name)) {
      return std::nullopt;
    }
    return number;
  }

  void miss(const model::ChunkId& id) {
    ++marks_.missing;
    if (marks_.lost.size() < options_.lost_most) marks_.lost.push_back(id);
  }

  base::Result<Kind> kind_of(const model::ChunkId& pack) {
    const auto known = kinds_.find(pack);
    if (known != kinds_.end()) return known->second;
    std::string header(format::kPackHeaderSize, '\0');
    Kind kind = Kind::kUnreadable;
    const auto read = store_.get_range(pack_object(pack), 0, header);
    if (read) {
      if (const auto decoded = format::decode_pack_header(header))
        kind = decoded->kind == model::ChunkKind::kTree ? Kind::kTree : Kind::kData;
    } else if (read.error().kind == base::ErrorKind::kIo ||
               read.error().kind == base::ErrorKind::kPermission) {
      return std::unexpected(read.error());
    }
    kinds_[pack] = kind;
    return kind;
  }

  base::Result<void> follow_in(const model::PackPlace& pack, std::span<const Pending> wanted) {
    const auto outline = read_pack_outline(store_, pack.name, pack.size);
    if (!outline && outline.error().kind == base::ErrorKind::kIo)
      return std::unexpected(outline.error());
    for (const Pending& pending : wanted) {
      const model::PackedChunk* chunk = nullptr;
      if (outline) {
        const auto segment = std::ranges::lower_bound(outline->segments, pending.place.offset, {},
                                                      &model::SegmentEntry::offset);
        if (segment != outline->segments.end() && segment->offset == pending.place.offset &&
            pending.place.ordinal < segment->chunks.size()) {
          chunk = &segment->chunks[pending.place.ordinal];
        }
      }
      if (chunk == nullptr || chunk->id != pending.id) {
        miss(pending.id);
        continue;
      }
      for (const model::ChunkId& reference : chunk->references) {
        if (auto visited = visit(reference); !visited) return visited;
      }
    }
    return {};
  }

  BlobStore& store_;
  const IndexSet& indexes_;
  const MarkOptions& options_;
  Marks marks_;
  std::vector<Pending> pending_;
  std::unordered_map<model::ChunkId, Kind, model::ChunkIdHash> kinds_;
};

}  // namespace

base::Result<Marks> mark(BlobStore& store, const IndexSet& indexes,
                         std::span<const model::ChunkId> roots, const MarkOptions& options) {
  Marker marker(store, indexes, options);
  for (const model::ChunkId& root : roots) {
    if (auto visited = marker.visit(root); !visited) return std::unexpected(visited.error());
  }
  if (auto followed = marker.follow(); !followed) return std::unexpected(followed.error());
  return marker.take();
}

}  // namespace repo
