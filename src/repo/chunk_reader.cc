#include "repo/chunk_reader.h"

#include <algorithm>
#include <tuple>

#include "format/pack.h"

namespace repo {
namespace {

constexpr size_t kPackOutlinesMost = 48;

bool is_at(const model::SegmentEntry& segment, const ChunkPlace& place, const model::ChunkId& id) {
  return segment.offset == place.offset && place.ordinal < segment.chunks.size() &&
         segment.chunks[place.ordinal].id == id;
}

}  // namespace

base::Result<std::unique_ptr<ChunkReader>> ChunkReader::open(const Repository& repository,
                                                             size_t cache_bytes) {
  auto presence = repository.store().open_session(SessionKind::kReader);
  auto indexes = IndexSet::load(repository.store());
  if (!indexes) return std::unexpected(indexes.error());
  auto reader = std::make_unique<ChunkReader>(repository, std::move(*indexes), cache_bytes);
  if (presence) {
    // A note that fails to be written only makes gc wait for us longer.
    std::ignore = (*presence)->note(reader->indexes_.session_note());
    reader->presence_ = std::move(*presence);
  }
  return reader;
}

base::Result<void> ChunkReader::reload() {
  IndexTrust trust = IndexTrust::kHeader;
  {
    const std::scoped_lock lock(mutex_);
    trust = trust_;
  }
  auto indexes = IndexSet::load(repository_.store(), trust);
  if (!indexes) return std::unexpected(indexes.error());
  const std::scoped_lock lock(mutex_);
  indexes_ = std::move(*indexes);
  looked_for_unknown_packs_ = false;
  return {};
}

std::vector<std::string> ChunkReader::notices() {
  const std::scoped_lock lock(mutex_);
  return indexes_.notices();
}

std::vector<ChunkPlace> ChunkReader::places_of(const model::ChunkId& id) {
  if (!locate(id)) return {};
  const std::scoped_lock lock(mutex_);
  return indexes_.find_all(id);
}

std::optional<ChunkPlace> ChunkReader::locate(const model::ChunkId& id) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = indexes_.find_anywhere(id)) return found;
  if (looked_for_unknown_packs_) return std::nullopt;
  // An index may be lost or not be written yet; packs say themselves what is in them.
  looked_for_unknown_packs_ = true;
  for (const BlobInfo& object : indexes_.unknown_packs()) {
    const auto name = name_of_object(object.name);
    if (const auto outline = read_pack_outline(repository_.store(), *name, object.size))
      indexes_.add(*outline);
  }
  for (const Condemnation& condemnation : indexes_.condemnations()) {
    for (const model::ChunkId& pack : condemnation.packs) {
      const auto size = indexes_.packs().find(pack);
      if (size == indexes_.packs().end()) continue;
      if (const auto outline = read_pack_outline(repository_.store(), pack, size->second))
        indexes_.add(*outline);
    }
  }
  return indexes_.find_anywhere(id);
}

base::Result<std::shared_ptr<const ChunkReader::Pack>> ChunkReader::pack(
    const model::PackPlace& place) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = packs_.find(place.name); found != packs_.end()) return found->second;
  }
  auto outline = read_pack_outline(repository_.store(), place.name, place.size);
  if (!outline) return std::unexpected(outline.error());
  const auto header = format::decode_pack_header(outline->header);
  if (!header || header->repository != repository_.config().repository) {
    return base::fail(base::ErrorKind::kCorrupt,
                      pack_object(place.name) + " is of another repository");
  }
  auto made = std::make_shared<Pack>();
  made->session_key =
      derive_key(repository_.keys().data, base::as_text(header->salt), "twinport 1 session");
  made->outline = std::move(*outline);
  const std::scoped_lock lock(mutex_);
  if (packs_.try_emplace(place.name, made).second) {
    pack_uses_.push_front(place.name);
    if (pack_uses_.size() > kPackOutlinesMost) {
      packs_.erase(pack_uses_.back());
      pack_uses_.pop_back();
    }
  }
  return made;
}

void ChunkReader::keep(const Place& place, const std::shared_ptr<const SegmentContents>& contents) {
  const std::scoped_lock lock(mutex_);
  if (segments_.contains(place)) return;
  uses_.push_front(place);
  segments_.emplace(place, CachedSegment{.contents = contents, .use = uses_.begin()});
  cached_bytes_ += contents->bytes.size();
  while (cached_bytes_ > cache_bytes_ && uses_.size() > 1) {
    const auto oldest = segments_.find(uses_.back());
    cached_bytes_ -= oldest->second.contents->bytes.size();
    segments_.erase(oldest);
    uses_.pop_back();
  }
}

