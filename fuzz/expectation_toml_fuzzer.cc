// Expectations: any bytes give expectations that can be written and read back, or an error that
// names a line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/expectation_toml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto found = format::parse_expectations(text);
  if (!found) {
    if (!found.error().message.starts_with("line ")) abort();
    return 0;
  }
  for (const auto& one : *found) {
    if (one.protocols.empty() || one.ports.empty() || one.scopes.empty()) abort();
    const auto again = format::parse_expectations(format::write_expectation(one));
    if (!again || again->size() != 1 || !model::same_meaning(again->front(), one)) abort();
  }
  return 0;
}
