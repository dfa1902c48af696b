// Twinport's own ports, spelled once.
#pragma once

#include <cstdint>

#include "model/port.h"

namespace model {

inline constexpr uint16_t kControlPort = 1743;
inline constexpr uint16_t kDataPort = 1744;
/// Where the data channel goes when kDataPort is taken or blocked.
inline constexpr PortRange kFallbackPorts{1745, 1844};
inline constexpr PortRange kFallbackPortsWindowsProfile{1745, 1749};

}  // namespace model
