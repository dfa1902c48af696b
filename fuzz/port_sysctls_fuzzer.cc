// The port sysctls: ranges are ascending, reserved ports sorted.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/port_sysctls.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto range = format::decode_local_port_range(text)) {
    if (range->first > range->last) abort();
  }
  if (const auto reserved = format::decode_reserved_ports(text)) {
    if (!std::ranges::is_sorted(*reserved, {}, &model::PortRange::first)) abort();
    for (const auto& range : *reserved) {
      if (range.first > range.last) abort();
    }
  }
  (void)format::decode_port_number(text);
  return 0;
}
