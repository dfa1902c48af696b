#include "format/chunk_index.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "base/blake3.h"
#include "format/byte_stream.h"
#include "format/repository_magic.h"

// index  = header pack* entry*
// header = "TWININDX" version:u16 0:u8[2] packs:u32 entries:u64 0:u8[8] hash:u8[32]
// pack   = name:u8[32] size:u32 directory size:u32
// entry  = id:u8[32] pack:u32 offset:u32 stored:u32 ordinal:u16 0:u16

namespace format {
namespace {

constexpr std::string_view kLetters = "TWININDX";
constexpr size_t kHeaderSize = 64;
constexpr size_t kPackSize = 40;

/// The first eight bytes as a number that orders like the id.
uint64_t prefix(std::string_view id) {
  uint64_t value;
  std::memcpy(&value, id.data(), sizeof(value));
  return std::byteswap(value);
}

}  // namespace

std::string encode_chunk_index(const std::vector<model::PackPlace>& packs,
                               std::vector<model::IndexEntry> entries) {
  std::ranges::sort(entries, {}, [](const model::IndexEntry& entry) {
    return std::tuple(entry.id, entry.pack, entry.offset, entry.ordinal);
  });
  const auto repeated = std::ranges::unique(entries, {}, &model::IndexEntry::id);
  entries.erase(repeated.begin(), repeated.end());
  ByteWriter body;
  for (const model::PackPlace& pack : packs) {
    body.bytes(pack.name.bytes);
    body.number(pack.size);
    body.number(pack.directory_size);
  }
  for (const model::IndexEntry& entry : entries) {
    body.bytes(entry.id.bytes);
    body.number(entry.pack);
    body.number(entry.offset);
    body.number(entry.stored);
    body.number(entry.ordinal);
    body.number<uint16_t>(0);
  }
  ByteWriter writer;
  writer.raw(kLetters);
  writer.number(kRepositoryVersion);
  writer.number<uint16_t>(0);
  writer.number(static_cast<uint32_t>(packs.size()));
  writer.number(static_cast<uint64_t>(entries.size()));
  writer.number<uint64_t>(0);
  writer.bytes(base::blake3(body.view()));
  writer.raw(body.view());
  return writer.take();
}

base::Result<ChunkIndex> ChunkIndex::open(std::string_view bytes) {
  ByteReader reader(bytes);
  if (auto begun = read_magic(reader, kLetters, "an index"); !begun)
    return std::unexpected(begun.error());
  ChunkIndex index;
  reader.zeros(2);
  const auto packs = reader.number<uint32_t>();
  const auto entries = reader.number<uint64_t>();
  reader.zeros(8);
  index.hash_ = reader.raw(32);
  const uint64_t rest = reader.left();
  const uint64_t packs_size = uint64_t{packs} * kPackSize;
  if (!reader.ok() || packs_size > rest || entries > rest / kIndexEntrySize ||
      packs_size + entries * kIndexEntrySize != rest) {
    return base::fail(base::ErrorKind::kCorrupt, "is a damaged index: its size does not fit");
  }
  index.body_ = bytes.substr(kHeaderSize);
  index.packs_ = index.body_.substr(0, packs_size);
  index.entries_ = index.body_.substr(packs_size);
  index.pack_count_ = packs;
  index.entry_count_ = entries;
  return index;
}

model::PackPlace ChunkIndex::pack(size_t number) const {
  ByteReader reader(packs_.substr(number * kPackSize, kPackSize));
  model::PackPlace place;
  place.name.bytes = reader.array<32>();
  place.size = reader.number<uint32_t>();
  place.directory_size = reader.number<uint32_t>();
  return place;
}

model::IndexEntry ChunkIndex::entry(size_t number) const {
  ByteReader reader(entries_.substr(number * kIndexEntrySize, kIndexEntrySize));
  model::IndexEntry entry;
  entry.id.bytes = reader.array<32>();
  entry.pack = reader.number<uint32_t>();
  entry.offset = reader.number<uint32_t>();
  entry.stored = reader.number<uint32_t>();
  entry.ordinal = reader.number<uint16_t>();
  return entry;
}

std::optional<model::IndexEntry> ChunkIndex::find(const model::ChunkId& id) const {
  const auto number = find_number(id);
  return number ? std::optional(entry(*number)) : std::nullopt;
}

std::optional<size_t> ChunkIndex::find_number(const model::ChunkId& id) const {
  const std::string_view wanted = id.text();
  const uint64_t key = prefix(wanted);
  size_t low = 0;
  size_t high = entry_count_;
  // Ids are hashes, spread evenly: where one must be can be guessed. A few guesses narrow it to a
  // page; halving ends it, also where the index is damaged.
  for (int guesses = 0; guesses < 4 && high - low > 64; ++guesses) {
    const uint64_t first = prefix(id_at(low));
    const uint64_t last = prefix(id_at(high - 1));
    if (key < first || key > last || first >= last) break;
    const auto part = static_cast<unsigned __int128>(key - first) * (high - 1 - low);
    const size_t guess = low + static_cast<size_t>(part / (last - first));
    // Twice the spread that chance leaves around the guess.
    size_t spread = 16;
    while (spread * spread < high - low) spread *= 2;
    const size_t from = guess > low + spread ? guess - spread : low;
    const size_t to = std::min(high, guess + spread);
    if (from > low && id_at(from) > wanted) {
      high = from;
    } else if (to < high && id_at(to) <= wanted) {
      low = to;
    } else {
      low = from;
      high = to;
    }
  }
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    (id_at(middle) <= wanted ? low : high) = middle;
  }
  if (high == low || id_at(low) != wanted) return std::nullopt;
  if (entry(low).pack >= pack_count_) return std::nullopt;
  return low;
}

base::Result<void> ChunkIndex::check() const {
  if (base::as_text(base::blake3(body_)) != hash_)
    return base::fail(base::ErrorKind::kCorrupt, "is a damaged index: its hash does not fit");
  for (size_t i = 0; i < entry_count_; ++i) {
    if (entry(i).pack >= pack_count_ || (i > 0 && id_at(i - 1) >= id_at(i)))
      return base::fail(base::ErrorKind::kCorrupt, "is an index whose entries are in disorder");
  }
  return {};
}

}  // namespace format
