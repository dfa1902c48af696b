#include "host/diag_tables.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "host/net_namespaces.h"
#include "host/proc_tables.h"
#include "host/sock_diag_socket.h"
#include "testkit/private_network.h"
#include "testkit/socket_menagerie.h"

namespace {

using model::Protocol;
using model::Socket;
using model::SocketState;

constexpr const char* kNeedsRoot = "a network namespace of its own takes root";

ports::RawInventory read_own(ports::InventoryRequest request = {}) {
  request.all_namespaces = false;
  ports::RawInventory raw;
  const auto read = host::read_socket_tables(request, raw);
  EXPECT_TRUE(read.has_value()) << read.error().message;
  return raw;
}

/// Runs `check` beside one socket of every kind; false when the rights for that are missing.
bool beside_menagerie(const std::function<void(const testkit::SocketMenagerie&)>& check) {
  return testkit::run_in_private_network([&] {
    const testkit::SocketMenagerie menagerie;
    ASSERT_EQ(menagerie.failure(), "");
    check(menagerie);
  });
}

std::vector<Socket> on_port(const std::vector<Socket>& sockets, uint16_t port) {
  std::vector<Socket> found;
  std::ranges::copy_if(sockets, std::back_inserter(found),
                       [port](const Socket& socket) { return socket.local.port == port; });
  return found;
}

// The oracle: `ss -Htuane` in the same namespace, row by row, with every field that both know.

std::string run(const char* command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command, "r"), ::pclose);
  std::string text;
  std::array<char, 4096> buffer{};
  while (pipe) {
    const size_t got = ::fread(buffer.data(), 1, buffer.size(), pipe.get());
    if (got == 0) break;
    text.append(buffer.data(), got);
  }
  return text;
}

/// "name:value" among the words after the addresses; timers without their time and count, which
/// pass while we look.
std::string extra(std::string_view rest, std::string_view name) {
  for (auto word = base::take_word(rest); !word.empty(); word = base::take_word(rest)) {
    if (!word.starts_with(name)) continue;
    word.remove_prefix(name.size());
    if (word.starts_with('(')) word = word.substr(1, word.find(',') - 1);
    return std::string(word);
  }
  return "";
}

std::string canonical(std::string_view row) {
  std::string out;
  for (int column = 0; column < 6; ++column) out += std::string(base::take_word(row)) + " ";
  const std::string uid = extra(row, "uid:");
  out += "uid:" + (uid.empty() ? "0" : uid);
  for (const char* name : {"ino:", "sk:", "v6only:", "timer:"})
    out += " " + (name + extra(row, name));
  return out;
}

std::string ss_endpoint(const Socket& socket, const model::Endpoint& endpoint, bool local) {
  std::string address = to_string(endpoint.address);
  if (endpoint.address.family == model::Family::kIpv6) {
    const bool takes_both = endpoint.address.is_any() && socket.v6only == false;
    address = takes_both ? "*" : "[" + address + "]";
  }
  if (local && socket.interface == 1) address += "%lo";
  return address + ":" + (endpoint.port == 0 ? "*" : std::to_string(endpoint.port));
}

std::string ss_state(const Socket& socket) {
  static const std::map<SocketState, std::string> kNames{
      {SocketState::kEstablished, "ESTAB"},    {SocketState::kSynSent, "SYN-SENT"},
      {SocketState::kSynReceived, "SYN-RECV"}, {SocketState::kFinWait1, "FIN-WAIT-1"},
      {SocketState::kFinWait2, "FIN-WAIT-2"},  {SocketState::kTimeWait, "TIME-WAIT"},
      {SocketState::kClose, "UNCONN"},         {SocketState::kCloseWait, "CLOSE-WAIT"},
      {SocketState::kLastAck, "LAST-ACK"},     {SocketState::kListen, "LISTEN"},
      {SocketState::kBoundInactive, "UNCONN"},
  };
  const auto at = kNames.find(socket.state);
  return at == kNames.end() ? "?" : at->second;
}

std::string canonical(const Socket& socket) {
  static constexpr std::array<const char*, 5> kTimers{"", "on", "keepalive", "timewait", "persist"};
  char cookie[20];
  std::snprintf(cookie, sizeof(cookie), "%llx", static_cast<unsigned long long>(socket.cookie));
  return std::string(model::protocol_name(socket.protocol)) + " " + ss_state(socket) + " " +
         std::to_string(socket.receive_queue) + " " + std::to_string(socket.send_queue) + " " +
         ss_endpoint(socket, socket.local, true) + " " + ss_endpoint(socket, socket.remote, false) +
         " uid:" + std::to_string(socket.uid) + " ino:" + std::to_string(socket.inode) +
         " sk:" + cookie + " v6only:" + (socket.v6only ? (*socket.v6only ? "1" : "0") : "") +
         " timer:" + kTimers[static_cast<size_t>(socket.timer)];
}

