// The known-uses table: any bytes give uses within their limits, or an error that names a line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/known_uses_toml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = format::parse_known_uses(text);
  if (!file) {
    if (!file.error().message.starts_with("line ")) abort();
    return 0;
  }
  if (file->uses.empty() || file->uses.size() != file->lines.size()) abort();
  for (const auto& use : file->uses) {
    if (use.ports.empty() || use.protocols.empty() || use.software.empty() ||
        use.software.size() > 60 || use.summary.size() > 200 || use.source.empty()) {
      abort();
    }
    for (const auto& range : use.ports) {
      if (range.first > range.last) abort();
    }
  }
  return 0;
}
