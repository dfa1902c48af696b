#include "format/pack.h"

#include "base/blake3.h"
#include "format/byte_stream.h"
#include "format/repository_magic.h"

// pack      = header segment* directory trailer
// header    = "TWINPACK" version:u16 kind:u8 0:u8[5] repository:u8[16] salt:u8[32]
// directory = entry*
// entry     = stored:u32 counter:u64 hash:u8[32] table
// table     = encoding:u8 chunks:u16 chunk*
// chunk     = id:u8[32] references:u32 id:u8[32]*
// trailer   = segments:u32 directory size:u32 hash:u8[32] "KCAPNIWT"

namespace format {
namespace {

constexpr std::string_view kLetters = "TWINPACK";
constexpr std::string_view kEndLetters = "KCAPNIWT";
constexpr size_t kBoundHeader = 32;  ///< of the header; the salt behind it makes the key
constexpr size_t kEntryLeast = 4 + 8 + 32 + 1 + 2 + 32 + 4;

void write_table(ByteWriter& writer, const model::SegmentEntry& segment) {
  writer.number(static_cast<uint8_t>(segment.encoding));
  writer.number(static_cast<uint16_t>(segment.chunks.size()));
  for (const model::PackedChunk& chunk : segment.chunks) {
    writer.bytes(chunk.id.bytes);
    writer.number(static_cast<uint32_t>(chunk.references.size()));
    for (const model::ChunkId& reference : chunk.references) writer.bytes(reference.bytes);
  }
}

void read_table(ByteReader& reader, model::SegmentEntry& segment) {
  const auto encoding = reader.number<uint8_t>();
  if (encoding > static_cast<uint8_t>(model::SegmentEncoding::kZstd)) reader.fail();
  segment.encoding = static_cast<model::SegmentEncoding>(encoding);
  const auto chunks = reader.number<uint16_t>();
  if (chunks == 0) reader.fail();
  for (size_t i = 0; i < chunks && reader.ok(); ++i) {
    model::PackedChunk& chunk = segment.chunks.emplace_back();
    chunk.id.bytes = reader.array<32>();
    const size_t references = reader.count(32);
    if (references > kChunkReferencesMost) reader.fail();
    for (size_t j = 0; j < references && reader.ok(); ++j)
      chunk.references.push_back({reader.array<32>()});
  }
}

std::unexpected<base::Error> damaged(const char* what) {
  return base::fail(base::ErrorKind::kCorrupt, std::string("is a damaged pack: ") + what);
}

}  // namespace

std::string encode_pack_header(const model::PackHeader& header) {
  ByteWriter writer;
  writer.raw(kLetters);
  writer.number(kRepositoryVersion);
  writer.number(static_cast<uint8_t>(header.kind));
  writer.raw(std::string_view("\0\0\0\0\0", 5));
  writer.bytes(header.repository);
  writer.bytes(header.salt);
  return writer.take();
}

base::Result<model::PackHeader> decode_pack_header(std::string_view bytes) {
  ByteReader reader(bytes);
  if (auto begun = read_magic(reader, kLetters, "a pack"); !begun)
    return std::unexpected(begun.error());
  model::PackHeader header;
  const auto kind = reader.number<uint8_t>();
  header.kind = static_cast<model::ChunkKind>(kind);
  reader.zeros(5);
  header.repository = reader.array<16>();
  header.salt = reader.array<32>();
  if (!reader.done() || kind < 1 || kind > 2) return damaged("its header is not as written");
  return header;
}

std::string encode_pack_end(std::string_view header,
                            const std::vector<model::SegmentEntry>& segments) {
  ByteWriter writer;
  for (const model::SegmentEntry& segment : segments) {
    writer.number(segment.stored);
    writer.number(segment.counter);
    writer.bytes(segment.hash);
    write_table(writer, segment);
  }
  const auto directory_size = static_cast<uint32_t>(writer.view().size());
  const base::Hash256 hash = base::Blake3().update(header).update(writer.view()).finish();
  writer.number(static_cast<uint32_t>(segments.size()));
  writer.number(directory_size);
  writer.bytes(hash);
  writer.raw(kEndLetters);
  return writer.take();
}

base::Result<uint32_t> decode_directory_size(std::string_view trailer) {
  ByteReader reader(trailer);
  static_cast<void>(reader.number<uint32_t>());
  const auto size = reader.number<uint32_t>();
  static_cast<void>(reader.raw(32));
  if (reader.raw(kEndLetters.size()) != kEndLetters || !reader.done())
    return damaged("it does not end like one");
  return size;
}

base::Result<std::vector<model::SegmentEntry>> decode_pack_end(std::string_view header,
                                                               std::string_view end,
                                                               uint64_t pack_size) {
  if (end.size() < kPackTrailerSize) return damaged("it is too short");
  const std::string_view directory = end.substr(0, end.size() - kPackTrailerSize);
  ByteReader trailer(end.substr(directory.size()));
  const auto count = trailer.number<uint32_t>();
  const auto size = trailer.number<uint32_t>();
  const std::string_view hash = trailer.raw(32);
  const auto misfit = [] { return damaged("its directory does not fit what is in it"); };
  if (trailer.raw(kEndLetters.size()) != kEndLetters || size != directory.size() ||
      count > directory.size() / kEntryLeast ||
      base::as_text(base::Blake3().update(header).update(directory).finish()) != hash) {
    return damaged("its directory is not as written");
  }
  ByteReader reader(directory);
  std::vector<model::SegmentEntry> segments(count);
  uint64_t offset = kPackHeaderSize;
  for (model::SegmentEntry& segment : segments) {
    segment.stored = reader.number<uint32_t>();
    segment.counter = reader.number<uint64_t>();
    segment.hash = reader.array<32>();
    read_table(reader, segment);
    if (!reader.ok() || offset + segment.stored + end.size() > pack_size) return misfit();
    segment.offset = static_cast<uint32_t>(offset);
    offset += segment.stored;
  }
  if (!reader.done() || offset + end.size() != pack_size) return misfit();
  return segments;
}

std::string segment_binding(std::string_view header, const model::SegmentEntry& segment) {
  ByteWriter writer;
  writer.raw(header.substr(0, kBoundHeader));
  write_table(writer, segment);
  return writer.take();
}

}  // namespace format
