#include "ports/filter.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace ports {
namespace {

using model::Inventory;
using model::Process;
using model::Socket;

bool in_ranges(const std::vector<Filter::Range>& ranges, uint64_t value) {
  return std::ranges::any_of(
      ranges, [&](Filter::Range range) { return value >= range.first && value <= range.last; });
}

bool in_network(const Filter::Network& network, const model::IpAddress& address) {
  const model::IpAddress plain = address.unmapped();
  if (plain.family != network.address.family) return false;
  size_t bits = network.bits;
  for (size_t i = 0; bits > 0; ++i) {
    const auto here = std::min<size_t>(bits, 8);
    const auto mask = static_cast<uint8_t>(0xFFU << (8 - here));
    if ((plain.bytes[i] & mask) != (network.address.bytes[i] & mask)) return false;
    bits -= here;
  }
  return true;
}

bool in_networks(const Filter::Test& test, const model::IpAddress& address) {
  return std::ranges::any_of(
      test.networks, [&](const Filter::Network& network) { return in_network(network, address); });
}

bool text_matches(const Filter::Test& test, std::string_view value) {
  return std::ranges::any_of(test.texts, [&](const std::string& wanted) {
    return test.substring ? base::contains_ignoring_case(value, wanted) : value == wanted;
  });
}

bool has_peer(const Socket& socket) {
  return socket.remote.port != 0 || !socket.remote.address.is_any();
}

bool holder_matches(const Filter::Test& test, const Process& process) {
  switch (test.field) {
    case FilterField::kPid:
      return in_ranges(test.ranges, static_cast<uint64_t>(process.pid));
    case FilterField::kCommand:
      return text_matches(test, process.command);
    case FilterField::kExe:
      return text_matches(test, process.exe);
    case FilterField::kUser:
      return text_matches(test, process.user);
    case FilterField::kUnit:
      return text_matches(test, process.placement.unit) ||
             (!process.placement.user_unit.empty() &&
              text_matches(test, process.placement.user_unit));
    case FilterField::kContainer:
      return text_matches(test, process.placement.container);
    case FilterField::kPackage:
      return text_matches(test, process.package);
    default:
      return false;
  }
}

bool namespace_matches(const Filter::Test& test, const Inventory& inventory, const Socket& socket) {
  if (in_ranges(test.ranges, socket.netns)) return true;
  const model::NetNamespace* netns = inventory.find_namespace(socket.netns);
  if (netns == nullptr) return false;
  return (netns->own && std::ranges::find(test.texts, "own") != test.texts.end()) ||
         (!netns->name.empty() && text_matches(test, netns->name));
}

bool test_holds(const Filter::Test& test, const Inventory& inventory, const Socket& socket) {
  const auto number = [&](uint64_t value) { return in_ranges(test.ranges, value); };
  // The "port" of a raw socket is an IP protocol number.
  const bool has_ports = socket.protocol != model::Protocol::kRaw;
  switch (test.field) {
    case FilterField::kProtocol:
      return number(static_cast<uint64_t>(socket.protocol));
    case FilterField::kState:
      return number(static_cast<uint64_t>(socket.state == model::SocketState::kNewSynReceived
                                              ? model::SocketState::kSynReceived
                                              : socket.state));
    case FilterField::kPort:
      return has_ports &&
             (number(socket.local.port) || (has_peer(socket) && number(socket.remote.port)));
    case FilterField::kLocalPort:
      return has_ports && number(socket.local.port);
    case FilterField::kRemotePort:
      return has_ports && has_peer(socket) && number(socket.remote.port);
    case FilterField::kAddress:
      return in_networks(test, socket.local.address) ||
             (has_peer(socket) && in_networks(test, socket.remote.address));
    case FilterField::kLocalAddress:
      return in_networks(test, socket.local.address);
    case FilterField::kRemoteAddress:
      return has_peer(socket) && in_networks(test, socket.remote.address);
    case FilterField::kUid:
      // Without an inode the kernel tells uid 0, which means nothing.
      return socket.inode != 0 && number(socket.uid);
    case FilterField::kNamespace:
      return namespace_matches(test, inventory, socket);
    case FilterField::kFamily:
      return number(static_cast<uint64_t>(socket.local.address.family));
    case FilterField::kHolding:
      return number(static_cast<uint64_t>(socket.holding));
    case FilterField::kInterface:
      return number(socket.interface);
    case FilterField::kReceiveQueue:
      return number(socket.receive_queue);
    case FilterField::kSendQueue:
      return number(socket.send_queue);
    case FilterField::kInode:
      return number(socket.inode);
    case FilterField::kCookie:
      return number(socket.cookie);
    default:
      return std::ranges::any_of(inventory.owners_of(socket), [&](const model::Owner& owner) {
        return holder_matches(test, inventory.processes[owner.process]);
      });
  }
}

constexpr std::array<FilterFieldName, 33> kFields{{
    {"proto", FilterField::kProtocol, "tcp, udp, udplite, raw, sctp, dccp"},
    {"protocol", FilterField::kProtocol, ""},
    {"state", FilterField::kState, "listen, established, time-wait, unconnected, ..."},
    {"port", FilterField::kPort, "local or remote port: 22, 1743-1844"},
    {"lport", FilterField::kLocalPort, "local port"},
    {"rport", FilterField::kRemotePort, "remote port"},
    {"addr", FilterField::kAddress, "local or remote address: 10.0.0.0/8, ::1, any, loopback"},
    {"address", FilterField::kAddress, ""},
    {"laddr", FilterField::kLocalAddress, "local address"},
    {"raddr", FilterField::kRemoteAddress, "remote address"},
    {"pid", FilterField::kPid, "process id of a holder"},
    {"command", FilterField::kCommand, "command name of a holder"},
    {"process", FilterField::kCommand, ""},
    {"exe", FilterField::kExe, "path of a holder's program"},
    {"user", FilterField::kUser, "name of a holder's user"},
    {"uid", FilterField::kUid, "user id that made the socket"},
    {"unit", FilterField::kUnit, "systemd unit of a holder"},
    {"container", FilterField::kContainer, "container of a holder"},
    {"package", FilterField::kPackage, "Debian package of a holder's program"},
    {"netns", FilterField::kNamespace, "network namespace: number, name, or own"},
    {"namespace", FilterField::kNamespace, ""},
    {"family", FilterField::kFamily, "ipv4 or ipv6"},
    {"holding", FilterField::kHolding, "owned, time-wait, not-accepted, kernel, hidden, ..."},
    {"interface", FilterField::kInterface, "index of the interface it is bound to, 0 = any"},
    {"recvq", FilterField::kReceiveQueue, "bytes unread; of a listener, connections waiting"},
    {"sendq", FilterField::kSendQueue, "bytes unacknowledged; of a listener, its queue's limit"},
    {"inode", FilterField::kInode, "inode, as in /proc/PID/fd"},
    {"cookie", FilterField::kCookie, "socket cookie, as in `ss -e`"},
    {"local_port", FilterField::kLocalPort, ""},
    {"remote_port", FilterField::kRemotePort, ""},
    {"local_address", FilterField::kLocalAddress, ""},
    {"remote_address", FilterField::kRemoteAddress, ""},
    {"comm", FilterField::kCommand, ""},
}};

bool is_port(FilterField field) {
  return field == FilterField::kPort || field == FilterField::kLocalPort ||
         field == FilterField::kRemotePort;
}

model::PortRange hull(model::PortRange left, model::PortRange right) {
  return {std::min(left.first, right.first), std::max(left.last, right.last)};
}

}  // namespace

