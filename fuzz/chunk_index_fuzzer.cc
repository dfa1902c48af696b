// Indexes: what check() takes has each entry where find() looks for it, and is written again as the
// same bytes; what it does not take must do find() no harm.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/blake3.h"
#include "format/chunk_index.h"

namespace {

void look(std::string_view bytes) {
  const auto index = format::ChunkIndex::open(bytes);
  if (!index) return;
  const bool is_good = index->check().has_value();
  std::vector<model::IndexEntry> entries;
  for (size_t i = 0; i < index->size(); ++i) {
    entries.push_back(index->entry(i));
    const auto found = index->find(entries.back().id);
    if (found && found->pack >= index->pack_count()) abort();
    if (is_good && found != entries.back()) abort();
  }
  if (!is_good) return;
  std::vector<model::PackPlace> packs;
  for (size_t i = 0; i < index->pack_count(); ++i) packs.push_back(index->pack(i));
  // Padding of entries is not read, so it may differ.
  const std::string again = format::encode_chunk_index(packs, entries);
  if (again.size() != bytes.size() || !format::ChunkIndex::open(again)->check()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  look(bytes);
  if (size >= 64) {
    // No fuzzer finds a hash that fits.
    std::string hashed(bytes);
    hashed.replace(32, 32, base::as_text(base::blake3(bytes.substr(64))));
    look(hashed);
  }
  return 0;
}
