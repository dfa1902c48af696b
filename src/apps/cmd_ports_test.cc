#include "apps/cmd_ports.h"

#include <set>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "apps/socket_columns.h"
#include "base/file.h"
#include "base/text.h"
#include "testkit/temporary_directory.h"

namespace apps {
namespace {

using model::Protocol;
using model::SocketState;

/// A small server: sshd, a web server of two processes, a resolver, and sockets that nobody holds.
struct Server : MachineTwin {
  Server();
};

Server::Server() {
  sockets.listen(Protocol::kTcp, "0.0.0.0:22").send_queue = 128;
  sockets.hold(700, 3);
  sockets.listen(Protocol::kTcp, "[::]:22").send_queue = 128;
  sockets.hold(700, 4);
  sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  sockets.hold(812, 6);
  sockets.hold(813, 6);
  sockets.hold(814, 6);
  sockets.listen(Protocol::kUdp, "127.0.0.53:53");
  sockets.hold(400, 12);
  sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kEstablished, "10.9.0.7:50000");
  sockets.hold(901, 4);
  sockets.add(Protocol::kTcp, "10.0.0.5:80", SocketState::kTimeWait, "10.9.0.7:50001").inode = 0;
  sockets.raw.listed.back().timer = model::TimerKind::kTimeWait;
  sockets.raw.listed.back().timer_ms = 41000;
  sockets.add(Protocol::kTcp, "10.0.0.5:40412", SocketState::kEstablished, "10.9.0.9:5432");
  sockets.hold(813, 11);
  sockets.listen(Protocol::kTcp, "0.0.0.0:2024").uid = 5;
  sockets.evidence = {{sockets.raw.listed.back().inode, model::Holding::kHidden}};
  processes.add(700, "sshd").placement.unit = "ssh.service";
  processes.add(812, "nginx").placement.unit = "nginx.service";
  for (const int pid : {813, 814}) {
    model::Process& worker = processes.add(pid, "nginx");
    worker.user = "www-data";
    worker.placement.container = "3f2a9c01d4b7";
    worker.placement.container_runtime = "docker";
    worker.ancestors = {{812, "nginx"}, {1, "systemd"}};
  }
  processes.add(400, "systemd-resolve").user = "systemd-resolve";
  processes.add(901, "sshd: alice").user = "alice";
}

TEST(Ports, VerifyShowsWhatTheCheckGaveAndAChangedFileAsksForALook) {
  MachineTwin twin;
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  twin.sockets.hold(700, 3);
  twin.processes.add(700, "sshd");
  auto& package = twin.packages["/usr/sbin/sshd"];
  package = {"openssh-server", "1:9.2p1-2", model::PackageCheck::kIntact};
  const auto intact = twin.run({"ports", "--verify"});
  EXPECT_EQ(intact.code, 0);
  EXPECT_NE(intact.out.find("openssh-server (intact)"), std::string::npos) << intact.out;
  package.check = model::PackageCheck::kModified;
  const auto modified = twin.run({"ports", "--verify"});
  EXPECT_EQ(modified.code, 1);
  EXPECT_NE(modified.out.find("openssh-server (modified)"), std::string::npos) << modified.out;
  EXPECT_NE(modified.err.find("WAS CHANGED"), std::string::npos) << modified.err;
  EXPECT_NE(twin.run({"ports", "--verify", "--json"}).out.find("\"needs_attention\":true"),
            std::string::npos);
}

TEST(Ports, ListsWhoHoldsWhat) {
  Server twin;
  const auto answer = twin.run({"ports"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_GOLDEN("cli/ports.txt", answer.out + "--- standard error\n" + answer.err);
}

TEST(Ports, ListsAllStatesAndExplainsSocketsWithoutHolder) {
  Server twin;
  EXPECT_GOLDEN("cli/ports-all.txt", twin.run({"ports", "--all"}).out);
}

TEST(Ports, FitsEightyColumns) {
  Server twin;
  twin.columns = 80;
  twin.variables["NO_COLOR"] = "1";
  twin.sockets.listen(Protocol::kTcp, "[2001:db8:1:2:3:4:5:6]:60000").netns = 4026532001;
  for (const auto& words : {std::vector<std::string>{"ports"}, {"ports", "--all"}}) {
    const auto answer = twin.run(words);
    for (const std::string& text : {answer.out, answer.err}) {
      std::string_view rest = text;
      while (!rest.empty()) {
        const std::string_view line = base::take_until(rest, '\n');
        EXPECT_LE(base::display_width(line), 80U) << line;
      }
    }
  }
}

TEST(Ports, WritesJsonThatKeepsEveryField) {
  Server twin;
  const auto answer = twin.run({"ports", "--all", "--json"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.err, "");
  EXPECT_GOLDEN("cli/ports-all.json", answer.out);
}

TEST(Ports, TakesAFilterInOneWordOrMany) {
  Server twin;
  const auto one = twin.run({"ports", "proto=tcp and port in 22-80"});
  const auto many = twin.run({"ports", "proto=tcp", "and", "port", "in", "22-80"});
  EXPECT_EQ(one.out, many.out);
  EXPECT_EQ(one.code, 0);
  EXPECT_EQ(one.out,
            "PROTO  LOCAL       USE      PROCESS        USER     UNIT\n"
            "tcp    0.0.0.0:22  OpenSSH  sshd(700)      root     ssh.service\n"
            "tcp    [::]:22     OpenSSH  sshd(700)      root     ssh.service\n"
            "tcp    0.0.0.0:80  nginx    nginx(812) +2  root +1  nginx.service +1\n");
}

TEST(Ports, ShowsConnectionsWhenTheFilterAsksForThem) {
  Server twin;
  const auto answer = twin.run({"ports", "state=established", "-c", "local,peer,process"});
  EXPECT_EQ(answer.out,
            "LOCAL           PEER            PROCESS\n"
            "10.0.0.5:22     10.9.0.7:50000  sshd: alice(901)\n"
            "10.0.0.5:40412  10.9.0.9:5432   nginx(813)\n");
  EXPECT_EQ(answer.code, 0);
}

TEST(Ports, PointsAtTheMistakeInAFilter) {
  Server twin;
  const auto answer = twin.run({"ports", "prt=22"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.out, "");
  EXPECT_EQ(
      answer.err,
      "twinport: the filter cannot be read at column 1: expected a port, or a field such as port, "
      "state or command, found \"prt\"; did you mean \"port\"?\n"
      "  prt=22\n"
      "  ^\n"
      "See `twinport help filter`.\n");
}

TEST(Ports, SortsByAnyColumnBothWays) {
  Server twin;
  const auto up = twin.run({"ports", "-c", "lport", "-s", "lport", "--no-header", "tcp"});
  EXPECT_EQ(up.out, "  22\n  22\n  80\n2024\n");
  const auto down = twin.run({"ports", "-c", "lport", "--sort", "-lport", "--no-header", "tcp"});
  EXPECT_EQ(down.out, "2024\n  80\n  22\n  22\n");
  const auto text =
      twin.run({"ports", "-c", "command", "--sort=command", "--no-header", "udp or 80"});
  EXPECT_EQ(text.out, "nginx\nsystemd-resolve\n");
}

TEST(Ports, RefusesAColumnThatIsNone) {
  Server twin;
  EXPECT_EQ(twin.run({"ports", "-c", "proces"}).err,
            "twinport: there is no column \"proces\"; did you mean \"process\"?\n"
            "See `twinport ports --columns help`.\n");
  EXPECT_EQ(twin.run({"ports", "-s", "-prot"}).code, 2);
  EXPECT_EQ(twin.run({"ports", "-c", "local", "--json"}).code, 2);
  const auto help = twin.run({"ports", "--columns", "help"});
  EXPECT_EQ(help.code, 0);
  for (const SocketColumn& column : socket_columns()) {
    EXPECT_NE(help.out.find("\n" + std::string(column.name) + " "), std::string::npos);
  }
}

TEST(Ports, ShowsEveryColumn) {
  Server twin;
  std::string names;
  for (const SocketColumn& column : socket_columns()) {
    names += (names.empty() ? "" : ",") + std::string(column.name);
  }
  EXPECT_GOLDEN("cli/ports-columns.txt", twin.run({"ports", "--all", "-c", names}).out);
}

TEST(Ports, SaysSoWhenTheViewIsIncomplete) {
  Server twin;
  twin.caller_is_root = false;
  twin.sockets.evidence.clear();
  twin.sockets.raw.report.complete = false;
  twin.sockets.raw.report.processes_hidden = 12;
  twin.sockets.raw.report.blind_spots = {
      "The descriptors of 12 processes of other users may not be read (run as root)."};
  const auto answer = twin.run({"ports", "2024"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.out,
            "PROTO  LOCAL         USE              PROCESS     USER   UNIT\n"
            "tcp    0.0.0.0:2024  xinuexpansion4?  needs root  uid 5  -\n");
  EXPECT_EQ(answer.err,
            "1 listening or bound socket, seen by sock_diag. 1 holder could not be seen; run\n"
            "as root to name more. Connections are left out; --all shows them. The view is\n"
            "incomplete. 1 blind spot, listed by --wide.\n");
  EXPECT_TRUE(twin.run({"ports", "2024", "--wide"})
                  .err.ends_with("The view is\nincomplete.\n"
                                 "- The descriptors of 12 processes of other users may not be read "
                                 "(run as root).\n"
                                 "Why sock_diag: it is what this test has\n"));
  const auto json = twin.run({"ports", "2024", "--json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_NE(json.out.find("\"complete\":false,\"processes_hidden\":12"), std::string::npos);
  EXPECT_NE(json.out.find("\"holders_not_seen\":1"), std::string::npos);
  EXPECT_EQ(twin.run({"ports", "22"}).code, 1);
}

TEST(Ports, KeepsSilentForScriptsWhenAllIsSeen) {
  Server twin;
  EXPECT_EQ(twin.run({"ports", "22", "--no-header"}).err, "");
}

TEST(Ports, NamesPortsThatThePacketFilterSendsElsewhere) {
  Server twin;
  model::PublishedPort port;
  port.ports = {8080, 8080};
  port.target = *model::parse_ip_address("172.17.0.2");
  port.target_ports = {80, 80};
  port.conditions = "iifname != docker0";
  port.rule = "ip nat DOCKER";
  twin.published = model::PublishedPorts{{port}, {}};
  const std::string expected =
      "\nSent elsewhere by the packet filter, with no socket here:\n"
      "  tcp 8080 to 172.17.0.2 port 80, by ip nat DOCKER, if iifname != docker0\n";
  EXPECT_TRUE(twin.run({"ports"}).out.ends_with(expected));
  EXPECT_TRUE(twin.run({"ports", "8080"}).out.ends_with(expected));
  EXPECT_EQ(twin.run({"ports", "22"}).out.find("8080"), std::string::npos);
  EXPECT_EQ(twin.run({"ports", "--no-header"}).out.find("8080"), std::string::npos);
}

TEST(Ports, EscapesNamesForTheTerminalAndKeepsThemInJson) {
  MachineTwin twin;
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:1234");
  twin.sockets.hold(50, 3);
  twin.processes.add(50, "\x1b[31mevil\n\xff");
  const auto text = twin.run({"ports"});
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos);
  EXPECT_NE(text.out.find("\\x1b[31mevil\\n\\xff(50)"), std::string::npos);
  const auto json = twin.run({"ports", "--json"});
  EXPECT_NE(json.out.find("\"command\":\"\\u001b[31mevil\\n\\udcff\""), std::string::npos);
}

TEST(Ports, ShowsTcpDetailOnRequest) {
  Server twin;
  model::TcpDetail detail;
  detail.rtt_us = 1500;
  detail.rtt_variation_us = 250;
  detail.rto_us = 204000;
  detail.congestion_window = 10;
  detail.send_mss_bytes = 1448;
  detail.path_mtu_bytes = 1500;
  detail.bytes_sent = 900;
  std::string("cubic").copy(static_cast<char*>(detail.congestion_control), 5);
  twin.sockets.raw.tcp_details = {detail};
  twin.sockets.raw.listed[4].detail = 0;
  const auto answer = twin.run({"ports", "--detail", "state=established", "-c", "local"});
  EXPECT_TRUE(twin.sockets.asked->tcp_detail);
  EXPECT_EQ(answer.out,
            "LOCAL\n"
            "10.0.0.5:22\n"
            "      rtt 1.500 ms (±0.250), retransmit after 204 ms, cubic, window 10 x 1448 bytes, "
            "path MTU 1500; sent 900 bytes (0 acknowledged), received 0; 0 segments sent again, 0 "
            "lost; last sent 0 ms ago, last received 0 ms ago\n"
            "10.0.0.5:40412\n");
}

TEST(Ports, TimersAreReadWhereTheyAreShownOrSortedBy) {
  Server twin;
  const auto answer = twin.run({"ports", "--all", "80", "--columns", "lport,timer"});
  EXPECT_TRUE(twin.sockets.asked->tcp_detail);
  EXPECT_EQ(answer.out, "LPORT  TIMER\n   80  -\n   80  time-wait 41000 ms\n");
  twin.run({"ports", "--all", "--sort", "timer"});
  EXPECT_TRUE(twin.sockets.asked->tcp_detail);
  twin.run({"ports", "--all", "--columns", "lport"});
  EXPECT_FALSE(twin.sockets.asked->tcp_detail);
}

TEST(Ports, AsksForNoMoreThanItShows) {
  Server twin;
  twin.run({"ports", "port in 22-80", "--no-header"});
  EXPECT_TRUE(twin.sockets.asked->listeners_only);
  EXPECT_FALSE(twin.sockets.asked->all_namespaces);
  EXPECT_EQ(twin.sockets.asked->ports, (model::PortRange{22, 80}));
  twin.run({"ports", "--all"});
  EXPECT_FALSE(twin.sockets.asked->listeners_only);
  EXPECT_TRUE(twin.sockets.asked->all_namespaces);
  EXPECT_EQ(twin.sockets.asked->ports, std::nullopt);
}

TEST(Ports, LeavesOutOtherNamespacesUnlessAsked) {
  Server twin;
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:9000").netns = 4026532001;
  EXPECT_EQ(twin.run({"ports", "9000", "--no-header"}).out, "");
  const auto all = twin.run({"ports", "9000", "--all-namespaces", "-c", "lport,netns"});
  EXPECT_EQ(all.out, "LPORT  NETNS\n 9000  4026532001\n");
}

TEST(Ports, SaysThatAPortIsAlsoHeldInOtherNamespaces) {
  Server twin;
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:22").netns = 4026532001;
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:9000").netns = 4026532001;
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:9000").netns = 4026532002;
  EXPECT_EQ(twin.run({"ports", "22"}).err,
            "2 listening or bound sockets, seen by sock_diag. 1 other network namespace has\n"
            "such sockets; --all-namespaces shows them. Connections are left out; --all shows\n"
            "them.\n");
  EXPECT_NE(twin.run({"ports", "9000"}).err.find("2 other network namespaces have"),
            std::string::npos);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"ports", "80"},
                                                {"ports"},
                                                {"ports", "22", "--all"},
                                                {"ports", "22", "--all-namespaces"}}) {
    EXPECT_EQ(twin.run(words).err.find("such sockets"), std::string::npos) << words.size();
  }
}

// What cannot be seen elsewhere is no fault of an answer about this namespace.
TEST(Ports, TheLookAtOtherNamespacesTouchesNothingElse) {
  Server twin;
  const auto answer = twin.run({"ports", "22"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_TRUE(twin.sockets.asked->all_namespaces);
  EXPECT_EQ(twin.sockets.asked->ports, (model::PortRange{22, 22}));
  twin.run({"ports", "22", "--no-header"});
  EXPECT_FALSE(twin.sockets.asked->all_namespaces);
}

TEST(Ports, RowsOfSeveralNamespacesNeverLookAlike) {
  for (const bool judged : {false, true}) {
    Server twin;
    testkit::TemporaryDirectory config;
    if (judged) {
      ASSERT_TRUE(base::replace_file(config.path() + "/expectations.toml",
                                     "[[expect]]\nprotocol = \"tcp\"\nport = 22\n"));
    }
    twin.columns = 80;
    twin.variables["NO_COLOR"] = "1";
    for (const uint32_t netns : {4026532001U, 4026532102U}) {
      auto& socket = twin.sockets.add(Protocol::kTcp, "[2001:db8:1:2:3:4:5:6]:60000",
                                      SocketState::kEstablished, "[2001:db8::9:8:7:6]:65000");
      socket.netns = netns;
      twin.sockets.hold(700, 9);
      twin.sockets.listen(Protocol::kTcp, "[2001:db8:1:2:3:4:5:6]:60000").netns = netns;
      twin.sockets.hold(700, 10);
    }
    for (const auto& words :
         {std::vector<std::string>{"ports", "--all"}, {"ports", "--all-namespaces", "--verify"}}) {
      auto asked = words;
      asked.insert(asked.end(), {"--config", config.path()});
      const auto answer = twin.run(asked);
      EXPECT_NE(answer.out.find("NETNS"), std::string::npos) << answer.out;
      std::string_view rest = answer.out;
      std::set<std::string_view> rows;
      while (!rest.empty()) {
        const std::string_view line = base::take_until(rest, '\n');
        EXPECT_LE(base::display_width(line), 80U) << line;
        EXPECT_TRUE(rows.insert(line).second) << line;
      }
    }
  }
}

TEST(Ports, TakesTheCollectorThatIsNamed) {
  Server twin;
  twin.run({"ports", "--collector", "proc"});
  EXPECT_EQ(twin.asked_collector, model::CollectorKind::kProc);
  twin.run({"ports", "--collector=auto"});
  EXPECT_EQ(twin.asked_collector, std::nullopt);
  const auto wrong = twin.run({"ports", "--collector", "ebpf"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("there is no collector \"ebpf\""), std::string::npos);
  twin.no_collector = base::Error{base::ErrorKind::kPermission, "BPF needs CAP_BPF; run as root"};
  const auto denied = twin.run({"ports", "--collector", "bpf"});
  EXPECT_EQ(denied.code, 3);
  EXPECT_EQ(denied.err, "twinport: BPF needs CAP_BPF; run as root\n");
}

}  // namespace
}  // namespace apps
