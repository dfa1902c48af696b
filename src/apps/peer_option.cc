#include "apps/peer_option.h"

#include "base/text.h"
#include "ports/port_query.h"

namespace apps {

base::Result<std::optional<ports::PeerFilter>> parse_peer(const std::string& text) {
  if (text.empty()) return std::optional<ports::PeerFilter>{};
  if (const auto address = model::parse_ip_address(text)) {
    return ports::PeerFilter{address->unmapped(), 0};
  }
  const auto query = ports::parse_port_query(text);
  if (!query) return std::unexpected(query.error());
  if (!query->address || query->ports.size() != 1 || !query->ports.front().single()) {
    return base::fail(base::ErrorKind::kUsage,
                      "cannot read the peer \"" + base::escape_for_terminal(text) +
                          "\"; write ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT");
  }
  return ports::PeerFilter{query->address->unmapped(), query->ports.front().first};
}

}  // namespace apps