TEST(DiagTables, AgreeWithSsInEveryField) {
  if (run("ss -V 2>/dev/null").empty()) GTEST_SKIP() << "ss is not installed";
  const bool ran = beside_menagerie([](const testkit::SocketMenagerie&) {
    std::vector<std::string> ours;
    for (const Socket& socket : read_own().listed) {
      // What `ss -tua` leaves out: UDP-Lite, raw sockets and sockets that are only bound.
      if (socket.protocol != Protocol::kTcp && socket.protocol != Protocol::kUdp) continue;
      if (socket.state != SocketState::kBoundInactive) ours.push_back(canonical(socket));
    }
    std::vector<std::string> theirs;
    const std::string text = run("ss -Htuane");
    for (std::string_view rest = text; !rest.empty();) {
      theirs.push_back(canonical(base::take_until(rest, '\n')));
    }
    std::ranges::sort(ours);
    std::ranges::sort(theirs);
    EXPECT_GE(ours.size(), 25U);
    EXPECT_EQ(ours, theirs);
  });
  if (!ran) GTEST_SKIP() << kNeedsRoot;
}

TEST(DiagTables, ListWhatSsDoesNot) {
  const bool ran = beside_menagerie([](const testkit::SocketMenagerie& menagerie) {
    const auto listed = read_own().listed;
    const auto bound = on_port(listed, testkit::kBoundOnly);
    ASSERT_EQ(bound.size(), 1U) << "needs Linux 6.8";
    EXPECT_EQ(bound[0].state, SocketState::kBoundInactive);
    EXPECT_GT(bound[0].inode, 0U);
    EXPECT_EQ(on_port(listed, testkit::kUdpLite).size(), menagerie.has_udplite() ? 1U : 0U);
    const auto raw = std::ranges::count(listed, Protocol::kRaw, &Socket::protocol);
    EXPECT_EQ(raw, menagerie.has_raw() ? 2 : 0);
  });
  if (!ran) GTEST_SKIP() << kNeedsRoot;
}

TEST(DiagTables, NeverBlameAnybodyForTimeWaitAndHandshakes) {
  const bool ran = beside_menagerie([](const testkit::SocketMenagerie&) {
    int met = 0;
    for (const Socket& socket : read_own().listed) {
      if (socket.state != SocketState::kTimeWait && socket.state != SocketState::kSynReceived) {
        continue;
      }
      ++met;
      EXPECT_EQ(socket.inode, 0U);
      EXPECT_EQ(socket.uid, 0U);
    }
    EXPECT_EQ(met, 2);
  });
  if (!ran) GTEST_SKIP() << kNeedsRoot;
}

TEST(DiagTables, OneWalkForBothFamiliesIsAsGoodAsTwo) {
  const bool ran = beside_menagerie([](const testkit::SocketMenagerie&) {
    auto socket = host::SockDiagSocket::open();
    ASSERT_TRUE(socket.has_value());
    const auto dump = [&](std::vector<std::optional<model::Family>> families) {
      std::vector<Socket> sockets;
      std::vector<model::TcpDetail> details;
      for (const auto family : families) {
        const format::SockDiagRequest request{.family = family, .tcp_detail = true};
        const auto done = socket->dump(request, 1, sockets, details);
        EXPECT_TRUE(done.has_value() && *done);
      }
      std::vector<std::string> rows;
      for (const Socket& one : sockets) {
        rows.push_back(canonical(one) + (one.detail >= 0 ? " detail" : "") +
                       (one.mptcp ? " mptcp" : ""));
      }
      std::ranges::sort(rows);
      return rows;
    };
    const auto one_walk = dump({std::nullopt});
    EXPECT_GT(one_walk.size(), 20U);
    EXPECT_EQ(one_walk, dump({model::Family::kIpv4, model::Family::kIpv6}));
  });
  if (!ran) GTEST_SKIP() << kNeedsRoot;
}

