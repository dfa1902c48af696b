// socket_zoo: fills the network namespace it is started in with a known population of sockets and
// stands still, so that tests can compare what observers see and benchmarks can time them.
//
// Of N sockets in P processes: N TCP sockets, of which 10 % listen (half of them IPv6) and 90 % are
// established (both ends of each connection are counted; one connection in ten is IPv6), and N/10
// UDP sockets (a quarter IPv6, a quarter connected). I further processes hold no sockets.
//
// It prints one line of JSON when everything stands, and ends when its standard input is closed.
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "base/text.h"
#include "zoo_support.h"

namespace {

constexpr const char* kUsage =
    "usage: socket_zoo --sockets N [--processes P] [--idle I] [--truth]\n"
    "       socket_zoo --namespaces K --sockets-each M [--idle I] [--truth]\n"
    "  --sockets N      N TCP sockets (10 % listening, 90 % established) and N/10 UDP sockets,\n"
    "                   in the network namespace of the caller\n"
    "  --processes P    spread them over P processes (default 8)\n"
    "  --idle I         and I processes that hold no socket (default 0)\n"
    "  --namespaces K   one process in each of K fresh network namespaces (needs root),\n"
    "  --sockets-each M with M TCP and M/10 UDP sockets each\n"
    "  --truth          list every descriptor, its process, inode and cookie in the report\n"
    "Prints one line of JSON when all stands; ends when its standard input is closed.\n";

constexpr uint32_t kFirstPort = 2000;
constexpr uint32_t kLastPort = 32767;  // below the kernel's usual ephemeral range

struct Plan {
  uint32_t sockets = 0;
  uint32_t processes = 8;
  uint32_t idle = 0;
  uint32_t namespaces = 0;
  bool truth = false;
};

/// What one worker makes. IPv6 has one loopback address, so workers share its ports: `first6` is
/// where this worker's begin.
struct Share {
  uint8_t worker = 0;
  uint32_t listeners = 0;
  uint32_t connections = 0;
  uint32_t datagram = 0;
  uint16_t first6 = 0;
};

uint32_t part_of(uint32_t total, uint32_t parts, uint32_t index) {
  return total / parts + (index < total % parts ? 1 : 0);
}

uint16_t port_at(uint32_t index) {
  if (kFirstPort + index > kLastPort) {
    errno = ERANGE;
    zoo::die("find a free port (use more processes or fewer sockets)");
  }
  return static_cast<uint16_t>(kFirstPort + index);
}

std::vector<Share> shares_of(uint32_t sockets, uint32_t processes) {
  const uint32_t listeners = sockets / 10;
  const uint32_t connections = (sockets - listeners) / 2;
  std::vector<Share> shares;
  uint32_t next6 = 0;
  for (uint32_t i = 0; i < processes; ++i) {
    const Share share{.worker = static_cast<uint8_t>(i),
                      .listeners = part_of(listeners, processes, i),
                      .connections = part_of(connections, processes, i),
                      .datagram = part_of(sockets / 10, processes, i),
                      .first6 = port_at(next6)};
    next6 += std::max((share.listeners + 1) / 2, (share.datagram + 3) / 4);
    shares.push_back(share);
  }
  return shares;
}

std::vector<int> make_listeners(const Share& share) {
  std::vector<int> listeners;
  for (uint32_t i = 0; i < share.listeners; ++i) {
    const sockaddr_storage address =
        i % 2 == 0 ? zoo::loopback4(static_cast<uint8_t>(10 + share.worker), 1, 1, port_at(i / 2))
                   : zoo::loopback6(static_cast<uint16_t>(share.first6 + i / 2));
    listeners.push_back(zoo::listening_socket(address));
  }
  return listeners;
}

void make_connections(const Share& share, const std::vector<int>& listeners,
                      std::vector<int>& fds) {
  // Even places of `listeners` are IPv4, odd ones IPv6.
  const size_t pairs = listeners.size() / 2;
  for (uint32_t i = 0; i < share.connections; ++i) {
    const bool ipv6 = i % 10 == 9 && pairs > 0;
    const size_t at = ipv6 ? 2 * (i / 10 % pairs) + 1 : 2 * (i % ((listeners.size() + 1) / 2));
    const int listener = listeners[at];
    const sockaddr_storage source =
        ipv6 ? zoo::loopback6(0) : zoo::loopback4(static_cast<uint8_t>(10 + share.worker), 2, 1, 0);
    fds.push_back(zoo::connected_socket(SOCK_STREAM, source, zoo::local_address(listener)));
    fds.push_back(zoo::accepted_socket(listener));
  }
}

void make_datagram_sockets(const Share& share, std::vector<int>& fds) {
  const auto a = static_cast<uint8_t>(10 + share.worker);
  for (uint32_t i = 0; i < share.datagram; ++i) {
    if (i % 4 == 1) {
      fds.push_back(zoo::connected_socket(SOCK_DGRAM, zoo::loopback4(a, 3, 1, 0),
                                          zoo::loopback4(a, 1, 1, port_at(0))));
    } else if (i % 4 == 3) {
      const auto port = static_cast<uint16_t>(share.first6 + i / 4);
      fds.push_back(zoo::bound_socket(SOCK_DGRAM, zoo::loopback6(port)));
    } else {
      fds.push_back(zoo::bound_socket(SOCK_DGRAM, zoo::loopback4(a, 1, 1, port_at(i))));
    }
  }
}

/// Runs in the worker: makes its share and reports each descriptor, then a closing mark (an
/// all-zero record) without which the parent knows that the worker failed.
void work(const Share& share, int write_end) {
  std::vector<int> fds = make_listeners(share);
  const std::vector<int> listeners = fds;
  make_connections(share, listeners, fds);
  make_datagram_sockets(share, fds);
  std::vector<zoo::Held> report;
  report.reserve(fds.size() + 1);
  for (const int fd : fds) report.push_back(zoo::held_by_self(fd));
  report.push_back({.pid = 0, .fd = 0, .inode = zoo::own_network_namespace(), .cookie = 0});
  zoo::write_all(write_end, report.data(), report.size() * sizeof(zoo::Held));
}

struct Report {
  pid_t pid = 0;
  uint64_t netns = 0;
  std::vector<zoo::Held> held;
};

Report collect(const zoo::Child& child) {
  const std::string bytes = zoo::read_to_end(child.read_end);
  close(child.read_end);
  Report report{.pid = child.pid, .netns = 0, .held = {}};
  report.held.resize(bytes.size() / sizeof(zoo::Held));
  std::memcpy(report.held.data(), bytes.data(), report.held.size() * sizeof(zoo::Held));
  if (report.held.empty() || report.held.back().pid != 0) {
    std::fprintf(stderr, "socket_zoo: a worker failed; its message is above\n");
    std::_Exit(3);  // the other workers die with us
  }
  report.netns = report.held.back().inode;
  report.held.pop_back();
  return report;
}

std::vector<zoo::Child> start_workers(const Plan& plan) {
  std::vector<zoo::Child> children;
  if (plan.namespaces == 0) {
    zoo::bring_loopback_up();
    for (const Share& share : shares_of(plan.sockets, plan.processes))
      children.push_back(zoo::spawn_reporting([&](int write_end) { work(share, write_end); }));
    return children;
  }
  const Share share = shares_of(plan.sockets, 1).front();
  for (uint32_t i = 0; i < plan.namespaces; ++i) {
    children.push_back(zoo::spawn_reporting([&](int write_end) {
      zoo::check(unshare(CLONE_NEWNET), "make a network namespace");
      zoo::bring_loopback_up();
      work(share, write_end);
    }));
  }
  return children;
}

void print_report(const std::vector<Report>& reports, const std::vector<pid_t>& idle, bool truth) {
  base::JsonWriter json(
      [](std::string_view block) { zoo::write_all(STDOUT_FILENO, block.data(), block.size()); });
  uint64_t total = 0;
  json.begin_object().field("ready", true).key("workers").begin_array();
  for (const Report& report : reports) {
    total += report.held.size();
    json.begin_object()
        .field("pid", int32_t{report.pid})
        .field("netns", report.netns)
        .field("sockets", uint64_t{report.held.size()});
    if (truth) {
      json.key("held").begin_array();
      for (const zoo::Held& held : report.held) {
        json.begin_object()
            .field("pid", held.pid)
            .field("fd", held.fd)
            .field("inode", held.inode)
            .field("cookie", held.cookie)
            .end_object();
      }
      json.end_array();
    }
    json.end_object();
  }
  json.end_array().key("idle").begin_array();
  for (const pid_t pid : idle) json.number(pid);
  json.end_array().field("sockets", total).end_object();
  json.finish();
}

std::optional<Plan> parse_arguments(int count, char** arguments) {
  Plan plan;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--truth") {
      plan.truth = true;
      continue;
    }
    const auto value = base::parse_number<uint32_t>(i + 1 < count ? arguments[i + 1] : "");
    if (!value) return std::nullopt;
    ++i;
    if (name == "--sockets" || name == "--sockets-each") {
      plan.sockets = *value;
    } else if (name == "--processes") {
      plan.processes = *value;
    } else if (name == "--idle") {
      plan.idle = *value;
    } else if (name == "--namespaces") {
      plan.namespaces = *value;
    } else {
      return std::nullopt;
    }
  }
  const uint32_t processes = plan.namespaces == 0 ? plan.processes : 1;
  if (processes == 0 || processes > 200 || plan.namespaces > 10000) return std::nullopt;
  // Every worker needs a listener of its own to connect to.
  if (plan.sockets < 10 * processes || plan.sockets > 1'000'000) return std::nullopt;
  return plan;
}

}  // namespace

int main(int count, char** arguments) {
  const std::optional<Plan> plan = parse_arguments(count, arguments);
  if (!plan) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const uint64_t limit = zoo::raise_descriptor_limit();
  const uint32_t processes = plan->namespaces == 0 ? plan->processes : 1;
  const uint64_t needed = plan->sockets / processes * 11ULL / 10 + 32;
  if (needed > limit) {
    std::fprintf(stderr,
                 "socket_zoo: %llu descriptors a process exceed the limit of %llu: use "
                 "more --processes\n",
                 static_cast<unsigned long long>(needed), static_cast<unsigned long long>(limit));
    return 3;
  }
  std::vector<pid_t> idle;
  idle.reserve(plan->idle);
  for (uint32_t i = 0; i < plan->idle; ++i) {
    idle.push_back(zoo::spawn([] {
      prctl(PR_SET_NAME, "zoo-idle");
      zoo::stand_still();
    }));
  }
  std::vector<Report> reports;
  for (const zoo::Child& child : start_workers(*plan)) reports.push_back(collect(child));
  print_report(reports, idle, plan->truth);
  zoo::wait_for_stdin_to_close();
  for (const Report& report : reports) idle.push_back(report.pid);
  zoo::end_children(idle);
  return 0;
}
