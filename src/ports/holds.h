// Holds: the sockets that have to do with a port, gathered into the few facts that a person asks
// for. Pure functions over an inventory; the result stands on its own (it copies what it needs).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/inventory.h"
#include "ports/programs.h"

namespace ports {

/// In which way a group of sockets has to do with the port. Raw sockets never do: their "port" is
/// an IP protocol number.
enum class HoldRole : uint8_t {
  kListener,    ///< TCP in LISTEN; bound UDP without a peer on a port the kernel does not hand out
  kUdpOpen,     ///< bound UDP without a peer on a port that the kernel hands out: UDP knows no
                ///< listening state, so it may be a server or a client that awaits an answer
  kBound,       ///< TCP, bound, neither listening nor connected: it keeps others off the port
  kServed,      ///< a connection to a port on which a listener of the same namespace stands
  kConnection,  ///< the port is the local end of a connection, and nobody listens on it
  kRemote,      ///< the port is the other end's: a program here talks to it, holds nothing
};
std::string_view hold_role_name(HoldRole role);  ///< JSON word: "listener", "udp-open", ...

/// From where a bound address lets connections in; firewalls are another matter.
enum class Reach : uint8_t { kLoopback, kAddresses, kAll };
std::string_view reach_name(Reach reach);  ///< "loopback", "addresses", "all"

struct Peer {
  model::Endpoint remote;  ///< port 0 where many ports of one address were counted together
  uint32_t connections = 0;
};

struct StateCount {
  model::SocketState state = model::SocketState::kUnknown;
  uint32_t sockets = 0;
};

/// Sockets of one port, namespace, transport and role that are held in the same way by the same
/// programs.
struct Hold {
  uint16_t port = 0;
  HoldRole role = HoldRole::kListener;
  model::Protocol protocol = model::Protocol::kTcp;
  uint32_t netns = 0;
  std::string netns_name;  ///< "" = none
  bool own_namespace = true;
  model::Holding holding = model::Holding::kUnknown;
  std::vector<Program> programs;  ///< empty unless `holding` is kOwned; oldest first
  uint32_t sockets = 0;
  uint32_t unlisted = 0;  ///< of them, seen through a descriptor only
  /// Users who opened the sockets, as the kernel tells even where no process can be named; none for
  /// sockets without a program's side (their uid 0 means nobody).
  std::vector<uint32_t> creators;

  std::vector<model::IpAddress> addresses;  ///< local, distinct; "any" first
  Reach reach = Reach::kLoopback;
  /// A socket on [::] that takes IPv4 too; nothing where there is no such socket or no way to tell.
  std::optional<bool> takes_ipv4;
  std::vector<uint32_t> interfaces;  ///< indices of interfaces that sockets are bound to

  std::vector<StateCount> states;  ///< most sockets first
  std::vector<Peer> peers;         ///< most connections first, at most kPeersKept
  uint32_t peers_total = 0;        ///< distinct peers, kept or not
  /// Of kRemote, where `port` is the peer's: the ends on this machine, at most kPeersKept.
  std::vector<model::Endpoint> own_ends;
  uint32_t own_ends_total = 0;  ///< distinct ones, kept or not

  uint32_t waiting = 0;     ///< TCP listener: connections set up and not accepted, fullest socket
  uint32_t backlog = 0;     ///< how many that socket may queue
  bool queue_full = false;  ///< the queue of one listener has reached its limit

  [[nodiscard]] uint32_t in_state(model::SocketState state) const;
  /// Whether this takes calls from others: a listener, or a UDP socket that may be one.
  [[nodiscard]] bool answers() const {
    return role == HoldRole::kListener || role == HoldRole::kUdpOpen;
  }
};

/// "this end is 10.0.0.5:41000", of a hold in the role kRemote.
std::string own_ends_in_words(const Hold& hold);

inline constexpr size_t kPeersKept = 5;
/// From this many on, connections that the other side has closed and the program has not
/// (close-wait) are a defect of the program rather than a matter of moments.
inline constexpr uint32_t kCloseWaitPile = 10;

/// The other end of a connection.
struct PeerFilter {
  model::IpAddress address;  ///< unmapped
  uint16_t port = 0;         ///< 0 = any
};

/// Which sockets are meant.
struct PortFilter {
  model::PortRange ports;
  std::optional<model::Protocol> protocol = std::nullopt;
  std::optional<model::IpAddress> address =
      std::nullopt;  ///< local and able to receive there, or the peer's
  std::optional<uint32_t> netns = std::nullopt;
  bool answering_only = false;  ///< listeners and UDP sockets that may be one
  bool without_peer = false;    ///< these, and TCP sockets that are bound and nothing more
  std::optional<PeerFilter> peer = std::nullopt;  ///< only connections with it
};

/// Whether the socket is meant, at either of its ends.
bool has_to_do_with(const model::Socket& socket, const PortFilter& filter);

/// All holds of the ports, listeners before connections, our own namespace before others. Port 0
/// is no port: an unbound socket and a missing peer carry it, and nobody holds it.
std::vector<Hold> find_holds(const model::Inventory& inventory, const PortFilter& filter);

}  // namespace ports
