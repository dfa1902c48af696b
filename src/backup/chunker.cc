#include "backup/chunker.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace backup {
namespace {

/// The `bits` highest, 64 at most.
uint64_t highest(unsigned bits) {
  return bits == 0 ? 0 : ~uint64_t{0} << (64 - std::min(bits, 64U));
}

std::array<uint64_t, 256> make_table(const base::Key256& key) {
  base::Blake3 stream(key);
  stream.update("gear");
  std::array<uint64_t, 256> table;
  uint64_t at = 0;
  for (uint64_t& entry : table) {
    // Over a run of one byte the hash comes to rest at the entry's negative. If that were a cut,
    // runs of zeros would be cut at the smallest size and never fall into step again.
    do {
      std::array<uint8_t, sizeof(entry)> bytes;
      stream.finish(at, bytes);
      std::memcpy(&entry, bytes.data(), sizeof(entry));
      at += sizeof(entry);
    } while (((~entry + 1) & highest(10)) == 0);
  }
  return table;
}

}  // namespace

Chunker::Chunker(const base::Key256& chunker_key, const model::ChunkSizes& sizes)
    : table_(make_table(chunker_key)), sizes_(sizes) {
  const auto bits = static_cast<unsigned>(std::bit_width(sizes.average)) - 1;
  early_mask_ = highest(bits + 2);
  late_mask_ = highest(bits - 2);
}

size_t Chunker::cut(std::string_view data) const {
  const size_t end = std::min<size_t>(data.size(), sizes_.largest);
  const size_t average = std::min<size_t>(end, sizes_.average);
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  uint64_t hash = 0;
  size_t at = sizes_.smallest;
  for (; at < average; ++at) {
    hash = (hash << 1) + table_[bytes[at]];
    if ((hash & early_mask_) == 0) return at + 1;
  }
  for (; at < end; ++at) {
    hash = (hash << 1) + table_[bytes[at]];
    if ((hash & late_mask_) == 0) return at + 1;
  }
  return end;
}

}  // namespace backup
