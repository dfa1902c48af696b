#include "repo/index_merge.h"

#include <algorithm>
#include <queue>

#include "base/blake3.h"

namespace repo {
namespace {

/// Gathers entries and puts an index whenever enough are there.
class IndexMaker {
 public:
  IndexMaker(BlobStore& store, size_t entries_most) : store_(store), entries_most_(entries_most) {}

  base::Result<void> add(const model::ChunkId& id, const ChunkPlace& place) {
    const auto [at, is_new] =
        numbers_.try_emplace(place.pack.name, static_cast<uint32_t>(packs_.size()));
    if (is_new) packs_.push_back(place.pack);
    entries_.push_back({.id = id,
                        .pack = at->second,
                        .offset = place.offset,
                        .stored = place.stored,
                        .ordinal = place.ordinal});
    return entries_.size() >= entries_most_ ? put() : base::Result<void>();
  }
  base::Result<std::vector<std::string>> finish() {
    if (!entries_.empty()) {
      if (auto written = put(); !written) return std::unexpected(written.error());
    }
    return std::move(objects_);
  }

 private:
  base::Result<void> put() {
    const std::string bytes = format::encode_chunk_index(packs_, std::exchange(entries_, {}));
    packs_.clear();
    numbers_.clear();
    objects_.push_back("indexes/" + model::to_hex(base::as_text(base::blake3(bytes))));
    return store_.put(objects_.back(), bytes);
  }

  BlobStore& store_;
  size_t entries_most_;
  std::vector<model::PackPlace> packs_;
  std::unordered_map<model::ChunkId, uint32_t, model::ChunkIdHash> numbers_;
  std::vector<model::IndexEntry> entries_;
  std::vector<std::string> objects_;
};

/// Where the merge stands in one index.
struct Cursor {
  model::ChunkId id;
  const IndexSet::LoadedIndex* index = nullptr;
  size_t entry = 0;

  bool operator>(const Cursor& other) const { return id > other.id; }
};

}  // namespace

base::Result<std::vector<std::string>> merge_indexes(BlobStore& store, const IndexSet& indexes,
                                                     const std::vector<std::string>& objects,
                                                     const PlaceOf& place_of, size_t entries_most) {
  const auto loaded = indexes.indexes();
  std::priority_queue<Cursor, std::vector<Cursor>, std::greater<>> cursors;
  std::vector<std::pair<uint64_t, uint64_t>> taken;  // ranges of numbers, ascending
  for (const IndexSet::LoadedIndex& one : loaded) {
    if (std::ranges::find(objects, one.object) == objects.end() || one.index->size() == 0) continue;
    cursors.push({.id = one.index->entry(0).id, .index = &one, .entry = 0});
    taken.emplace_back(one.first_number, one.first_number + one.index->size());
  }
  const auto is_taken = [&](uint64_t number) {
    return std::ranges::any_of(
        taken, [&](const auto& range) { return range.first <= number && number < range.second; });
  };
  IndexMaker maker(store, entries_most);
  std::optional<model::ChunkId> before;
  while (!cursors.empty()) {
    Cursor cursor = cursors.top();
    cursors.pop();
    const model::ChunkId id = cursor.id;
    if (++cursor.entry < cursor.index->index->size()) {
      cursor.id = cursor.index->index->entry(cursor.entry).id;
      cursors.push(cursor);
    }
    if (before == id) continue;
    before = id;
    const auto number = indexes.number(id);
    if (!number || !is_taken(*number)) continue;
    const auto place = place_of(indexes.place(*number));
    if (!place) continue;
    if (auto added = maker.add(id, *place); !added) return std::unexpected(added.error());
  }
  return maker.finish();
}

base::Result<std::vector<std::string>> index_packs(BlobStore& store,
                                                   const std::vector<PackOutline>& packs) {
  IndexMaker maker(store, SIZE_MAX);
  for (const PackOutline& pack : packs) {
    for (const model::SegmentEntry& segment : pack.segments) {
      for (size_t i = 0; i < segment.chunks.size(); ++i) {
        const ChunkPlace place{.pack = pack.place,
                               .offset = segment.offset,
                               .stored = segment.stored,
                               .ordinal = static_cast<uint16_t>(i)};
        if (auto added = maker.add(segment.chunks[i].id, place); !added)
          return std::unexpected(added.error());
      }
    }
  }
  return maker.finish();
}

}  // namespace repo
