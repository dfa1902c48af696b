// Fallback: which ports the data channel could take when 1744 cannot be bound, and why it would
// pass over the others. Pure.
//
// Passed over is a port that software of this system really uses by itself (the known uses), that
// the host's own expectations give to others, or that was reserved for others
// (ip_local_reserved_ports). A bare registration does not count, nor does software that takes any
// port of a range: of 1745-1844 all but 1783 are registered to somebody.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/bind_trial.h"
#include "model/inventory.h"
#include "ports/known_uses.h"
#include "ports/verdict.h"

namespace ports {

enum class PassedOver : uint8_t {
  kTaken,      ///< it cannot be bound
  kForwarded,  ///< the packet filter sends its callers elsewhere
  kUsed,       ///< others really use it
  kExpected,   ///< the host's expectations give it to others
  kReserved,   ///< ip_local_reserved_ports has it, and not 1744 with it
};
std::string_view passed_over_name(PassedOver kind);  ///< JSON word

struct PassedOverPort {
  uint16_t port = 0;
  PassedOver kind = PassedOver::kTaken;
  std::string why;  ///< "FreeRADIUS", "webd (pid 700)", ...; raw
};

struct Fallback {
  model::PortRange range;
  std::vector<uint16_t> free;
  std::vector<PassedOverPort> passed_over;
  [[nodiscard]] std::optional<uint16_t> first() const {
    return free.empty() ? std::nullopt : std::optional(free.front());
  }
};

/// `trials` hold all of each port of the range.
Fallback find_fallback(model::PortRange range, std::span<const model::BindTrial> trials,
                       const model::Inventory& inventory, const model::PortPolicy& policy,
                       const KnownUses& known_uses, const Judge& judge);

}  // namespace ports
