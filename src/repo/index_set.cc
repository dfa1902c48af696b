#include "repo/index_set.h"

#include <unordered_set>

#include "format/pack.h"

namespace repo {

std::string pack_object(const model::ChunkId& name) {
  const std::string digits = model::to_hex(name.text());
  return "packs/" + digits.substr(0, 2) + "/" + digits;
}

std::optional<model::ChunkId> name_of_object(std::string_view object) {
  const size_t slash = object.rfind('/');
  return model::id_from_hex(object.substr(slash == std::string_view::npos ? 0 : slash + 1));
}

base::Result<PackOutline> read_pack_outline(BlobStore& store, const model::ChunkId& name,
                                            uint64_t size) {
  const std::string object = pack_object(name);
  const auto failed = [&](const base::Error& error) {
    return base::fail(error.kind, object + " " + error.message);
  };
  if (size < format::kPackHeaderSize + format::kPackTrailerSize || size > format::kPackLargest)
    return failed({base::ErrorKind::kCorrupt, "is no pack: its size is not that of one"});
  PackOutline outline;
  outline.header.resize(format::kPackHeaderSize);
  if (auto read = store.get_range(object, 0, outline.header); !read)
    return std::unexpected(read.error());
  if (auto header = format::decode_pack_header(outline.header); !header)
    return failed(header.error());
  std::string trailer(format::kPackTrailerSize, '\0');
  if (auto read = store.get_range(object, size - trailer.size(), trailer); !read)
    return std::unexpected(read.error());
  const auto directory = format::decode_directory_size(trailer);
  if (!directory) return failed(directory.error());
  if (*directory > size - format::kPackHeaderSize - format::kPackTrailerSize)
    return failed({base::ErrorKind::kCorrupt, "is a damaged pack: its directory is too large"});
  std::string end(*directory + format::kPackTrailerSize, '\0');
  if (auto read = store.get_range(object, size - end.size(), end); !read)
    return std::unexpected(read.error());
  auto segments = format::decode_pack_end(outline.header, end, size);
  if (!segments) return failed(segments.error());
  outline.segments = std::move(*segments);
  outline.place = {.name = name, .size = static_cast<uint32_t>(size), .directory_size = *directory};
  return outline;
}

base::Result<IndexSet> IndexSet::load(BlobStore& store) {
  const auto objects = store.list("indexes");
  if (!objects) return std::unexpected(objects.error());
  IndexSet set;
  for (const BlobInfo& object : *objects) {
    auto view = store.map(object.name);
    if (!view) {
      // Taken away meanwhile: what was in it is in another by now.
      if (view.error().kind == base::ErrorKind::kNotFound) continue;
      return std::unexpected(view.error());
    }
    const auto index = format::ChunkIndex::open(view->bytes());
    if (!index) {
      if (index.error().kind == base::ErrorKind::kUnsupported)
        return base::fail(index.error().kind, object.name + " " + index.error().message);
      set.notices_.push_back(object.name + " " + index.error().message);
      continue;
    }
    set.indexes_.push_back({.view = *view, .index = *index, .has_pack = {}});
  }
  // Packs after indexes: whatever an index names was there before it.
  auto packs = store.list("packs");
  if (!packs) return std::unexpected(packs.error());
  std::unordered_map<model::ChunkId, uint64_t, model::ChunkIdHash> sizes;
  for (const BlobInfo& object : *packs) {
    if (const auto name = name_of_object(object.name)) sizes[*name] = object.size;
  }
  std::unordered_set<model::ChunkId, model::ChunkIdHash> known;
  for (Loaded& loaded : set.indexes_) {
    loaded.has_pack.resize(loaded.index.pack_count());
    for (size_t i = 0; i < loaded.has_pack.size(); ++i) {
      const model::PackPlace place = loaded.index.pack(i);
      const auto found = sizes.find(place.name);
      loaded.has_pack[i] = found != sizes.end() && found->second == place.size;
      known.insert(place.name);
    }
  }
  std::erase_if(*packs, [&](const BlobInfo& object) {
    const auto name = name_of_object(object.name);
    return !name || known.contains(*name);
  });
  set.unknown_packs_ = std::move(*packs);
  return set;
}

std::optional<ChunkPlace> IndexSet::find(const model::ChunkId& id) const {
  if (const auto found = added_.find(id); found != added_.end()) {
    const Added& added = found->second;
    return ChunkPlace{.pack = added_packs_[added.pack],
                      .offset = added.offset,
                      .stored = added.stored,
                      .ordinal = added.ordinal};
  }
  for (const Loaded& loaded : indexes_) {
    if (const auto entry = loaded.index.find(id); entry && loaded.has_pack[entry->pack]) {
      return ChunkPlace{.pack = loaded.index.pack(entry->pack),
                        .offset = entry->offset,
                        .stored = entry->stored,
                        .ordinal = entry->ordinal};
    }
  }
  return std::nullopt;
}

void IndexSet::add(const PackOutline& pack) {
  const auto number = static_cast<uint32_t>(added_packs_.size());
  added_packs_.push_back(pack.place);
  for (const model::SegmentEntry& segment : pack.segments) {
    for (size_t i = 0; i < segment.chunks.size(); ++i) {
      added_.try_emplace(segment.chunks[i].id, Added{.pack = number,
                                                     .offset = segment.offset,
                                                     .stored = segment.stored,
                                                     .ordinal = static_cast<uint16_t>(i)});
    }
  }
}

}  // namespace repo
