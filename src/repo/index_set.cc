#include "repo/index_set.h"

#include <algorithm>

#include "base/blake3.h"
#include "format/id_list.h"
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

base::Result<void> compare_with_packs(BlobStore& store, const format::ChunkIndex& index,
                                      bool whole) {
  uint64_t entries = 0;
  uint64_t agreed = 0;
  std::vector<bool> passed_over(index.pack_count());
  for (size_t number = 0; number < index.pack_count(); ++number) {
    const model::PackPlace place = index.pack(number);
    const auto outline = read_pack_outline(store, place.name, place.size);
    passed_over[number] = !outline;
    if (!outline) continue;
    for (const model::SegmentEntry& segment : outline->segments) {
      for (size_t i = 0; i < segment.chunks.size(); ++i) {
        const auto entry = index.find(segment.chunks[i].id);
        if (!entry) {
          if (!whole) continue;
          return base::fail(
              base::ErrorKind::kCorrupt,
              "is a wrong index: it leaves out what is in " + pack_object(place.name));
        }
        // Another pack may have the chunk too, and the index tells of that one.
        if (entry->pack == number && entry->offset == segment.offset &&
            entry->stored == segment.stored && entry->ordinal == i) {
          ++agreed;
        }
      }
    }
  }
  for (size_t i = 0; i < index.size(); ++i) {
    const uint32_t pack = index.entry(i).pack;
    if (pack >= passed_over.size() || !passed_over[pack]) ++entries;
  }
  if (agreed == entries) return {};
  return base::fail(
      base::ErrorKind::kCorrupt,
      "is a wrong index: " + std::to_string(entries - agreed) + " chunks are not where it says");
}

base::Result<IndexSet> IndexSet::load(BlobStore& store, IndexTrust trust) {
  // gc may put a new index in the place of others while we list them; then all is looked at again.
  // Should it never end, what is missing here is found in packs, or stored again.
  constexpr int kTries = 5;
  IndexSet set;
  for (int i = 0; i < kTries; ++i) {
    set = IndexSet();
    const auto steady = load_once(store, trust, set);
    if (!steady) return std::unexpected(steady.error());
    if (*steady) break;
  }
  return set;
}

base::Result<void> IndexSet::load_index(BlobStore& store, const std::string& object,
                                        IndexTrust trust) {
  const auto view = store.map(object);
  if (!view) {
    // Taken away meanwhile: what was in it is in another by now.
    if (view.error().kind == base::ErrorKind::kNotFound) return {};
    notices_.push_back(view.error().message + "; its packs are asked themselves");
    return {};
  }
  auto index = format::ChunkIndex::open(view->bytes());
  // A bit that flipped is no newer Twinport.
  const auto name = name_of_object(object);
  if (!index && index.error().kind == base::ErrorKind::kUnsupported && name &&
      base::blake3(view->bytes()) == name->bytes) {
    return base::fail(index.error().kind, object + " " + index.error().message);
  }
  base::Result<void> checked;
  if (index && trust != IndexTrust::kHeader) checked = index->check();
  if (index && checked && trust == IndexTrust::kPacks)
    checked = compare_with_packs(store, *index, false);
  if (!index || !checked) {
    const bool is_old = index || index.error().kind != base::ErrorKind::kUnsupported;
    notices_.push_back(object + " " +
                       (!is_old  ? "is damaged: its hash is not its name"
                        : !index ? index.error().message
                                 : checked.error().message));
    damaged_.push_back(object);
    return {};
  }
  Loaded& loaded = indexes_.emplace_back();
  loaded.object = object;
  loaded.view = *view;
  loaded.index = *index;
  loaded.first_number = first_added_;
  if (index->size() > 0) {
    loaded.first = index->entry(0).id;
    loaded.last = index->entry(index->size() - 1).id;
  }
  first_added_ += index->size();
  return {};
}

base::Result<bool> IndexSet::load_once(BlobStore& store, IndexTrust trust, IndexSet& set) {
  const auto objects = store.list("indexes");
  if (!objects) return std::unexpected(objects.error());
  for (const BlobInfo& object : *objects) {
    if (auto loaded = set.load_index(store, object.name, trust); !loaded)
      return std::unexpected(loaded.error());
  }
  if (auto read = set.load_condemnations(store); !read) return std::unexpected(read.error());
  // Packs after indexes: whatever an index names was there before it.
  if (auto noted = set.note_packs(store); !noted) return std::unexpected(noted.error());
  const auto again = store.list("indexes");
  if (!again) return std::unexpected(again.error());
  return *again == *objects;
}

base::Result<void> IndexSet::load_condemnations(BlobStore& store) {
  const auto objects = store.list("condemned");
  if (!objects) return std::unexpected(objects.error());
  for (const BlobInfo& object : *objects) {
    const auto bytes = store.get(object.name, format::kIdListLargest);
    if (!bytes && bytes.error().kind == base::ErrorKind::kNotFound) continue;
    const auto name = name_of_object(object.name);
    auto packs = bytes ? format::decode_id_list(format::IdListKind::kCondemned, *bytes)
                       : base::Result<std::vector<model::ChunkId>>(std::unexpected(bytes.error()));
    if (packs && (!name || base::blake3(*bytes) != name->bytes))
      packs = base::fail(base::ErrorKind::kCorrupt, "is damaged: its hash is not its name");
    if (!packs) {
      // One that was torn was never acted upon, and never will be.
      if (packs.error().kind != base::ErrorKind::kCorrupt)
        return base::fail(packs.error().kind, object.name + " " + packs.error().message);
      notices_.push_back(object.name + " " + packs.error().message);
      condemnations_.push_back({.object = object.name, .packs = {}});
      continue;
    }
    condemned_.insert(packs->begin(), packs->end());
    condemnations_.push_back({.object = object.name, .packs = *packs});
  }
  return {};
}

