#include "repo/pack_rewriter.h"

#include <algorithm>

#include "base/blake3.h"
#include "format/pack.h"

namespace repo {

base::Result<bool> PackRewriter::rewrite(const LivePack& pack) {
  const auto outline = read_pack_outline(store_, pack.place.name, pack.place.size);
  if (!outline) {
    if (outline.error().kind == base::ErrorKind::kCorrupt) return false;
    return std::unexpected(outline.error());
  }
  const std::string object = pack_object(pack.place.name);
  std::string live;
  std::vector<model::SegmentEntry> entries;
  for (const model::SegmentEntry& segment : outline->segments) {
    if (!std::ranges::binary_search(pack.offsets, segment.offset)) continue;
    std::string stored(segment.stored, '\0');
    if (auto read = store_.get_range(object, segment.offset, stored); !read)
      return std::unexpected(read.error());
    if (base::blake3(stored) != segment.hash) return false;
    entries.push_back(segment);
    live += stored;
  }
  // Each place that is needed must be one of the directory's.
  if (entries.size() != pack.offsets.size()) return false;
  if (!segments_.empty() &&
      (header_ != outline->header || bytes_.size() + live.size() > pack_bytes_)) {
    if (auto written = write(); !written) return std::unexpected(written.error());
  }
  if (segments_.empty()) {
    header_ = outline->header;
    bytes_ = header_;
  }
  auto& moved = moves_[pack.place.name];
  size_t at = 0;
  for (model::SegmentEntry& entry : entries) {
    moved[entry.offset] = {.pack = static_cast<uint32_t>(packs_.size()),
                           .offset = static_cast<uint32_t>(bytes_.size() + at)};
    entry.offset = static_cast<uint32_t>(bytes_.size() + at);
    at += entry.stored;
    segments_.push_back(std::move(entry));
  }
  bytes_ += live;
  old_packs_.push_back(pack.place.name);
  return true;
}

base::Result<void> PackRewriter::write() {
  const std::string end = format::encode_pack_end(header_, segments_);
  bytes_ += end;
  const model::PackPlace place{
      .name = {base::blake3(bytes_)},
      .size = static_cast<uint32_t>(bytes_.size()),
      .directory_size = static_cast<uint32_t>(end.size() - format::kPackTrailerSize)};
  packs_.push_back(place);
  segments_.clear();
  return store_.put(pack_object(place.name), std::exchange(bytes_, {}));
}

base::Result<void> PackRewriter::finish() {
  return segments_.empty() ? base::Result<void>() : write();
}

std::optional<PackRewriter::NewPlace> PackRewriter::find(const model::ChunkId& pack,
                                                         uint32_t offset) const {
  const auto moved = moves_.find(pack);
  if (moved == moves_.end()) return std::nullopt;
  const auto place = moved->second.find(offset);
  return place == moved->second.end() ? std::nullopt : std::optional(place->second);
}

}  // namespace repo
