// Key slots: whatever is taken is written again as the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/blake3.h"
#include "format/key_slot.h"

namespace {

void look(std::string_view bytes) {
  const auto slot = format::decode_key_slot(bytes);
  if (slot && format::encode_key_slot(*slot) != bytes) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  look(bytes);
  // No fuzzer finds a hash that fits.
  std::string hashed(bytes.substr(0, 192));
  hashed.resize(192);
  hashed += base::as_text(base::blake3(hashed));
  look(hashed);
  return 0;
}
