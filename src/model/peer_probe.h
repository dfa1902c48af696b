// PeerProbe: what came of trying to connect to a host by TCP. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"

namespace model {

enum class ProbeOutcome : uint8_t {
  kOpen,             ///< somebody accepts connections there
  kRefused,          ///< a reset: the host is there, and nobody listens (or a filter says so)
  kPortUnreachable,  ///< ICMP says so: nobody listens there, or a filter rejects
  kProhibited,       ///< ICMP: administratively prohibited
  kHostUnreachable,  ///< ICMP: a router, or this machine, does not reach the host
  kNetUnreachable,   ///< ICMP: there is no way into its network
  kNoRoute,          ///< this machine has no route there; nothing was sent
  kForbidden,        ///< this machine does not let us connect
  kNoAnswer,         ///< nothing came back in time
  kFailed,           ///< something else; `error_number` tells
};
std::string_view probe_outcome_name(ProbeOutcome outcome);  ///< JSON word: "open", "refused", ...

struct Probe {
  Endpoint to;
  ProbeOutcome outcome = ProbeOutcome::kFailed;
  int error_number = 0;
  std::optional<IpAddress> said_by;  ///< who sent the ICMP message
  uint32_t waited_ms = 0;
};

/// One host, by name or address.
struct PeerProbe {
  std::string host;
  std::vector<Probe> probes;  ///< of each port, each address
  std::string unresolved;     ///< why the name has no address; "" = it has
};

}  // namespace model
