#include "ports/holds.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "ports/words.h"

namespace ports {
namespace {

using model::Family;
using model::Holding;
using model::Inventory;
using model::IpAddress;
using model::Protocol;
using model::Socket;
using model::SocketState;

// Whether a socket with this local address receives what is sent to `wanted`.
bool receives(const Socket& socket, const IpAddress& wanted) {
  const IpAddress local = socket.local.address.unmapped();
  if (local == wanted) return true;
  if (!local.is_any()) return false;
  if (local.family == wanted.family) return true;
  return local.family == Family::kIpv6 && socket.v6only != true;
}

// TCP, with a port and no peer, and not listening: it keeps others off the port.
bool is_bound_only(const Socket& socket) {
  return socket.remote.port == 0 &&
         (socket.state == SocketState::kClose || socket.state == SocketState::kBoundInactive);
}

enum class Side : uint8_t { kNone, kLocal, kRemote };

Side side_of(const Socket& socket, const PortFilter& filter) {
  if (socket.protocol == Protocol::kRaw) return Side::kNone;
  if (filter.protocol && socket.protocol != *filter.protocol) return Side::kNone;
  if (filter.netns && socket.netns != *filter.netns) return Side::kNone;
  if (filter.answering_only && !socket.is_listener()) return Side::kNone;
  if (filter.without_peer && !socket.is_listener() && !is_bound_only(socket)) return Side::kNone;
  if (filter.peer && (socket.remote.address.unmapped() != filter.peer->address ||
                      (filter.peer->port != 0 && socket.remote.port != filter.peer->port))) {
    return Side::kNone;
  }
  if (socket.local.port != 0 && filter.ports.contains(socket.local.port) &&
      (!filter.address || receives(socket, *filter.address))) {
    return Side::kLocal;
  }
  if (socket.remote.port != 0 && filter.ports.contains(socket.remote.port) &&
      (!filter.address || socket.remote.address.unmapped() == *filter.address)) {
    return Side::kRemote;
  }
  return Side::kNone;
}

// (namespace, transport, port) on which somebody waits for calls.
using ListenerSet = std::set<std::tuple<uint32_t, Protocol, uint16_t>>;

HoldRole role_of(const Inventory& inventory, const Socket& socket, Side side,
                 const ListenerSet& listeners) {
  if (side == Side::kRemote) return HoldRole::kRemote;
  if (socket.is_listener()) {
    if (socket.protocol == Protocol::kTcp) return HoldRole::kListener;
    const auto* netns = inventory.find_namespace(socket.netns);
    const bool handed_out = netns != nullptr && netns->policy.hands_out(socket.local.port);
    return handed_out ? HoldRole::kUdpOpen : HoldRole::kListener;
  }
  if (is_bound_only(socket)) return HoldRole::kBound;
  const bool served = listeners.contains({socket.netns, socket.protocol, socket.local.port});
  return served ? HoldRole::kServed : HoldRole::kConnection;
}

using HoldKey =
    std::tuple<bool, uint32_t, uint16_t, HoldRole, Protocol, Holding, std::vector<uint32_t>>;

struct Gathering {
  Hold hold;
  std::set<uint32_t> processes;
  std::map<IpAddress, uint32_t, decltype([](const IpAddress& left, const IpAddress& right) {
             // "Any" is all zeros, so it comes first.
             return std::tie(left.bytes, left.family) < std::tie(right.bytes, right.family);
           })>
      addresses;
  std::map<std::string, Peer> peers;
  std::map<std::string, model::Endpoint> own_ends;
  std::map<SocketState, uint32_t> states;
  std::set<uint32_t> interfaces;
  std::set<uint32_t> creators;
};

void add_listener_facts(Hold& hold, const Socket& socket) {
  if (socket.local.address.family == Family::kIpv6 && socket.local.address.is_any() &&
      socket.v6only) {
    hold.takes_ipv4 = hold.takes_ipv4.value_or(false) || !*socket.v6only;
  }
  if (socket.state != SocketState::kListen) return;
  if (socket.receive_queue >= hold.waiting) {
    hold.waiting = socket.receive_queue;
    hold.backlog = socket.send_queue;
  }
  // The kernel drops what comes once the queue is longer than the limit (sk_acceptq_is_full).
  hold.queue_full |= socket.send_queue > 0 && socket.receive_queue > socket.send_queue;
}

void add_peer(Gathering& gathering, const Socket& socket) {
  if (socket.remote.port == 0) return;
  model::Endpoint remote{socket.remote.address.unmapped(), socket.remote.port};
  // A client's port says nothing about who it is; its address does.
  if (gathering.hold.role == HoldRole::kServed) remote.port = 0;
  Peer& peer = gathering.peers.try_emplace(model::to_string(remote), Peer{remote, 0}).first->second;
  ++peer.connections;
  if (gathering.hold.role != HoldRole::kRemote) return;
  const model::Endpoint own{socket.local.address.unmapped(), socket.local.port};
  gathering.own_ends.emplace(model::to_string(own), own);
}

void add_socket(Gathering& gathering, const Inventory& inventory, const Socket& socket) {
  Hold& hold = gathering.hold;
  ++hold.sockets;
  if (!socket.listed) ++hold.unlisted;
  for (const auto& owner : inventory.owners_of(socket)) gathering.processes.insert(owner.process);
  ++gathering.addresses[socket.local.address.unmapped()];
  ++gathering.states[socket.state == SocketState::kNewSynReceived ? SocketState::kSynReceived
                                                                  : socket.state];
  if (socket.inode != 0) gathering.creators.insert(socket.uid);
  if (socket.interface != 0) gathering.interfaces.insert(socket.interface);
  if (hold.answers()) add_listener_facts(hold, socket);
  add_peer(gathering, socket);
}

Reach reach_of(const std::vector<IpAddress>& addresses) {
  if (std::ranges::any_of(addresses, &IpAddress::is_any)) return Reach::kAll;
  return std::ranges::all_of(addresses, &IpAddress::is_loopback) ? Reach::kLoopback
                                                                 : Reach::kAddresses;
}

Hold finish(Gathering&& gathering, const Programs& programs) {
  Hold& hold = gathering.hold;
  hold.programs = programs.gather(gathering.processes);
  for (const auto& [address, count] : gathering.addresses) hold.addresses.push_back(address);
  hold.reach = reach_of(hold.addresses);
  hold.interfaces.assign(gathering.interfaces.begin(), gathering.interfaces.end());
  hold.creators.assign(gathering.creators.begin(), gathering.creators.end());
  for (const auto& [state, count] : gathering.states) hold.states.push_back({state, count});
  std::ranges::sort(hold.states, [](const StateCount& left, const StateCount& right) {
    return std::tie(right.sockets, left.state) < std::tie(left.sockets, right.state);
  });
  for (auto& [text, peer] : gathering.peers) hold.peers.push_back(peer);
  std::ranges::sort(hold.peers, [](const Peer& left, const Peer& right) {
    return std::tie(right.connections, left.remote.address.bytes, left.remote.port) <
           std::tie(left.connections, right.remote.address.bytes, right.remote.port);
  });
  hold.peers_total = static_cast<uint32_t>(hold.peers.size());
  if (hold.peers.size() > kPeersKept) hold.peers.resize(kPeersKept);
  hold.own_ends_total = static_cast<uint32_t>(gathering.own_ends.size());
  for (const auto& [text, end] : gathering.own_ends) {
    if (hold.own_ends.size() < kPeersKept) hold.own_ends.push_back(end);
  }
  return std::move(hold);
}

ListenerSet find_listeners(const Inventory& inventory, const PortFilter& filter) {
  ListenerSet out;
  for (const auto& socket : inventory.sockets) {
    if (socket.protocol == Protocol::kRaw || !socket.is_listener()) continue;
    if (!filter.ports.contains(socket.local.port)) continue;
    out.emplace(socket.netns, socket.protocol, socket.local.port);
  }
  return out;
}

std::vector<uint32_t> programs_holding(const Inventory& inventory, const Socket& socket,
                                       const Programs& programs) {
  std::vector<uint32_t> out;
  for (const auto& owner : inventory.owners_of(socket))
    out.push_back(programs.number(owner.process));
  std::ranges::sort(out);
  const auto doubles = std::ranges::unique(out);
  out.erase(doubles.begin(), doubles.end());
  return out;
}

}  // namespace

std::string_view hold_role_name(HoldRole role) {
  switch (role) {
    case HoldRole::kListener:
      return "listener";
    case HoldRole::kUdpOpen:
      return "udp-open";
    case HoldRole::kBound:
      return "bound";
    case HoldRole::kServed:
      return "served";
    case HoldRole::kConnection:
      return "connection";
    case HoldRole::kRemote:
      return "remote";
  }
  return "unknown";
}

std::string_view reach_name(Reach reach) {
  switch (reach) {
    case Reach::kLoopback:
      return "loopback";
    case Reach::kAddresses:
      return "addresses";
    case Reach::kAll:
      return "all";
  }
  return "unknown";
}

uint32_t Hold::in_state(SocketState state) const {
  const auto found = std::ranges::find(states, state, &StateCount::state);
  return found == states.end() ? 0 : found->sockets;
}

std::string own_ends_in_words(const Hold& hold) {
  auto ends = each_in_words(hold.own_ends,
                            [](const model::Endpoint& end) { return model::to_string(end); });
  if (hold.own_ends_total > ends.size()) {
    ends.push_back(grouped(hold.own_ends_total - ends.size()) + " more");
  }
  return (hold.own_ends_total == 1 ? "this end is " : "the ends here are ") + listed(ends);
}

bool has_to_do_with(const Socket& socket, const PortFilter& filter) {
  return side_of(socket, filter) != Side::kNone;
}

std::vector<Hold> find_holds(const Inventory& inventory, const PortFilter& filter) {
  const Programs programs(inventory.processes);
  const ListenerSet listeners = find_listeners(inventory, filter);
  std::map<HoldKey, Gathering> gathered;
  for (const auto& socket : inventory.sockets) {
    const Side side = side_of(socket, filter);
    if (side == Side::kNone) continue;
    const auto* netns = inventory.find_namespace(socket.netns);
    const bool own = netns == nullptr ? inventory.namespaces.empty() : netns->own;
    const HoldRole role = role_of(inventory, socket, side, listeners);
    const uint16_t port = side == Side::kLocal ? socket.local.port : socket.remote.port;
    const auto [at, added] = gathered.try_emplace(
        HoldKey{!own, socket.netns, port, role, socket.protocol, socket.holding,
                programs_holding(inventory, socket, programs)});
    Hold& hold = at->second.hold;
    if (added) {
      hold.port = port;
      hold.role = role;
      hold.protocol = socket.protocol;
      hold.netns = socket.netns;
      if (netns != nullptr) hold.netns_name = netns->name;
      hold.own_namespace = own;
      hold.holding = socket.holding;
    }
    add_socket(at->second, inventory, socket);
  }
  std::vector<Hold> out;
  out.reserve(gathered.size());
  for (auto& [key, gathering] : gathered) {
    out.push_back(finish(std::move(gathering), programs));
  }
  return out;
}

}  // namespace ports
