#include "backup/listing_writer.h"

#include "format/pack.h"

namespace backup {
namespace {

using model::TreeEntry;

// Where a long listing is cut depends on names, so that one more entry changes one listing.
constexpr size_t kListingLeast = 256;
constexpr size_t kListingMost = 4096;
constexpr uint64_t kListingCutMask = 511;
constexpr size_t kListingReferencesMost = 16384;
constexpr size_t kListingBytesMost = 1U << 20;

uint64_t name_hash(std::string_view name) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

bool can_be_kept(const format::TreeContent& content, size_t entries, format::ListingKind kind) {
  if (content.bytes.size() > format::kChunkLargest ||
      content.references.size() > format::kChunkReferencesMost) {
    return false;
  }
  const auto decoded = format::decode_listing(content.bytes, content.references, kind);
  return decoded && decoded->size() == entries;
}

std::string why_unfit(const TreeEntry& entry, const format::TreeContent& alone) {
  if (alone.bytes.size() > format::kChunkLargest)
    return "is left out: what is known of it takes more room than a repository gives one entry "
           "(8 MiB)";
  const size_t slash = entry.name.rfind('/');
  const size_t length = entry.name.size() - (slash == std::string::npos ? 0 : slash + 1);
  if (length > format::kNameLongest) {
    return "is left out: its name has " + std::to_string(length) +
           " bytes, and a repository keeps names of up to " + std::to_string(format::kNameLongest);
  }
  return "is left out: its file system tells of it what a repository cannot keep";
}

}  // namespace

base::Result<format::TreeContent> encode_what_fits(std::vector<TreeEntry>& entries,
                                                   format::ListingKind kind,
                                                   const OnUnfit& on_unfit) {
  format::TreeContent content = format::encode_listing(entries);
  if (can_be_kept(content, entries.size(), kind)) return content;
  std::erase_if(entries, [&](const TreeEntry& entry) {
    const format::TreeContent alone = format::encode_listing({&entry, 1});
    if (can_be_kept(alone, 1, kind)) return false;
    on_unfit(entry, why_unfit(entry, alone));
    return true;
  });
  content = format::encode_listing(entries);
  if (can_be_kept(content, entries.size(), kind)) return content;
  if (content.bytes.size() > format::kChunkLargest ||
      content.references.size() > format::kChunkReferencesMost) {
    return base::fail(base::ErrorKind::kUnsupported,
                      "so many paths do not fit into one snapshot: back them up in several, or "
                      "name a directory above them");
  }
  return base::fail(base::ErrorKind::kCorrupt,
                    "a directory listing cannot be read again as it was written, so nothing was "
                    "committed. This machine's memory or processor makes mistakes, or Twinport "
                    "does: run it again, and if it happens again, please report it");
}

base::Result<void> ListingWriter::add(TreeEntry entry) {
  references_ += entry.pieces.size() + entry.listings.size();
  bytes_ += 64 + entry.name.size() + entry.target.size() + (16 * entry.holes.size());
  for (const model::Attribute& attribute : entry.attributes)
    bytes_ += attribute.name.size() + attribute.value.size() + 4;
  const bool cut = name_hash(entry.name) % (kListingCutMask + 1) == 0;
  entries_.push_back(std::move(entry));
  if ((cut && entries_.size() >= kListingLeast) || entries_.size() >= kListingMost ||
      references_ >= kListingReferencesMost || bytes_ >= kListingBytesMost) {
    return flush();
  }
  return {};
}

base::Result<std::vector<model::ChunkId>> ListingWriter::finish() {
  if (!entries_.empty()) {
    if (auto flushed = flush(); !flushed) return std::unexpected(flushed.error());
  }
  return std::move(ids_);
}

base::Result<void> ListingWriter::flush() {
  auto content = encode_what_fits(entries_, format::ListingKind::kDirectory, on_unfit_);
  if (!content) return std::unexpected(content.error());
  const bool any = !entries_.empty();
  entries_.clear();
  references_ = bytes_ = 0;
  if (!any) return {};
  const auto id =
      session_.add(model::ChunkKind::kTree, content->bytes, std::move(content->references));
  if (!id) return std::unexpected(id.error());
  ids_.push_back(*id);
  return {};
}

}  // namespace backup
