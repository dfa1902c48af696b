// Listings and lists of pieces. The first byte says how many references the chunk has. Whatever is
// taken comes back, and no name leads out of its directory.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "format/tree_listing.h"

namespace {

using format::ListingKind;

void look(std::string_view bytes, const std::vector<model::ChunkId>& references, ListingKind kind) {
  const auto entries = format::decode_listing(bytes, references, kind);
  if (!entries) return;
  for (const model::TreeEntry& entry : *entries) {
    const bool leads_out = entry.name.empty() || entry.name == "." || entry.name == ".." ||
                           entry.name.find('\0') != std::string::npos ||
                           entry.name.find("/../") != std::string::npos ||
                           entry.name.ends_with("/..");
    const bool has_slash = entry.name.find('/') != std::string::npos;
    if (leads_out || has_slash != (kind == ListingKind::kRoots)) abort();
  }
  const auto content = format::encode_listing(*entries);
  if (content.references != references) abort();
  const auto again = format::decode_listing(content.bytes, content.references, kind);
  if (!again || *again != *entries) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::vector<model::ChunkId> references(data[0]);
  for (size_t i = 0; i < references.size(); ++i) references[i].bytes[0] = static_cast<uint8_t>(i);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  look(bytes, references, ListingKind::kDirectory);
  look(bytes, references, ListingKind::kRoots);
  if (const auto pieces = format::decode_piece_list(bytes, references)) {
    const auto content = format::encode_piece_list(*pieces);
    const auto again = format::decode_piece_list(content.bytes, content.references);
    if (!again || *again != *pieces) abort();
  }
  return 0;
}
