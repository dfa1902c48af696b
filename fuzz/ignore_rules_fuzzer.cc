// Rules and a path, the path behind the last line break: an answer, soon, and the same one again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/ignore_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t last = bytes.rfind('\n');
  if (last == std::string_view::npos) return 0;
  const std::string_view lines = bytes.substr(0, last);
  const std::string_view path = bytes.substr(last + 1);
  format::IgnoreRules rules;
  if (!rules.add_lines(lines)) return 0;
  const bool file = rules.ignores(path, false);
  // Rules over again change nothing, and a last one that takes everything decides.
  if (rules.add_lines(lines) && rules.ignores(path, false) != file) abort();
  if (!path.empty() && rules.add("/**") && !rules.ignores(path, true)) abort();
  return 0;
}
