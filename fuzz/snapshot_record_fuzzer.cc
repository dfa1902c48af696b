// Snapshots: what stands in clear, and what was sealed. Whatever is taken comes back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/snapshot_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto parts = format::decode_snapshot_clear(bytes)) {
    if (std::string(parts->binding) + std::string(parts->sealed) != bytes) abort();
    if (format::encode_snapshot_clear(parts->clear, parts->salt) != parts->binding) abort();
  }
  model::Snapshot snapshot;
  if (format::decode_snapshot_payload(bytes, snapshot)) {
    model::Snapshot again;
    if (!format::decode_snapshot_payload(format::encode_snapshot_payload(snapshot), again)) abort();
    if (again != snapshot) abort();
  }
  return 0;
}