TEST(DiagTables, GiveTcpDetailsOnRequest) {
  const bool ran = beside_menagerie([](const testkit::SocketMenagerie& menagerie) {
    EXPECT_TRUE(read_own().tcp_details.empty());
    const auto raw = read_own({.tcp_detail = true});
    EXPECT_FALSE(raw.tcp_details.empty());
    for (const Socket& socket : raw.listed) {
      if (socket.protocol != Protocol::kTcp || socket.state != SocketState::kEstablished) continue;
      ASSERT_GE(socket.detail, 0);
      const auto& detail = raw.tcp_details.at(static_cast<size_t>(socket.detail));
      EXPECT_GT(detail.send_mss_bytes, 0U);
      EXPECT_GT(detail.congestion_window, 0U);
      EXPECT_NE(std::string_view(detail.congestion_control), "");
    }
    if (menagerie.has_mptcp()) {
      EXPECT_TRUE(on_port(raw.listed, testkit::kMptcpListener).at(0).mptcp);
      EXPECT_FALSE(on_port(raw.listed, testkit::kPlainListener).at(0).mptcp);
    }
  });
  if (!ran) GTEST_SKIP() << kNeedsRoot;
}

TEST(DiagTables, NarrowToPortsAndToListeners) {
  const bool ran = beside_menagerie([](const testkit::SocketMenagerie&) {
    const auto all = read_own().listed;
    const model::PortRange ports{testkit::kPlainListener, testkit::kV6OnlyListener};
    const auto narrowed = read_own({.ports = ports}).listed;
    const auto expected = std::ranges::count_if(all, [&](const Socket& socket) {
      return socket.protocol != Protocol::kRaw &&
             (ports.contains(socket.local.port) || ports.contains(socket.remote.port));
    });
    EXPECT_EQ(narrowed.size(), static_cast<size_t>(expected));
    EXPECT_EQ(narrowed.size(), 6U) << "two listeners, both ends of two connections";

    const auto listeners = read_own({.listeners_only = true}).listed;
    EXPECT_TRUE(std::ranges::all_of(listeners, &Socket::is_listener));
    EXPECT_EQ(listeners.size(),
              static_cast<size_t>(std::ranges::count_if(all, &Socket::is_listener)));
  });
  if (!ran) GTEST_SKIP() << kNeedsRoot;
}

TEST(DiagTables, AgreeWithProcNetInWhatItKnows) {
  const bool ran = beside_menagerie([](const testkit::SocketMenagerie&) {
    ports::RawInventory proc;
    ASSERT_TRUE(host::read_proc_tables({.all_namespaces = false}, proc).has_value());
    const auto rows = [](const std::vector<Socket>& sockets) {
      std::vector<std::string> out;
      for (Socket socket : sockets) {
        if (socket.state == SocketState::kBoundInactive) continue;
        socket.cookie = 0;
        socket.interface = 0;
        if (socket.state == SocketState::kListen) socket.send_queue = 0;
        socket.v6only.reset();
        out.push_back(canonical(socket));
      }
      std::ranges::sort(out);
      return out;
    };
    const auto from_proc = rows(proc.listed);
    EXPECT_GT(from_proc.size(), 25U);
    EXPECT_EQ(from_proc, rows(read_own().listed));
  });
  if (!ran) GTEST_SKIP() << kNeedsRoot;
}

TEST(DiagTables, ListASocketThatConnectsMeanwhileOnce) {
  const auto make = [](uint64_t cookie, SocketState state) {
    Socket socket;
    socket.cookie = cookie;
    socket.state = state;
    return socket;
  };
  std::vector<Socket> sockets{
      make(1, SocketState::kBoundInactive),  // of an earlier dump: not ours to judge
      make(2, SocketState::kBoundInactive), make(3, SocketState::kBoundInactive),
      make(1, SocketState::kEstablished), make(3, SocketState::kSynSent)};
  host::drop_outdated(sockets, 1);
  std::vector<std::pair<uint64_t, SocketState>> left;
  for (const auto& socket : sockets) left.emplace_back(socket.cookie, socket.state);
  EXPECT_EQ(left, (std::vector<std::pair<uint64_t, SocketState>>{{1, SocketState::kBoundInactive},
                                                                 {2, SocketState::kBoundInactive},
                                                                 {1, SocketState::kEstablished},
                                                                 {3, SocketState::kSynSent}}));
}

// Other namespaces.

std::string unshare_with_menagerie() {
  std::string link;
  const auto fill = [&link] {
    static const testkit::SocketMenagerie menagerie;
    const auto own = host::own_net_namespace();
    if (own && menagerie.failure().empty()) link = std::to_string(own->inode);
  };
  // The child's only thread must live in the namespace, not a thread beside it.
  if (!testkit::enter_private_network()) return "";
  fill();
  return link;
}

