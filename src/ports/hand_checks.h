// How to check a port by hand, with the port filled in: commands that ship with each system.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/port.h"

namespace ports {

struct HandCheck {
  std::string system;   ///< "Linux", "macOS", "Windows"
  std::string purpose;  ///< "who listens"
  std::string command;  ///< for a POSIX shell, or for PowerShell on Windows
};

/// Nothing for port 0, which cannot be open. `pids_elsewhere`: one process of each other network
/// namespace to look into, which commands of this one do not see.
std::vector<HandCheck> hand_checks(model::PortRange ports, std::optional<model::Protocol> protocol,
                                   std::span<const int32_t> pids_elsewhere = {});

}  // namespace ports
