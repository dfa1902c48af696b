// PortQuery: a port as a person types or pastes it. A pure parser; nothing is looked up on the
// network, and host names are not resolved.
//
//   query   = URL | word { blank word }            words in any order, punctuation around them
//   taken word    = PORT | PORT "-" PORT | PORT "/" PROTO | PROTO "/" PORT | [ADDR] ":" PORT
//           | PROTO | "port" | NAME | KEY "=" VALUE
//
// Of several numbers the one that is marked as a port is taken: a packet's destination (DPT=), then
// ADDRESS:PORT, N/tcp and "port N", then its source (SPT=), then a bare number; of equals the
// first. The rest is named in `ignored`. So "56744 TCP 2024" is port 56744 of TCP, and a line of
// lsof, ss, netstat or a log is read by its port, not by its pid or date.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/address.h"
#include "model/port.h"
#include "ports/known_uses.h"
#include "ports/registry.h"

namespace ports {

struct PortQuery {
  std::string asked;                    ///< as typed, blanks trimmed; raw: escape before printing
  std::vector<model::PortRange> ports;  ///< one; several where a name has several
  std::optional<model::Protocol> protocol;
  std::optional<model::IpAddress> address;  ///< never "any", which restricts nothing
  std::string name;                  ///< the service asked for by name, lower case; "" = by number
  std::vector<std::string> ignored;  ///< words that were passed over

  [[nodiscard]] bool covers(uint16_t port) const;
};

/// Takes the text apart. A service name stays in `name` with `ports` empty.
base::Result<PortQuery> parse_port_query(std::string_view text);

/// The same, and a service name is looked up: the registry's exact names first, then the known
/// uses' service names and the first words of their software. An unknown name is kUsage and
/// suggests what is near.
base::Result<PortQuery> find_port(std::string_view text, const Registry& registry,
                                  const KnownUses& known_uses);

/// The same for a text that may ask for several: "22 80", "22,80", "ssh https". Each word must be a
/// port by itself, and all of one transport and address; else the text asks for one.
base::Result<PortQuery> find_ports(std::string_view text, const Registry& registry,
                                   const KnownUses& known_uses);

}  // namespace ports
