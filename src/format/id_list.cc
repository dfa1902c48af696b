#include "format/id_list.h"

#include <algorithm>

#include "format/byte_stream.h"
#include "format/repository_magic.h"

// list = ("TWINDOOM" | "TWINLOST") version:u16 0:u8[2] ids:u32 id:u8[32]*

namespace format {
namespace {

std::string_view letters_of(IdListKind kind) {
  return kind == IdListKind::kCondemned ? "TWINDOOM" : "TWINLOST";
}

}  // namespace

std::string encode_id_list(IdListKind kind, std::vector<model::ChunkId> ids) {
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  ByteWriter writer;
  writer.raw(letters_of(kind));
  writer.number(kRepositoryVersion);
  writer.number<uint16_t>(0);
  writer.number(static_cast<uint32_t>(ids.size()));
  for (const model::ChunkId& id : ids) writer.bytes(id.bytes);
  return writer.take();
}

base::Result<std::vector<model::ChunkId>> decode_id_list(IdListKind kind, std::string_view bytes) {
  ByteReader reader(bytes);
  const char* const what =
      kind == IdListKind::kCondemned ? "a list of condemned packs" : "a list of lost chunks";
  if (auto begun = read_magic(reader, letters_of(kind), what); !begun)
    return std::unexpected(begun.error());
  reader.zeros(2);
  std::vector<model::ChunkId> ids(reader.count(32));
  for (model::ChunkId& id : ids) id.bytes = reader.array<32>();
  if (!reader.done() || std::ranges::adjacent_find(ids, std::greater_equal{}) != ids.end())
    return base::fail(base::ErrorKind::kCorrupt, "is not " + std::string(what) + " as written");
  return ids;
}

}  // namespace format
