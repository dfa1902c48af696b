#include "apps/use_hints.h"

#include <algorithm>

#include "base/text.h"

namespace apps {
namespace {

uint64_t listener_key(const model::Socket& socket) {
  return uint64_t{socket.netns} << 32U | static_cast<uint64_t>(socket.protocol) << 16U |
         socket.local.port;
}

}  // namespace

UseHints::UseHints(const model::Inventory& inventory, const ports::Registry& registry,
                   const ports::KnownUses& known_uses)
    : inventory_(inventory), registry_(registry), known_uses_(known_uses) {
  for (const model::Socket& socket : inventory.sockets) {
    if (socket.is_listener()) listeners_.insert(listener_key(socket));
  }
}

bool UseHints::hands_out(uint32_t netns, uint16_t port) const {
  const model::NetNamespace* found = inventory_.find_namespace(netns);
  return (found != nullptr ? found->policy : model::PortPolicy{}).hands_out(port);
}

uint16_t UseHints::service_port(const model::Socket& socket) const {
  if (socket.protocol == model::Protocol::kRaw) return 0;
  if (socket.remote.port == 0 || listeners_.contains(listener_key(socket)) ||
      !hands_out(socket.netns, socket.local.port)) {
    return socket.local.port;
  }
  return hands_out(socket.netns, socket.remote.port) ? uint16_t{0} : socket.remote.port;
}

const UseHints::Known& UseHints::known(uint16_t port, model::Protocol protocol) {
  const uint32_t key = static_cast<uint32_t>(protocol) << 16U | port;
  const auto [found, added] = known_.try_emplace(key);
  if (added) {
    found->second.uses = known_uses_.find(port, protocol);
    for (const model::RegistryEntry& entry : registry_.find(port, protocol)) {
      if (entry.service.empty()) continue;
      found->second.registered_name = base::escape_for_terminal(entry.service) + "?";
      break;
    }
  }
  return found->second;
}

std::string UseHints::of(const model::Socket& socket) {
  const uint16_t port = service_port(socket);
  if (port == 0) return {};
  const Known& what = known(port, socket.protocol);
  if (port == socket.local.port) {
    for (const model::KnownUse* use : what.uses) {
      for (const model::Owner& owner : inventory_.owners_of(socket)) {
        if (ports::is_usual_holder(*use, inventory_.processes[owner.process])) {
          return base::escape_for_terminal(use->software);
        }
      }
    }
    if (hands_out(socket.netns, port)) return {};
  }
  return what.registered_name;
}

}  // namespace apps
