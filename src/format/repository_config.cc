#include "format/repository_config.h"

#include <bit>

#include "format/byte_stream.h"
#include "format/repository_magic.h"

// config = "TWINCONF" version:u16 0:u16 chunker:u32(1) repository:u8[16] created:i64
//          smallest:u32 average:u32 largest:u32 segment:u32 pack:u32 0:u32 mac:u8[32] hash:u8[32]

namespace format {
namespace {

constexpr std::string_view kLetters = "TWINCONF";
constexpr size_t kSize = 128;
constexpr size_t kMacAt = 64;
constexpr size_t kHashAt = 96;
constexpr uint32_t kFastCdc = 1;

}  // namespace

bool are_valid_sizes(const model::ChunkSizes& sizes) {
  return std::has_single_bit(sizes.average) && sizes.smallest >= 4U << 10 &&
         sizes.smallest <= sizes.average && sizes.average <= sizes.largest &&
         sizes.largest <= 8U << 20 && sizes.largest <= sizes.segment &&
         sizes.segment <= 16U << 20 && sizes.segment <= sizes.pack && sizes.pack <= 64U << 20;
}

std::string encode_config(const model::RepositoryConfig& config, const base::Key256& config_key) {
  ByteWriter writer;
  writer.raw(kLetters);
  writer.number(kRepositoryVersion);
  writer.number<uint16_t>(0);
  writer.number(kFastCdc);
  writer.bytes(config.repository);
  writer.number(config.created_s);
  for (const uint32_t size : {config.sizes.smallest, config.sizes.average, config.sizes.largest,
                              config.sizes.segment, config.sizes.pack, 0U}) {
    writer.number(size);
  }
  writer.bytes(base::blake3(config_key, writer.view()));
  writer.bytes(base::blake3(writer.view()));
  return writer.take();
}

base::Result<model::RepositoryConfig> decode_config(std::string_view bytes) {
  ByteReader reader(bytes);
  if (auto begun = read_magic(reader, kLetters, "a repository's config"); !begun)
    return std::unexpected(begun.error());
  if (bytes.size() != kSize ||
      base::as_text(base::blake3(bytes.substr(0, kHashAt))) != bytes.substr(kHashAt)) {
    return base::fail(base::ErrorKind::kCorrupt, "is damaged: its checksum does not fit");
  }
  model::RepositoryConfig config;
  reader.zeros(2);
  const auto chunker = reader.number<uint32_t>();
  config.repository = reader.array<16>();
  config.created_s = reader.number<int64_t>();
  for (uint32_t* size : {&config.sizes.smallest, &config.sizes.average, &config.sizes.largest,
                         &config.sizes.segment, &config.sizes.pack}) {
    *size = reader.number<uint32_t>();
  }
  reader.zeros(4);
  if (!reader.ok() || chunker != kFastCdc || !are_valid_sizes(config.sizes))
    return base::fail(base::ErrorKind::kCorrupt, "has sizes or a chunker that no Twinport writes");
  return config;
}

bool is_genuine_config(std::string_view bytes, const base::Key256& config_key) {
  return bytes.size() == kSize &&
         base::as_text(base::blake3(config_key, bytes.substr(0, kMacAt))) ==
             bytes.substr(kMacAt, kHashAt - kMacAt);
}

}  // namespace format
