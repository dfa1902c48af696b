// /proc/PID/cgroup: whatever is named must stand in the text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/cgroup_path.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const model::Placement placement = format::parse_cgroup(text);
  for (const auto* name :
       {&placement.cgroup, &placement.unit, &placement.user_unit, &placement.container_unit}) {
    if (text.find(*name) == std::string_view::npos) abort();
  }
  if (placement.container_runtime != "" && placement.container == "") abort();
  if (placement.user_unit != "" && !placement.unit.starts_with("user@")) abort();
  return 0;
}