base::Result<void> IndexSet::note_packs(BlobStore& store) {
  auto packs = store.list("packs");
  if (!packs) return std::unexpected(packs.error());
  for (const BlobInfo& object : *packs) {
    if (const auto name = name_of_object(object.name)) pack_sizes_[*name] = object.size;
  }
  IdSet known;
  for (Loaded& loaded : indexes_) {
    loaded.packs.resize(loaded.index.pack_count());
    for (size_t i = 0; i < loaded.packs.size(); ++i) {
      const model::PackPlace place = loaded.index.pack(i);
      const auto found = pack_sizes_.find(place.name);
      known.insert(place.name);
      if (found == pack_sizes_.end() || found->second != place.size) continue;
      loaded.packs[i] = is_condemned(place.name) ? PackState::kCondemned : PackState::kGood;
    }
  }
  std::erase_if(*packs, [&](const BlobInfo& object) {
    const auto name = name_of_object(object.name);
    return !name || known.contains(*name) || is_condemned(*name);
  });
  unknown_packs_ = std::move(*packs);
  return {};
}

std::optional<uint64_t> IndexSet::find_number(const model::ChunkId& id, bool condemned_too) const {
  std::optional<uint64_t> condemned;
  for (const Loaded& loaded : indexes_) {
    if (id < loaded.first || loaded.last < id) continue;
    const auto entry = loaded.index.find_number(id);
    if (!entry) continue;
    const PackState pack = loaded.packs[loaded.index.entry(*entry).pack];
    if (pack == PackState::kGood) return loaded.first_number + *entry;
    if (pack == PackState::kCondemned && !condemned) condemned = loaded.first_number + *entry;
  }
  // What an index names has survived a barrier; a pack that none names may not have.
  if (const auto found = added_.find(id); found != added_.end()) {
    const uint64_t number = first_added_ + found->second;
    if (!is_condemned(added_packs_[added_places_[found->second].pack].name)) return number;
    if (!condemned) condemned = number;
  }
  return condemned_too ? condemned : std::nullopt;
}

std::optional<uint64_t> IndexSet::number(const model::ChunkId& id) const {
  return find_number(id, true);
}

std::optional<ChunkPlace> IndexSet::find(const model::ChunkId& id) const {
  const auto found = find_number(id, false);
  return found ? std::optional(place(*found)) : std::nullopt;
}

std::optional<ChunkPlace> IndexSet::find_anywhere(const model::ChunkId& id) const {
  const auto found = find_number(id, true);
  return found ? std::optional(place(*found)) : std::nullopt;
}

std::vector<ChunkPlace> IndexSet::find_all(const model::ChunkId& id) const {
  std::vector<ChunkPlace> good;
  std::vector<ChunkPlace> condemned;
  for (const Loaded& loaded : indexes_) {
    const auto entry = loaded.index.find_number(id);
    if (!entry) continue;
    const PackState pack = loaded.packs[loaded.index.entry(*entry).pack];
    if (pack == PackState::kGone) continue;
    (pack == PackState::kGood ? good : condemned).push_back(place(loaded.first_number + *entry));
  }
  if (const auto found = added_.find(id); found != added_.end()) {
    const ChunkPlace at = place(first_added_ + found->second);
    (is_condemned(at.pack.name) ? condemned : good).push_back(at);
  }
  good.insert(good.end(), condemned.begin(), condemned.end());
  return good;
}

ChunkPlace IndexSet::place(uint64_t number) const {
  if (number >= first_added_) {
    const Added& added = added_places_[number - first_added_];
    return {.pack = added_packs_[added.pack],
            .offset = added.offset,
            .stored = added.stored,
            .ordinal = added.ordinal};
  }
  const auto loaded =
      std::prev(std::ranges::upper_bound(indexes_, number, {}, &Loaded::first_number));
  const model::IndexEntry entry = loaded->index.entry(number - loaded->first_number);
  return {.pack = loaded->index.pack(entry.pack),
          .offset = entry.offset,
          .stored = entry.stored,
          .ordinal = entry.ordinal};
}

void IndexSet::add(const PackOutline& pack) {
  const auto number = static_cast<uint32_t>(added_packs_.size());
  added_packs_.push_back(pack.place);
  const bool condemned = is_condemned(pack.place.name);
  for (const model::SegmentEntry& segment : pack.segments) {
    for (size_t i = 0; i < segment.chunks.size(); ++i) {
      const auto place = static_cast<uint32_t>(added_places_.size());
      const auto [at, is_new] = added_.try_emplace(segment.chunks[i].id, place);
      if (!is_new && condemned) continue;
      if (!is_new && !is_condemned(added_packs_[added_places_[at->second].pack].name)) continue;
      at->second = place;
      added_places_.push_back({.pack = number,
                               .offset = segment.offset,
                               .stored = segment.stored,
                               .ordinal = static_cast<uint16_t>(i)});
    }
  }
}

std::string IndexSet::session_note() const {
  std::string note;
  for (const Condemnation& condemnation : condemnations_) {
    // One that was torn was not seen: another may yet stand under its name.
    if (!condemnation.packs.empty()) note += condemnation.object + "\n";
  }
  return note;
}

std::vector<IndexSet::LoadedIndex> IndexSet::indexes() const {
  std::vector<LoadedIndex> out;
  for (const Loaded& loaded : indexes_) {
    out.push_back(
        {.object = loaded.object, .index = &loaded.index, .first_number = loaded.first_number});
  }
  return out;
}

}  // namespace repo
