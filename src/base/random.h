// Random bytes from the kernel, for keys, salts and ids.
#pragma once

#include <cstdint>
#include <span>

namespace base {

/// Fills `out`. Aborts where the kernel has none to give: nothing secret could be made.
void fill_random(std::span<uint8_t> out);

}  // namespace base