bool Filter::matches(const Inventory& inventory, const Socket& socket, const Node& node) const {
  const auto holds = [&](uint32_t child) { return matches(inventory, socket, nodes_[child]); };
  switch (node.kind) {
    case NodeKind::kAll:
      return std::ranges::all_of(node.children, holds);
    case NodeKind::kAny:
      return std::ranges::any_of(node.children, holds);
    case NodeKind::kNot:
      return !holds(node.children.front());
    case NodeKind::kTest:
      return test_holds(tests_[node.test], inventory, socket) != tests_[node.test].negated;
  }
  return false;
}

bool Filter::matches(const Inventory& inventory, const Socket& socket) const {
  return nodes_.empty() || matches(inventory, socket, nodes_.back());
}

bool Filter::uses(FilterField field) const {
  return std::ranges::any_of(tests_, [&](const Test& test) { return test.field == field; });
}

std::optional<model::PortRange> Filter::port_bounds(const Node& node) const {
  if (node.kind == NodeKind::kTest) {
    const Test& test = tests_[node.test];
    if (!is_port(test.field) || test.negated || test.ranges.empty()) return std::nullopt;
    std::optional<model::PortRange> bounds;
    for (const Range range : test.ranges) {
      const auto port = [](uint64_t number) {
        return static_cast<uint16_t>(std::min<uint64_t>(number, 65535));
      };
      const model::PortRange ports{port(range.first), port(range.last)};
      bounds = bounds ? hull(*bounds, ports) : ports;
    }
    return bounds;
  }
  if (node.kind == NodeKind::kNot) return std::nullopt;
  std::optional<model::PortRange> bounds;
  for (const uint32_t child : node.children) {
    const auto part = port_bounds(nodes_[child]);
    if (node.kind == NodeKind::kAny) {
      if (!part) return std::nullopt;
      bounds = bounds ? hull(*bounds, *part) : part;
    } else if (part && (!bounds || part->size() < bounds->size())) {
      // Two conditions on ports may hold at different ends of the socket, so they are not
      // intersected; either one alone is a bound.
      bounds = part;
    }
  }
  return bounds;
}

