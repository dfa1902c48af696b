// The text of the kernel's port sysctls (Documentation/networking/ip-sysctl.rst).
//
//   ip_local_port_range     = number blanks number          first and last, inclusive
//   ip_local_reserved_ports = "" | item *("," item)         item = number [ "-" number ]
//   ip_unprivileged_port_start = number
// each with a line break at its end.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/port.h"

namespace format {

/// Nothing for anything that is not two ports in ascending order.
std::optional<model::PortRange> decode_local_port_range(std::string_view text);

/// In ascending order, as the kernel prints them; nothing when any item is no port range.
std::optional<std::vector<model::PortRange>> decode_reserved_ports(std::string_view text);

/// 0 to 65535.
std::optional<uint16_t> decode_port_number(std::string_view text);

}  // namespace format
