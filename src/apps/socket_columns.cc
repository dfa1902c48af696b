#include "apps/socket_columns.h"

#include <algorithm>
#include <array>
#include <vector>

#include "apps/inventory_json.h"
#include "base/nearest.h"
#include "base/text.h"

namespace apps {
namespace {

using model::Process;
using model::Socket;

const Process& process_of(const SocketView& view, const model::Owner& owner) {
  return view.inventory.processes[owner.process];
}

bool has_peer(const Socket& socket) {
  return socket.remote.port != 0 || !socket.remote.address.is_any();
}

bool is_raw(const Socket& socket) { return socket.protocol == model::Protocol::kRaw; }

/// The holding processes, each once, in order.
std::vector<const Process*> holders(const SocketView& view, const Socket& socket) {
  std::vector<const Process*> out;
  for (const model::Owner& owner : view.inventory.owners_of(socket)) {
    const Process* process = &process_of(view, owner);
    if (std::ranges::find(out, process) == out.end()) out.push_back(process);
  }
  return out;
}

/// The value of each holder, each value once: "nginx", or "nginx +1" where others differ.
template <class GetText>
std::string of_holders(const SocketView& view, const Socket& socket, GetText get) {
  std::vector<std::string> values;
  for (const Process* process : holders(view, socket)) {
    std::string value = get(*process);
    if (!value.empty() && std::ranges::find(values, value) == values.end()) {
      values.push_back(std::move(value));
    }
  }
  if (values.empty()) return {};
  std::string out = base::escape_for_terminal(values.front());
  if (values.size() > 1) out += " +" + std::to_string(values.size() - 1);
  return out;
}

std::string process_text(SocketView& view, const Socket& socket) {
  const std::vector<const Process*> all = holders(view, socket);
  if (all.empty()) return std::string(holding_in_words(socket.holding, view.caller_is_root));
  const Process& first = *all.front();
  std::string out = first.command.empty() ? "?" : base::escape_for_terminal(first.command);
  out += "(" + std::to_string(first.pid) + ")";
  if (all.size() > 1) out += " +" + std::to_string(all.size() - 1);
  if (first.gone) out += " ended";
  return out;
}

std::string user_text(SocketView& view, const Socket& socket) {
  std::string out = of_holders(view, socket, [](const Process& process) { return process.user; });
  // Without an inode the kernel tells uid 0, which means nobody.
  if (out.empty() && socket.inode != 0) out = "uid " + std::to_string(socket.uid);
  return out;
}

std::string container_of(const Process& process) {
  const model::Placement& placement = process.placement;
  if (placement.container.empty() || placement.container_runtime.empty()) {
    return placement.container;
  }
  return placement.container_runtime + ":" + placement.container;
}

std::string unit_text(SocketView& view, const Socket& socket) {
  return of_holders(view, socket, [](const Process& process) {
    const model::Placement& placement = process.placement;
    if (!placement.container.empty()) return container_of(process);
    return placement.user_unit.empty() ? placement.unit : placement.user_unit;
  });
}

std::string why_text(SocketView& view, const Socket& socket) {
  return of_holders(view, socket, [](const Process& process) {
    std::string out;
    for (const model::Ancestor& ancestor : process.ancestors) {
      out.insert(0, ancestor.command + " > ");
    }
    return out.empty() ? out : out + process.command;
  });
}

std::string package_text(SocketView& view, const Socket& socket) {
  return of_holders(view, socket, [](const Process& process) {
    if (process.package.empty() || process.package_check == model::PackageCheck::kNotAsked) {
      return process.package;
    }
    return process.package + " (" + std::string(package_check_name(process.package_check)) + ")";
  });
}

std::string netns_text(SocketView& view, const Socket& socket) {
  const model::NetNamespace* netns = view.inventory.find_namespace(socket.netns);
  if (netns != nullptr && !netns->name.empty()) return base::escape_for_terminal(netns->name);
  if (netns != nullptr && netns->own) return "own";
  return std::to_string(socket.netns);
}

std::string timer_text(SocketView&, const Socket& socket) {
  std::string_view kind;
  switch (socket.timer) {
    case model::TimerKind::kOff:
      return {};
    case model::TimerKind::kRetransmit:
      kind = "retransmit";
      break;
    case model::TimerKind::kKeepalive:
      kind = "keepalive";
      break;
    case model::TimerKind::kTimeWait:
      kind = "time-wait";
      break;
    case model::TimerKind::kPersist:
      kind = "persist";
      break;
  }
  return std::string(kind) + " " + std::to_string(socket.timer_ms) + " ms";
}

std::string known_number(uint64_t number) { return number == 0 ? "" : std::to_string(number); }

uint64_t first_pid(const SocketView& view, const Socket& socket) {
  const auto owners = view.inventory.owners_of(socket);
  return owners.empty() ? 0 : static_cast<uint64_t>(process_of(view, owners.front()).pid);
}

constexpr auto kColumns = std::to_array<SocketColumn>({
    {.name = "proto",
     .header = "PROTO",
     .help = "transport protocol",
     .text = [](SocketView&, const Socket& s) { return std::string(protocol_name(s.protocol)); }},
    {.name = "state",
     .header = "STATE",
     .help = "state of the socket",
     .text = [](SocketView&,
                const Socket& s) { return std::string(model::state_name(s.state, s.protocol)); }},
    {.name = "local",
     .header = "LOCAL",
     .help = "local address and port",
     .least = 14,
     .cut = Cut::kMiddle,
     .text = [](SocketView&, const Socket& s) { return endpoint_in_words(s.local, s.protocol); },
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.local.port}; }},
    {.name = "peer",
     .header = "PEER",
     .help = "address and port of the other end",
     .least = 14,
     .cut = Cut::kMiddle,
     .text =
         [](SocketView&, const Socket& s) {
           return has_peer(s) ? endpoint_in_words(s.remote, s.protocol) : std::string();
         },
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.remote.port}; }},
    {.name = "use",
     .header = "USE",
     .help = "software known to use it, or \"name?\" as registered",
     .least = 5,
     .spare = 2,
     .text = [](SocketView& v, const Socket& s) { return v.hints.of(s); }},
    {.name = "process",
     .header = "PROCESS",
     .help = "first holder and how many more, or why there is none",
     .least = 10,
     .cut = Cut::kMiddle,
     .text = process_text},
    {.name = "user",
     .header = "USER",
     .help = "user of the holder, or who made the socket",
     .least = 4,
     .spare = 3,
     .text = user_text},
    {.name = "unit",
     .header = "UNIT",
     .help = "systemd unit or container of the holder",
     .least = 8,
     .spare = 4,
     .text = unit_text},
    {.name = "verdict",
     .header = "VERDICT",
     .help = "by what is expected: expected, unexpected, impostor, ...",
     .text =
         [](SocketView& v, const Socket& s) {
           const model::Verdict* verdict = v.verdict_of(s);
           return std::string(
               verdict_name(verdict == nullptr ? model::VerdictKind::kUnjudged : verdict->kind));
         }},
    {.name = "pid",
     .header = "PID",
     .help = "process id of the first holder",
     .right = true,
     .text = [](SocketView& v, const Socket& s) { return known_number(first_pid(v, s)); },
     .number = first_pid},
    {.name = "command",
     .header = "COMMAND",
     .help = "command name of the holder",
     .least = 8,
     .text =
         [](SocketView& v, const Socket& s) {
           return of_holders(v, s, [](const Process& p) { return p.command; });
         }},
    {.name = "exe",
     .header = "EXE",
     .help = "path of the holder's program",
     .least = 10,
     .text =
         [](SocketView& v, const Socket& s) {
           return of_holders(
               v, s, [](const Process& p) { return p.exe + (p.exe_deleted ? " (deleted)" : ""); });
         }},
    {.name = "why",
     .header = "WHY",
     .help = "what started the holder, from pid 1 down",
     .least = 10,
     .text = why_text},
    {.name = "container",
     .header = "CONTAINER",
     .help = "container of the holder",
     .least = 8,
     .text = [](SocketView& v, const Socket& s) { return of_holders(v, s, container_of); }},
    {.name = "package",
     .header = "PACKAGE",
     .help = "Debian package of the holder's program",
     .least = 8,
     .text = package_text},
    {.name = "started",
     .header = "STARTED",
     .help = "when the first holder started (UTC)",
     .text =
         [](SocketView& v, const Socket& s) {
           return of_holders(v, s, [](const Process& p) {
             return p.start_time_unix_s == 0 ? std::string() : utc_time(p.start_time_unix_s);
           });
         }},
    {.name = "uid",
     .header = "UID",
     .help = "user id that made the socket",
     .right = true,
     .text = [](SocketView&,
                const Socket& s) { return s.inode == 0 ? std::string() : std::to_string(s.uid); },
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.uid}; }},
    {.name = "holding",
     .header = "HOLDING",
     .help = "how it is held: owned, time-wait, not-accepted, ...",
     .text = [](SocketView&,
                const Socket& s) { return std::string(model::holding_name(s.holding)); }},
    {.name = "lport",
     .header = "LPORT",
     .help = "local port",
     .right = true,
     .text =
         [](SocketView&, const Socket& s) {
           return is_raw(s) ? std::string() : std::to_string(s.local.port);
         },
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.local.port}; }},
    {.name = "rport",
     .header = "RPORT",
     .help = "port of the other end",
     .right = true,
     .text =
         [](SocketView&, const Socket& s) {
           return is_raw(s) ? std::string() : known_number(s.remote.port);
         },
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.remote.port}; }},
    {.name = "laddr",
     .header = "LADDR",
     .help = "local address",
     .text = [](SocketView&, const Socket& s) { return to_string(s.local.address); }},
    {.name = "raddr",
     .header = "RADDR",
     .help = "address of the other end",
     .text =
         [](SocketView&, const Socket& s) {
           return has_peer(s) ? to_string(s.remote.address) : std::string();
         }},
    {.name = "family",
     .header = "FAMILY",
     .help = "ipv4 or ipv6",
     .text =
         [](SocketView&, const Socket& s) {
           return std::string(s.local.address.family == model::Family::kIpv4 ? "ipv4" : "ipv6");
         }},
    {.name = "netns",
     .header = "NETNS",
     .help = "network namespace: its name, own, or its number",
     .least = 6,
     .cut = Cut::kMiddle,
     .spare = 1,
     .text = netns_text},
    {.name = "interface",
     .header = "INTERFACE",
     .help = "index of the interface it is bound to",
     .right = true,
     .text = [](SocketView&, const Socket& s) { return known_number(s.interface); },
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.interface}; }},
    {.name = "recvq",
     .header = "RECVQ",
     .help = "bytes unread; of a listener, connections waiting",
     .right = true,
     .text = [](SocketView&, const Socket& s) { return std::to_string(s.receive_queue); },
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.receive_queue}; }},
    {.name = "sendq",
     .header = "SENDQ",
     .help = "bytes unacknowledged; of a listener, its queue's limit",
     .right = true,
     .text = [](SocketView&, const Socket& s) { return std::to_string(s.send_queue); },
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.send_queue}; }},
    {.name = "timer",
     .header = "TIMER",
     .help = "running timer and when it ends (reads the details of TCP)",
     .text = timer_text,
     .number = [](const SocketView&, const Socket& s) { return uint64_t{s.timer_ms}; }},
    {.name = "inode",
     .header = "INODE",
     .help = "inode, as in /proc/PID/fd",
     .right = true,
     .text = [](SocketView&, const Socket& s) { return known_number(s.inode); },
     .number = [](const SocketView&, const Socket& s) { return s.inode; }},
    {.name = "cookie",
     .header = "COOKIE",
     .help = "socket cookie",
     .right = true,
     .text = [](SocketView&, const Socket& s) { return known_number(s.cookie); },
     .number = [](const SocketView&, const Socket& s) { return s.cookie; }},
});

}  // namespace