std::optional<model::PortRange> Filter::port_bounds() const {
  return nodes_.empty() ? std::nullopt : port_bounds(nodes_.back());
}

std::span<const FilterFieldName> filter_fields() { return kFields; }

std::string filter_help() {
  std::string out =
      "A filter says which sockets to show. It is made of tests, joined by `and`, `or`\n"
      "and `not`, with parentheses where needed; `and` may be left out.\n"
      "\n"
      "  FIELD = VALUE        equal to it, or to one of several: port = 22,80,8000-8099\n"
      "  FIELD in VALUES      the same; for addresses also networks: addr in 10.0.0.0/8\n"
      "  FIELD != VALUE       not equal to any of them\n"
      "  FIELD ~ TEXT         contains the text, case ignored: command ~ post\n"
      "  FIELD < NUMBER       also <=, >, >=: recvq > 0\n"
      "\n"
      "A port, a range, a protocol or a state may stand alone: `tcp listen 22`; a port\n"
      "also as 22/tcp, 10.0.0.5:443 or ssh. Of ports side by side any will do: `22 80`.\n"
      "`22 and 80` asks for both, at the two ends of a connection.\n"
      "A value with blanks or signs in it stands in quotes: exe = '/opt/my app/bin'.\n"
      "\n"
      "Fields:\n";
  for (const FilterFieldName& field : kFields) {
    if (field.help.empty()) continue;
    std::string line = "  " + std::string(field.name);
    line.resize(14, ' ');
    out += line + std::string(field.help) + "\n";
  }
  out +=
      "\n"
      "A field of the holder is true when it is true of any holder of the socket, and\n"
      "a socket without a known holder matches no such field.\n"
      "\n"
      "Examples:\n"
      "  twinport ports 'proto=tcp and state=listen and port in 1743-1844'\n"
      "  twinport ports 'addr = any and not user = root'\n"
      "  twinport ports --all 'state = close-wait or recvq > 100000'\n"
      "  twinport ports --all 'raddr in 10.0.0.0/8 and (command ~ java or uid >= 1000)'\n";
  return out;
}

}  // namespace ports
