// Packs: whatever is taken is written again as the same bytes. The input is a header, a byte that
// says how many segments the trailer is to claim, and a directory.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/blake3.h"
#include "format/byte_stream.h"
#include "format/pack.h"

namespace {

/// A pack whose segments take what the directory says, if it says it.
void look(std::string_view header, std::string_view end, uint64_t pack_size) {
  const auto segments = format::decode_pack_end(header, end, pack_size);
  if (!segments) return;
  uint64_t at = format::kPackHeaderSize;
  for (const model::SegmentEntry& segment : *segments) {
    if (segment.offset != at || segment.chunks.empty()) abort();
    at += segment.stored;
    static_cast<void>(format::segment_binding(header, segment));
  }
  if (at + end.size() != pack_size) abort();
  if (format::encode_pack_end(header, *segments) != end) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto header = format::decode_pack_header(bytes)) {
    if (format::encode_pack_header(*header) != bytes) abort();
  }
  if (size > 1 + format::kPackHeaderSize) {
    const std::string_view header = bytes.substr(0, format::kPackHeaderSize);
    if (const auto decoded = format::decode_pack_header(header)) {
      if (format::encode_pack_header(*decoded) != header) abort();
    }
    const std::string_view directory = bytes.substr(format::kPackHeaderSize + 1);
    format::ByteWriter writer;
    writer.raw(directory);
    writer.number(static_cast<uint32_t>(data[format::kPackHeaderSize]));
    writer.number(static_cast<uint32_t>(directory.size()));
    writer.bytes(base::Blake3().update(header).update(directory).finish());
    writer.raw("KCAPNIWT");
    // What the first segment claims, and no more: most directories have one.
    format::ByteReader reader(directory);
    const uint64_t stored = reader.number<uint32_t>();
    look(header, writer.view(), format::kPackHeaderSize + stored + writer.view().size());
    look(header, writer.view(), format::kPackHeaderSize + writer.view().size());
  }
  static_cast<void>(format::decode_directory_size(bytes));
  look("", bytes, size);
  return 0;
}
