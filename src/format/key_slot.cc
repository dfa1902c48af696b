#include "format/key_slot.h"

#include "base/blake3.h"
#include "base/text.h"
#include "format/byte_stream.h"
#include "format/repository_magic.h"

// slot = "TWINKEYS" version:u16 kind:u8 label length:u8 memory KiB:u32 repository:u8[16]
//        created:i64 passes:u32 0:u32 salt:u8[32] label:u8[64] sealed:u8[48] hash:u8[32]

namespace format {
namespace {

constexpr std::string_view kLetters = "TWINKEYS";
constexpr size_t kHashAt = 192;
// More would make us eat the machine's memory or its day, on the word of whoever wrote the slot.
constexpr uint32_t kMemoryKibMost = 4U << 20;
constexpr uint32_t kPassesMost = 1000;

bool is_plausible(const model::KeySlot& slot) {
  if (slot.kind == model::SlotKind::kKeyFile) return slot.memory_kib == 0 && slot.passes == 0;
  return slot.kind == model::SlotKind::kPassphrase && slot.memory_kib >= 8 &&
         slot.memory_kib <= kMemoryKibMost && slot.passes >= 1 && slot.passes <= kPassesMost;
}

}  // namespace

std::string key_slot_binding(const model::KeySlot& slot) {
  ByteWriter writer;
  writer.raw(kLetters);
  writer.number(kRepositoryVersion);
  writer.number(static_cast<uint8_t>(slot.kind));
  const std::string_view label = std::string_view(slot.label).substr(0, kLabelLongest);
  writer.number(static_cast<uint8_t>(label.size()));
  writer.number(slot.memory_kib);
  writer.bytes(slot.repository);
  writer.number(slot.created_s);
  writer.number(slot.passes);
  writer.number<uint32_t>(0);
  writer.bytes(slot.salt);
  writer.raw(label);
  writer.raw(std::string(kLabelLongest - label.size(), '\0'));
  return writer.take();
}

std::string encode_key_slot(const model::KeySlot& slot) {
  ByteWriter writer;
  writer.raw(key_slot_binding(slot));
  writer.bytes(slot.sealed_key);
  writer.bytes(base::blake3(writer.view()));
  return writer.take();
}

base::Result<model::KeySlot> decode_key_slot(std::string_view bytes) {
  ByteReader reader(bytes);
  if (auto begun = read_magic(reader, kLetters, "a key slot"); !begun)
    return std::unexpected(begun.error());
  model::KeySlot slot;
  slot.kind = static_cast<model::SlotKind>(reader.number<uint8_t>());
  const auto label_size = reader.number<uint8_t>();
  slot.memory_kib = reader.number<uint32_t>();
  slot.repository = reader.array<16>();
  slot.created_s = reader.number<int64_t>();
  slot.passes = reader.number<uint32_t>();
  reader.zeros(4);
  slot.salt = reader.array<32>();
  slot.label = reader.raw(std::min<size_t>(label_size, kLabelLongest));
  if (label_size > kLabelLongest) reader.fail();
  reader.zeros(kLabelLongest - slot.label.size());
  slot.sealed_key = reader.array<48>();
  const std::string_view hash = reader.raw(32);
  if (!reader.done() || !is_plausible(slot) || !base::is_valid_utf8(slot.label) ||
      base::as_text(base::blake3(bytes.substr(0, kHashAt))) != hash) {
    return base::fail(base::ErrorKind::kCorrupt, "is a damaged key slot");
  }
  return slot;
}

}  // namespace format
