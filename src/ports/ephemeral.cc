#include "ports/ephemeral.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "ports/port_facts.h"

namespace ports {
namespace {

using model::Holding;
using model::Inventory;
using model::IpAddress;
using model::Protocol;
using model::Socket;
using model::SocketState;

using PortSet = std::bitset<65536>;

// Transport and port as one number, so that a program's ports are counted once each.
using PortKey = uint32_t;
PortKey key_of(const Socket& socket) {
  return static_cast<uint32_t>(socket.protocol) << 16U | socket.local.port;
}

// Who uses how many of something, by program.
class Shares {
 public:
  explicit Shares(const Programs& programs) : programs_(programs) {}

  void add(uint32_t process, uint32_t what) {
    Entry& entry = entries_[programs_.number(process)];
    entry.processes.insert(process);
    entry.what.push_back(what);
  }

  /// Most first; those with fewer than `least` are left out.
  std::vector<Share> take(uint32_t least = 1) {
    std::vector<Share> out;
    for (auto& [number, entry] : entries_) {
      std::ranges::sort(entry.what);
      const auto doubles = std::ranges::unique(entry.what);
      const auto count = static_cast<uint32_t>(doubles.begin() - entry.what.begin());
      if (count < least) continue;
      out.push_back({std::move(programs_.gather(entry.processes).front()), count});
    }
    std::ranges::sort(out, [](const Share& left, const Share& right) {
      return std::tie(right.ports, left.program.process.pid) <
             std::tie(left.ports, right.program.process.pid);
    });
    return out;
  }

 private:
  struct Entry {
    std::set<uint32_t> processes;
    std::vector<uint32_t> what;
  };
  const Programs& programs_;
  std::map<uint32_t, Entry> entries_;
};

// (local address, destination) in an order that sorts.
using DestinationKey =
    std::tuple<model::Family, std::array<uint8_t, 16>, std::array<uint8_t, 16>, uint16_t>;

struct Toward {
  DestinationUse use;
  std::vector<uint16_t> open;       // local ports of live connections
  std::vector<uint16_t> time_wait;  // and of closed ones
  std::vector<std::pair<uint32_t, uint16_t>> owners;
};

class NamespaceMeter {
 public:
  NamespaceMeter(const Inventory& inventory, const Programs& programs,
                 const model::NetNamespace& netns, int64_t now_unix_s)
      : inventory_(inventory),
        programs_(programs),
        now_unix_s_(now_unix_s),
        users_(programs),
        long_running_(programs),
        close_wait_(programs) {
    use_.netns = netns.inode;
    use_.name = netns.name;
    use_.own = netns.own;
    use_.tables_read = netns.tables_read;
    use_.policy = netns.policy;
    use_.size = ephemeral_size(netns.policy);
    use_.reserved = netns.policy.ephemeral.size() - use_.size;
    for (uint32_t port = netns.policy.ephemeral.first; port <= netns.policy.ephemeral.last;
         ++port) {
      handed_out_[port] = netns.policy.hands_out(static_cast<uint16_t>(port));
    }
  }

  EphemeralUse measure();

 private:
  [[nodiscard]] bool concerns(const Socket& socket) const {
    return socket.netns == use_.netns && handed_out_[socket.local.port] &&
           (socket.protocol == Protocol::kTcp || socket.protocol == Protocol::kUdp);
  }
  // Bound or listening: the port is lost to every destination.
  [[nodiscard]] static bool takes_port(const Socket& socket) {
    return socket.protocol == Protocol::kTcp && socket.remote.port == 0;
  }
  void add_connection(const Socket& socket);
  void add_owners(const Socket& socket, bool client);
  void add_idle(const Socket& socket);
  void finish_destinations();
  void finish_idle();

