// Lists of ids: whatever is taken comes back as it was.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/id_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto kind : {format::IdListKind::kCondemned, format::IdListKind::kLost}) {
    const auto ids = format::decode_id_list(kind, bytes);
    if (ids && format::encode_id_list(kind, *ids) != bytes) abort();
  }
  return 0;
}
