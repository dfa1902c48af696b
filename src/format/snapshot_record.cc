#include "format/snapshot_record.h"

#include "format/byte_stream.h"
#include "format/repository_magic.h"

// snapshot = clear sealed
// clear    = "TWINSNAP" version:u16 0:u8[6] repository:u8[16] created:i64 source:u8[16] salt:u8[32]
//            references:u32(1) id:u8[32]
// payload  = 1:u8 host user program started finished tags:varint tag* files directories others data
//            added incomplete

namespace format {
namespace {

constexpr std::string_view kLetters = "TWINSNAP";
constexpr size_t kTextLongest = 4096;
constexpr uint8_t kPayloadVersion = 1;

void write_time(ByteWriter& writer, const model::Timestamp& time) {
  writer.zigzag(time.seconds);
  writer.varint(time.nanoseconds);
}

model::Timestamp read_time(ByteReader& reader) {
  const int64_t seconds = reader.zigzag();
  return {.seconds = seconds, .nanoseconds = reader.varint_up_to<uint32_t>(999'999'999)};
}

}  // namespace

std::string encode_snapshot_clear(const model::Snapshot& snapshot, const model::Salt& salt) {
  ByteWriter writer;
  writer.raw(kLetters);
  writer.number(kRepositoryVersion);
  writer.raw(std::string_view("\0\0\0\0\0\0", 6));
  writer.bytes(snapshot.repository);
  writer.number(snapshot.created_s);
  writer.bytes(snapshot.source);
  writer.bytes(salt);
  writer.number<uint32_t>(1);
  writer.bytes(snapshot.roots.bytes);
  return writer.take();
}

std::string encode_snapshot_payload(const model::Snapshot& snapshot) {
  ByteWriter writer;
  writer.number(kPayloadVersion);
  for (const std::string* text : {&snapshot.host, &snapshot.user, &snapshot.program})
    writer.short_text(std::string_view(*text).substr(0, kTextLongest));
  write_time(writer, snapshot.started);
  write_time(writer, snapshot.finished);
  writer.varint(snapshot.tags.size());
  for (const std::string& tag : snapshot.tags)
    writer.short_text(std::string_view(tag).substr(0, kTextLongest));
  for (const uint64_t count : {snapshot.files, snapshot.directories, snapshot.others,
                               snapshot.data_bytes, snapshot.added_bytes, snapshot.incomplete}) {
    writer.varint(count);
  }
  return writer.take();
}

base::Result<SnapshotParts> decode_snapshot_clear(std::string_view bytes) {
  ByteReader reader(bytes);
  if (auto begun = read_magic(reader, kLetters, "a snapshot"); !begun)
    return std::unexpected(begun.error());
  SnapshotParts parts;
  reader.zeros(6);
  parts.clear.repository = reader.array<16>();
  parts.clear.created_s = reader.number<int64_t>();
  parts.clear.source = reader.array<16>();
  parts.salt = reader.array<32>();
  const auto references = reader.number<uint32_t>();
  parts.clear.roots.bytes = reader.array<32>();
  if (!reader.ok() || references != 1 || bytes.size() > kSnapshotLargest)
    return base::fail(base::ErrorKind::kCorrupt, "is a damaged snapshot");
  parts.binding = bytes.substr(0, bytes.size() - reader.left());
  parts.sealed = bytes.substr(parts.binding.size());
  return parts;
}

base::Result<void> decode_snapshot_payload(std::string_view payload, model::Snapshot& snapshot) {
  ByteReader reader(payload);
  const auto version = reader.number<uint8_t>();
  for (std::string* text : {&snapshot.host, &snapshot.user, &snapshot.program})
    *text = reader.short_text(kTextLongest);
  snapshot.started = read_time(reader);
  snapshot.finished = read_time(reader);
  const size_t tags = reader.varint_count(1);
  snapshot.tags.clear();
  for (size_t i = 0; i < tags && reader.ok(); ++i)
    snapshot.tags.emplace_back(reader.short_text(kTextLongest));
  for (uint64_t* count : {&snapshot.files, &snapshot.directories, &snapshot.others,
                          &snapshot.data_bytes, &snapshot.added_bytes, &snapshot.incomplete}) {
    *count = reader.varint();
  }
  if (!reader.done() || version != kPayloadVersion)
    return base::fail(base::ErrorKind::kCorrupt, "is a snapshot whose content is not as written");
  return {};
}

}  // namespace format
