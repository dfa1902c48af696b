// A repository's config: whatever is taken is genuine to a key that makes it so, and comes back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/repository_config.h"

namespace {

void look(std::string_view bytes) {
  const auto config = format::decode_config(bytes);
  if (!config) return;
  if (!format::are_valid_sizes(config->sizes)) abort();
  constexpr base::Key256 kKey{};
  const std::string again = format::encode_config(*config, kKey);
  if (again.substr(0, 64) != bytes.substr(0, 64) || !format::is_genuine_config(again, kKey))
    abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  look(bytes);
  // No fuzzer finds a hash that fits.
  std::string hashed(bytes.substr(0, 96));
  hashed.resize(96);
  hashed += base::as_text(base::blake3(hashed));
  look(hashed);
  return 0;
}