TEST(DiagTables, ReadTheNamespacesOfOtherProcesses) {
  const testkit::StandingChild first(unshare_with_menagerie);
  const testkit::StandingChild second(unshare_with_menagerie);
  if (first.report().empty()) GTEST_SKIP() << kNeedsRoot;
  ports::RawInventory raw;
  ASSERT_TRUE(host::read_socket_tables({.tcp_detail = true}, raw).has_value());
  EXPECT_TRUE(raw.namespaces.at(0).own);
  for (const auto* child : {&first, &second}) {
    const auto inode = base::parse_number<uint32_t>(child->report());
    const auto space = std::ranges::find(raw.namespaces, inode, &model::NetNamespace::inode);
    ASSERT_NE(space, raw.namespaces.end());
    EXPECT_TRUE(space->tables_read) << space->why;
    EXPECT_TRUE(space->policy.known);
    EXPECT_FALSE(space->own);
    EXPECT_EQ(space->sample_pid, child->pid());
    std::vector<Socket> inside;
    for (const Socket& socket : raw.listed) {
      if (socket.netns == inode) inside.push_back(socket);
    }
    EXPECT_GT(inside.size(), 25U);
    ASSERT_EQ(on_port(inside, testkit::kPlainListener).size(), 3U);
    for (const Socket& socket : inside) {
      // Details of several threads were put behind each other: each must still be of its socket.
      if (socket.detail < 0) continue;
      const auto& detail = raw.tcp_details.at(static_cast<size_t>(socket.detail));
      EXPECT_EQ(detail.bytes_received, socket.receive_queue) << canonical(socket);
    }
  }
}

TEST(DiagTables, NarrowToNamespaces) {
  const testkit::StandingChild child(unshare_with_menagerie);
  if (child.report().empty()) GTEST_SKIP() << kNeedsRoot;
  const auto inode = base::parse_number<uint32_t>(child.report()).value_or(0);
  ports::RawInventory raw;
  ASSERT_TRUE(host::read_socket_tables({}, raw, std::vector{inode}).has_value());
  ASSERT_EQ(raw.namespaces.size(), 1U);
  EXPECT_EQ(raw.namespaces[0].inode, inode);
  EXPECT_GT(raw.listed.size(), 25U);
  EXPECT_TRUE(
      std::ranges::all_of(raw.listed, [&](const Socket& one) { return one.netns == inode; }));
}

TEST(DiagTables, ReadOneNamespaceThatIsOpen) {
  const testkit::StandingChild child(unshare_with_menagerie);
  if (child.report().empty()) GTEST_SKIP() << kNeedsRoot;
  const std::string path = "/proc/" + std::to_string(child.pid()) + "/ns/net";
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ports::RawInventory raw;
  const ports::InventoryRequest request;
  ASSERT_TRUE(
      host::read_one_namespace(fd.get(), "pod", host::diag_reader(request), raw).has_value());
  ASSERT_EQ(raw.namespaces.size(), 1U);
  EXPECT_EQ(raw.namespaces[0].name, "pod");
  EXPECT_TRUE(raw.namespaces[0].tables_read);
  EXPECT_EQ(on_port(raw.listed, testkit::kV6OnlyListener).size(), 1U);
}

TEST(DiagTables, SayWhichNamespaceCouldNotBeEntered) {
  const testkit::StandingChild child(unshare_with_menagerie);
  if (child.report().empty()) GTEST_SKIP() << kNeedsRoot;
  const std::string outcome = testkit::run_in_child([&]() -> std::string {
    // To look at other processes' namespaces takes CAP_SYS_PTRACE, to enter them CAP_SYS_ADMIN.
    if (!testkit::drop_capability(CAP_SYS_ADMIN)) return "skip";
    ports::RawInventory raw;
    if (!host::read_socket_tables({}, raw)) return "failed";
    const auto inode = base::parse_number<uint32_t>(child.report());
    const auto space = std::ranges::find(raw.namespaces, inode, &model::NetNamespace::inode);
    if (space == raw.namespaces.end()) return "not found";
    if (space->tables_read || raw.report.complete || raw.report.blind_spots.empty())
      return "silent";
    if (!raw.namespaces.at(0).tables_read) return "own not read";
    return space->why;
  });
  if (outcome == "skip") GTEST_SKIP() << "giving up rights takes having some";
  EXPECT_NE(outcome.find("CAP_SYS_ADMIN"), std::string::npos) << outcome;
}

TEST(DiagTables, OfOurOwnNamespaceTakeNoRights) {
  const std::string outcome = testkit::run_in_child([]() -> std::string {
    if (!testkit::become_nobody()) return "skip";
    ports::RawInventory raw;
    const auto read = host::read_socket_tables({}, raw);
    if (!read) return read.error().message;
    return raw.namespaces.at(0).tables_read && !raw.report.complete ? "read" : "claims too much";
  });
  if (outcome == "skip") GTEST_SKIP() << "giving up rights takes having some";
  EXPECT_EQ(outcome, "read");
}

}  // namespace
