// explain_range: several ports at once, compact: who listens in them, who they are registered to,
// what really uses them. A pure function, as ports/explain.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ports/explain.h"

namespace ports {

/// One port of the range on which somebody waits for callers, or that is taken without that.
struct HeldPort {
  uint16_t port = 0;
  std::vector<Hold> holds;
  std::vector<model::PublishedPort> published;
  Assessment assessment;

  /// Else it is only bound, which keeps others off it.
  [[nodiscard]] bool is_open() const;
};

/// Views inside it live as long as the registry and the known uses they came from.
struct RangeExplanation {
  std::vector<model::PortRange> ports;  ///< sorted, apart from each other
  std::optional<model::Protocol> protocol;
  std::string understood;
  std::string headline;
  std::vector<HeldPort> held;                  ///< by port
  uint32_t size = 0;                           ///< ports meant
  uint32_t system = 0, user = 0, dynamic = 0;  ///< of them, by RFC 6335
  uint32_t ephemeral = 0;                      ///< of them, lent by this kernel to connections
  uint32_t registered = 0;                     ///< of them, with a service name at IANA
  uint32_t ghosts = 0;                         ///< of them, registered to a ghost only
  std::vector<Registration> registrations;     ///< by port
  std::vector<const model::KnownUse*> uses;    ///< that touch the range, in the table's order
  std::vector<HandCheck> checks;
  model::CollectorReport report;
  std::vector<std::string> gaps;
  bool everything_seen = true;  ///< else ports that seem free may be held all the same

  [[nodiscard]] bool needs_attention() const;
};

/// Sorted, and apart from each other.
std::vector<model::PortRange> merge_ranges(std::vector<model::PortRange> ranges);

/// `input.entries`: registry rows that touch the ports, in order of port.
RangeExplanation explain_range(const PortQuery& query, const ExplainInput& input);

}  // namespace ports