base::Result<ChunkReader::Opened> ChunkReader::open_segment_of(const model::ChunkId& id,
                                                               ChunkPlace& place) {
  auto of = pack(place.pack);
  if (!of) return std::unexpected(of.error());
  Opened out{.pack = *of, .entry = nullptr, .contents = nullptr};
  const auto& segments = out.pack->outline.segments;
  auto entry = std::ranges::lower_bound(segments, place.offset, {}, &model::SegmentEntry::offset);
  const std::string object = pack_object(place.pack.name);
  const auto has = [&](const model::SegmentEntry& segment) {
    return std::ranges::find(segment.chunks, id, &model::PackedChunk::id) != segment.chunks.end();
  };
  // The pack's own directory knows better than an index.
  if (entry == segments.end() || !is_at(*entry, place, id))
    entry = std::ranges::find_if(segments, has);
  if (entry == segments.end()) {
    return base::fail(base::ErrorKind::kCorrupt, "the index is wrong: chunk " +
                                                     model::to_hex(id.text()) +
                                                     " is not where it says, in " + object);
  }
  place.offset = entry->offset;
  if (!is_at(*entry, place, id)) {
    place.ordinal = static_cast<uint16_t>(
        std::ranges::find(entry->chunks, id, &model::PackedChunk::id) - entry->chunks.begin());
  }
  out.entry = &*entry;
  const Place key(place.pack.name, place.offset);
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = segments_.find(key); found != segments_.end()) {
      uses_.splice(uses_.begin(), uses_, found->second.use);
      out.contents = found->second.contents;
      return out;
    }
  }
  std::string stored(entry->stored, '\0');
  if (auto read = repository_.store().get_range(object, entry->offset, stored); !read)
    return std::unexpected(read.error());
  Sealer sealer(out.pack->session_key);
  auto contents = open_segment(sealer, out.pack->outline.header, *entry, stored);
  if (!contents) {
    return base::fail(contents.error().kind, object + " at " + std::to_string(entry->offset) + " " +
                                                 contents.error().message);
  }
  out.contents = std::make_shared<const SegmentContents>(std::move(*contents));
  keep(key, out.contents);
  return out;
}

base::Result<std::pair<ChunkReader::Opened, ChunkPlace>> ChunkReader::open_anywhere(
    const model::ChunkId& id, const char* what) {
  base::Error error{base::ErrorKind::kNotFound, std::string(what) + " " + model::to_hex(id.text()) +
                                                    " is nowhere in the repository"};
  for (ChunkPlace& place : places_of(id)) {
    auto opened = open_segment_of(id, place);
    if (opened) return std::pair(std::move(*opened), place);
    error = opened.error();
  }
  return std::unexpected(error);
}

base::Result<std::pair<ChunkReader::Opened, ChunkPlace>> ChunkReader::open(const model::ChunkId& id,
                                                                           const char* what) {
  auto opened = open_anywhere(id, what);
  if (opened) return opened;
  bool look_again = opened.error().kind == base::ErrorKind::kNotFound && locate(id).has_value();
  {
    // Once: after that, what an index says is what was written.
    const std::scoped_lock lock(mutex_);
    look_again = look_again || trust_ == IndexTrust::kHeader;
    trust_ = IndexTrust::kHash;
  }
  if (!look_again) return opened;
  if (auto loaded = reload(); !loaded) return std::unexpected(loaded.error());
  return open_anywhere(id, what);
}

base::Result<ChunkView> ChunkReader::read(const model::ChunkId& id) {
  auto opened = open(id, "chunk");
  if (!opened) return std::unexpected(opened.error());
  return ChunkView(opened->first.contents, opened->second.ordinal);
}

base::Result<TreeChunk> ChunkReader::read_tree(const model::ChunkId& id) {
  auto opened = open(id, "tree");
  if (!opened) return std::unexpected(opened.error());
  const auto& [segment, place] = *opened;
  return TreeChunk{.content = std::string(segment.contents->chunk(place.ordinal)),
                   .references = segment.entry->chunks[place.ordinal].references};
}

}  // namespace repo