  const Inventory& inventory_;
  const Programs& programs_;
  int64_t now_unix_s_;
  EphemeralUse use_;
  PortSet handed_out_, taken_, tcp_, udp_;
  std::map<DestinationKey, Toward> toward_;
  Shares users_, long_running_, close_wait_;
  struct Idle {
    IdleHolder holder;
    std::set<uint32_t> processes;
  };
  std::map<uint32_t, Idle> idle_;
};

void NamespaceMeter::add_connection(const Socket& socket) {
  const IpAddress local = socket.local.address.unmapped();
  const IpAddress remote = socket.remote.address.unmapped();
  Toward& toward =
      toward_[DestinationKey{remote.family, local.bytes, remote.bytes, socket.remote.port}];
  toward.use.local = local;
  toward.use.destination = {remote, socket.remote.port};
  if (socket.state == SocketState::kTimeWait) {
    toward.time_wait.push_back(socket.local.port);
    ++use_.tcp_time_wait;
  } else {
    toward.open.push_back(socket.local.port);
  }
  for (const auto& owner : inventory_.owners_of(socket)) {
    toward.owners.emplace_back(owner.process, socket.local.port);
  }
}

void NamespaceMeter::add_owners(const Socket& socket, bool client) {
  for (const auto& owner : inventory_.owners_of(socket)) {
    users_.add(owner.process, key_of(socket));
    if (!client) continue;
    if (socket.state == SocketState::kCloseWait) {
      close_wait_.add(owner.process, static_cast<uint32_t>(&socket - inventory_.sockets.data()));
    }
    const auto& process = inventory_.processes[owner.process];
    if (process.start_time_unix_s != 0 && now_unix_s_ - process.start_time_unix_s > kLongHeld_s) {
      long_running_.add(owner.process, key_of(socket));
    }
  }
  if (socket.holding == Holding::kHidden || socket.holding == Holding::kUnknown ||
      socket.holding == Holding::kNoDescriptor) {
    ++use_.unnamed_sockets;
  }
}

// The kernel sets both clocks of a connection when it is set up (tcp_finish_connect), so it is at
// least as old as the later of them says.
void NamespaceMeter::add_idle(const Socket& socket) {
  const bool is_up =
      socket.state == SocketState::kEstablished || socket.state == SocketState::kCloseWait;
  if (socket.protocol != Protocol::kTcp || !is_up || socket.detail < 0) return;
  const auto& detail = inventory_.tcp_details[static_cast<size_t>(socket.detail)];
  const int64_t idle_s = std::max(detail.last_data_sent_ms, detail.last_data_received_ms) / 1000;
  if (idle_s < kLongHeld_s) return;
  std::set<uint32_t> seen;
  for (const auto& owner : inventory_.owners_of(socket)) {
    const uint32_t number = programs_.number(owner.process);
    Idle& idle = idle_[number];
    idle.processes.insert(owner.process);
    if (!seen.insert(number).second) continue;
    ++idle.holder.connections;
    if (idle_s <= idle.holder.longest_idle_s) continue;
    idle.holder.longest_idle_s = idle_s;
    idle.holder.example = {socket.remote.address.unmapped(), socket.remote.port};
  }
}

void sort_unique(std::vector<uint16_t>& ports) {
  std::ranges::sort(ports);
  const auto doubles = std::ranges::unique(ports);
  ports.erase(doubles.begin(), doubles.end());
}

void NamespaceMeter::finish_destinations() {
  const auto taken = static_cast<uint32_t>(taken_.count());
  for (auto& [key, toward] : toward_) {
    sort_unique(toward.open);
    sort_unique(toward.time_wait);
    std::vector<uint16_t> closed_only;
    std::ranges::set_difference(toward.time_wait, toward.open, std::back_inserter(closed_only));
    toward.use.time_wait = static_cast<uint32_t>(closed_only.size());
    toward.use.used = static_cast<uint32_t>(toward.open.size() + closed_only.size());
    // A taken port is never among them: sockets on it belong to the one that took it.
    toward.use.free = use_.size - std::min(use_.size, toward.use.used + taken);
    toward.use.headroom = headroom_of(toward.use.free, use_.size);
    Shares shares(programs_);
    for (const auto& [process, port] : toward.owners) shares.add(process, port);
    toward.use.programs = shares.take();
    use_.worst = std::max(use_.worst, toward.use.headroom);
    use_.destinations.push_back(std::move(toward.use));
  }
  std::ranges::sort(use_.destinations, [](const DestinationUse& left, const DestinationUse& right) {
    return std::tie(left.free, left.destination.address.bytes, left.destination.port,
                    left.local.bytes) < std::tie(right.free, right.destination.address.bytes,
                                                 right.destination.port, right.local.bytes);
  });
}

void NamespaceMeter::finish_idle() {
  for (auto& [number, idle] : idle_) {
    idle.holder.program = std::move(programs_.gather(idle.processes).front());
    use_.idle.push_back(std::move(idle.holder));
  }
  std::ranges::sort(use_.idle, [](const IdleHolder& left, const IdleHolder& right) {
    return std::tie(right.longest_idle_s, left.program.process.pid) <
           std::tie(left.longest_idle_s, right.program.process.pid);
  });
}

EphemeralUse NamespaceMeter::measure() {
  for (const Socket& socket : inventory_.sockets) {
    if (concerns(socket) && takes_port(socket)) taken_.set(socket.local.port);
  }
  for (const Socket& socket : inventory_.sockets) {
    if (!concerns(socket)) continue;
    if (socket.protocol == Protocol::kUdp) {
      udp_.set(socket.local.port);
      add_owners(socket, socket.remote.port != 0);
      continue;
    }
    tcp_.set(socket.local.port);
    const bool client = !taken_[socket.local.port];
    if (client) {
      add_connection(socket);
      add_idle(socket);
    }
    add_owners(socket, client);
  }
  use_.tcp_ports = static_cast<uint32_t>(tcp_.count());
  use_.tcp_taken = static_cast<uint32_t>(taken_.count());
  use_.udp_ports = static_cast<uint32_t>(udp_.count());
  use_.udp_free = use_.size - use_.udp_ports;
  use_.udp_headroom = headroom_of(use_.udp_free, use_.size);
  // Even toward a destination that nobody talks to yet, the taken ports are missing.
  use_.worst = std::max(use_.udp_headroom, headroom_of(use_.size - use_.tcp_taken, use_.size));
  finish_destinations();
  finish_idle();
  use_.programs = users_.take();
  use_.long_running = long_running_.take();
  use_.close_wait = close_wait_.take(kCloseWaitPile);
  const PortFilter filter{.ports = use_.policy.ephemeral,
                          .protocol = Protocol::kTcp,
                          .netns = use_.netns,
                          .without_peer = true};
  for (Hold& hold : find_holds(inventory_, filter)) {
    if (!handed_out_[hold.port]) continue;
    (hold.answers() ? use_.listeners : use_.bound).push_back(std::move(hold));
  }
  return std::move(use_);
}

}  // namespace

std::string_view headroom_name(Headroom headroom) {
  switch (headroom) {
    case Headroom::kAmple:
      return "ample";
    case Headroom::kSmall:
      return "small";
    case Headroom::kNearlyOut:
      return "nearly-out";
  }
  return "unknown";
}

Headroom headroom_of(uint32_t free, uint32_t size) {
  if (size == 0 || uint64_t{free} * 100 < uint64_t{size} * kNearlyOutPercent) {
    return Headroom::kNearlyOut;
  }
  return uint64_t{free} * 100 < uint64_t{size} * kSmallPercent ? Headroom::kSmall
                                                               : Headroom::kAmple;
}

bool EphemeralReport::needs_attention() const {
  return std::ranges::any_of(
      namespaces, [](const EphemeralUse& use) { return use.worst == Headroom::kNearlyOut; });
}

EphemeralReport measure_ephemeral(const Inventory& inventory, int64_t now_unix_s) {
  EphemeralReport report;
  report.collector = inventory.report;
  const Programs programs(inventory.processes);
  for (const auto& netns : inventory.namespaces) {
    if (!netns.policy.known && !netns.own) continue;
    report.namespaces.push_back(NamespaceMeter(inventory, programs, netns, now_unix_s).measure());
  }
  std::ranges::sort(report.namespaces, [](const EphemeralUse& left, const EphemeralUse& right) {
    return std::tuple(!left.own, -static_cast<int>(left.worst), left.netns) <
           std::tuple(!right.own, -static_cast<int>(right.worst), right.netns);
  });
  return report;
}

}  // namespace ports
