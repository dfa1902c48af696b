#include "model/expectation.h"

#include <algorithm>
#include <tuple>

namespace model {

bool Scope::covers(const IpAddress& address) const {
  const IpAddress plain = address.unmapped();
  switch (kind) {
    case ScopeKind::kAny:
      return true;
    case ScopeKind::kLoopback:
      return plain.is_loopback();
    case ScopeKind::kNetwork:
      break;
  }
  if (plain.is_loopback()) return true;
  if (plain.family != network.family) return false;
  const size_t whole = bits / 8U;
  if (!std::equal(network.bytes.begin(), network.bytes.begin() + static_cast<ptrdiff_t>(whole),
                  plain.bytes.begin())) {
    return false;
  }
  if (bits % 8 == 0) return true;
  const unsigned shift = 8U - bits % 8U;
  return network.bytes[whole] >> shift == plain.bytes[whole] >> shift;
}

bool Expectation::covers(Protocol protocol, uint16_t port) const {
  return std::ranges::find(protocols, protocol) != protocols.end() &&
         std::ranges::any_of(ports, [port](PortRange range) { return range.contains(port); });
}

bool same_meaning(const Expectation& left, const Expectation& right) {
  const auto meaning = [](const Expectation& one) {
    return std::tie(one.outgoing, one.protocols, one.ports, one.scopes, one.holder, one.presence,
                    one.published, one.netns, one.why, one.owner);
  };
  return meaning(left) == meaning(right);
}

std::string to_string(const Scope& scope) {
  switch (scope.kind) {
    case ScopeKind::kLoopback:
      return "loopback";
    case ScopeKind::kAny:
      return "any";
    case ScopeKind::kNetwork:
      break;
  }
  return to_string(scope.network) + "/" + std::to_string(scope.bits);
}

}  // namespace model
