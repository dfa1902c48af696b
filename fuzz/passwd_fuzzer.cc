// /etc/passwd: names are not empty, hold no separator and stand in the text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/passwd.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& entry : format::parse_passwd(text)) {
    if (entry.name.empty() || entry.name.find_first_of(":\n") != std::string_view::npos) abort();
    if (entry.name.data() < text.data() ||
        entry.name.data() + entry.name.size() > text.data() + text.size()) {
      abort();
    }
  }
  return 0;
}