std::span<const SocketColumn> socket_columns() { return kColumns; }

const SocketColumn* find_socket_column(std::string_view name) {
  const auto* found = std::ranges::find_if(kColumns, [&](const SocketColumn& column) {
    return base::equals_ignoring_case(column.name, name);
  });
  return found == kColumns.end() ? nullptr : found;
}

std::string_view nearest_socket_column(std::string_view name) {
  std::vector<std::string_view> names;
  for (const SocketColumn& column : kColumns) names.push_back(column.name);
  return base::nearest_word(name, names);
}

std::string_view holding_in_words(model::Holding holding, bool caller_is_root) {
  switch (holding) {
    case model::Holding::kUnknown:
      return "not known";
    case model::Holding::kOwned:
      return {};
    case model::Holding::kTimeWait:
      return "none: closed";
    case model::Holding::kHandshake:
      return "being set up";
    case model::Holding::kNotAccepted:
      return "not yet accepted";
    case model::Holding::kOrphaned:
      return "closed by program";
    case model::Holding::kKernel:
      return "the kernel";
    case model::Holding::kNoDescriptor:
      return "no descriptor";
    case model::Holding::kHidden:
      return caller_is_root ? "out of sight" : "needs root";
    case model::Holding::kVanished:
      return "just closed";
  }
  return "not known";
}

std::string endpoint_in_words(const model::Endpoint& endpoint, model::Protocol protocol) {
  if (protocol != model::Protocol::kRaw) return to_string(endpoint);
  return to_string(endpoint.address) + " (IP protocol " + std::to_string(endpoint.port) + ")";
}

}  // namespace apps
