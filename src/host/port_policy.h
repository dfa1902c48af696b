// Reads the kernel's port sysctls of the network namespace that the calling thread is in.
#pragma once

#include "model/inventory.h"

namespace host {

/// ip_local_port_range, ip_local_reserved_ports, ip_unprivileged_port_start. `known` is false, and
/// the values are Linux's defaults, when they cannot be read.
model::PortPolicy read_port_policy();

}  // namespace host
