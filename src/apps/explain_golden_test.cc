// Whole answers of `twinport explain`, over machines held in memory.
#include <cstdlib>
#include <ctime>
#include <string>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "base/text.h"

namespace apps {
namespace {

using model::Protocol;
using model::SocketState;

class ExplainGolden : public ::testing::Test {
 protected:
  ExplainGolden() {
    setenv("TZ", "UTC", 1);
    tzset();
    twin.published = model::PublishedPorts{};
  }

  // Checks the text against its golden file, and what must hold of every answer.
  void check(const std::string& name, int code, const std::vector<std::string>& words) {
    std::vector<std::string> arguments{"explain"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const auto answer = twin.run(arguments);
    EXPECT_EQ(answer.err, "");
    EXPECT_EQ(answer.code, code);
    EXPECT_GOLDEN("explain/" + name, answer.out);
    std::string_view rest = answer.out;
    while (!rest.empty()) {
      const auto line = base::take_until(rest, '\n');
      EXPECT_LE(base::display_width(line), 80U) << line;
    }
  }

  model::Process& daemon(int32_t pid, const std::string& command, const std::string& package) {
    model::Process& process = twin.processes.add(pid, command);
    process.placement.unit = command + ".service";
    if (!package.empty()) twin.packages[process.exe] = {package, "1.0-1", {}};
    return process;
  }

  MachineTwin twin;
};

TEST_F(ExplainGolden, GhostPortThatNobodyHolds) { check("1744.txt", 0, {"1744"}); }

TEST_F(ExplainGolden, PortPastedFromAnArticle) { check("56744.txt", 0, {"56744", "TCP", "2024"}); }

TEST_F(ExplainGolden, SshdHoldsItsPort) {
  daemon(812, "sshd", "openssh-server").placement.unit = "ssh.service";
  model::Process& session = twin.processes.add(900, "sshd");
  session.placement.unit = "session-3.scope";
  session.ancestors = {{812, "sshd"}, {1, "systemd"}};
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  twin.sockets.hold(812, 3);
  twin.sockets.listen(Protocol::kTcp, "[::]:22").v6only = true;
  twin.sockets.hold(812, 4);
  twin.sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kEstablished, "10.0.0.9:50000");
  twin.sockets.hold(900, 4);
  check("22.txt", 0, {"22"});
}

TEST_F(ExplainGolden, OwnerHiddenFromRoot) {
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:2024");
  twin.sockets.raw.report.processes_hidden = 3;
  check("2024-hidden.txt", 1, {"2024"});
}

TEST_F(ExplainGolden, OwnerHiddenFromAnOrdinaryUser) {
  twin.caller_is_root = false;
  twin.sockets.listen(Protocol::kTcp, "127.0.0.1:2024");
  twin.sockets.raw.report.processes_hidden = 90;
  check("2024-unprivileged.txt", 1, {"2024/tcp"});
}

TEST_F(ExplainGolden, SomethingElseHoldsTheBackupPort) {
  model::Process& process = twin.processes.add(4242, "twinport");
  process.exe = "/tmp/.x/twinport";
  process.uid = 33;
  process.user = "www-data";
  process.ancestors = {{4200, "sh"}, {700, "apache2"}, {1, "systemd"}};
  process.placement.unit = "apache2.service";
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:1744");
  twin.sockets.hold(4242, 5);
  check("1744-impostor.txt", 1, {"1744"});
}

TEST_F(ExplainGolden, OnlyTimeWaitIsLeft) {
  for (const char* local : {"10.0.0.5:40001", "10.0.0.6:40001"}) {
    auto& socket = twin.sockets.add(Protocol::kTcp, local, SocketState::kTimeWait, "192.0.2.1:443");
    socket.inode = 0;
  }
  check("40001-time-wait.txt", 0, {"40001"});
}

TEST_F(ExplainGolden, PublishedByThePacketFilter) {
  model::PublishedPort rule;
  rule.ports = {8080, 8080};
  rule.target = *model::parse_ip_address("172.17.0.2");
  rule.target_ports = {80, 80};
  rule.rule = "ip nat DOCKER";
  rule.conditions = "iifname != docker0";
  twin.published->ports.push_back(rule);
  check("8080-published.txt", 1, {"8080/tcp"});
}

TEST_F(ExplainGolden, PublishedAndTheContainerIsSeen) {
  model::PublishedPort rule;
  rule.ports = {8080, 8080};
  rule.target = *model::parse_ip_address("172.17.0.2");
  rule.target_ports = {80, 80};
  rule.rule = "ip nat DOCKER";
  twin.published->ports.push_back(rule);
  model::NetNamespace container;
  container.inode = 4026532999;
  container.tables_read = true;
  container.policy.known = true;
  twin.sockets.raw.namespaces.push_back(container);
  model::Process& process = twin.processes.add(77, "nginx");
  process.exe_elsewhere = true;
  process.placement.container = "3f2a9c0d1e2b";
  process.placement.container_runtime = "docker";
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:80").netns = container.inode;
  twin.sockets.hold(77, 6);
  check("8080-container.txt", 0, {"8080/tcp"});
}

TEST_F(ExplainGolden, HeldByTheKernel) {
  twin.sockets.listen(Protocol::kUdp, "0.0.0.0:51820");
  twin.sockets.evidence = {{twin.sockets.raw.listed.back().inode, model::Holding::kKernel}};
  twin.sockets.raw.namespaces[0].policy.ephemeral = {32768, 50999};
  check("51820-kernel.txt", 0, {"51820/udp"});
}

TEST_F(ExplainGolden, ConnectionsNotYetAccepted) {
  daemon(50, "nginx", "nginx");
  auto& listener = twin.sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  listener.receive_queue = 2;
  listener.send_queue = 511;
  twin.sockets.hold(50, 6);
  for (const char* peer : {"10.0.0.9:50000", "10.0.0.9:50001"}) {
    twin.sockets.add(Protocol::kTcp, "10.0.0.5:80", SocketState::kEstablished, peer).inode = 0;
  }
  check("80-not-accepted.txt", 0, {"80"});
}

TEST_F(ExplainGolden, RegisteredByTheRfcAndLentByTheKernel) {
  model::Process& process = twin.processes.add(9, "curl");
  process.exe = "/usr/bin/curl";
  process.user = "alice";
  process.uid = 1000;
  process.placement.unit = "session-2.scope";
  process.ancestors = {{8, "bash"}, {7, "sshd"}, {1, "systemd"}};
  twin.packages[process.exe] = {"curl", "7.88.1-10", {}};
  twin.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kEstablished, "192.0.2.1:443");
  twin.sockets.hold(9, 5);
  check("40000.txt", 0, {"40000"});
}

TEST_F(ExplainGolden, ScriptOpenToEverybody) {
  model::Process& process = twin.processes.add(600, "python3");
  process.exe = "/usr/bin/python3.11";
  process.user = "alice";
  process.uid = 1000;
  process.placement.unit = "session-2.scope";
  process.ancestors = {{590, "bash"}, {580, "sshd"}, {1, "systemd"}};
  twin.packages[process.exe] = {"python3.11-minimal", "3.11.2-6", {}};
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:7007");
  twin.sockets.hold(600, 3);
  check("7007-script.txt", 1, {"7007"});
}

TEST_F(ExplainGolden, PortZero) { check("0.txt", 0, {"0"}); }

TEST_F(ExplainGolden, HighestPort) { check("65535.txt", 0, {"65535"}); }

TEST_F(ExplainGolden, RangeOfTheBackupProduct) {
  daemon(812, "twinport", "");
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:1743");
  twin.sockets.hold(812, 3);
  check("1743-1844.txt", 1, {"1743-1844/tcp"});
}

TEST_F(ExplainGolden, AListIsOneAnswer) {
  daemon(812, "sshd", "openssh-server").placement.unit = "ssh.service";
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  twin.sockets.hold(812, 3);
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:22").netns = 4026532001;
  twin.sockets.hold(812, 4);
  twin.sockets.add(Protocol::kTcp, "0.0.0.0:80", model::SocketState::kBoundInactive, "");
  twin.sockets.hold(812, 5);
  const auto comma = twin.run({"explain", "22,80"});
  EXPECT_NE(comma.out.find("22/tcp: sshd (pid 812) and sshd (pid 812) in network namespace "
                           "4026532001"),
            std::string::npos)
      << comma.out;
  EXPECT_NE(comma.out.find("80/tcp: sshd (pid 812) (bound, not listening)"), std::string::npos)
      << comma.out;
  EXPECT_EQ(twin.run({"explain", "22", "80"}).out, comma.out);
  EXPECT_EQ(twin.run({"explain", "ssh", "80/tcp"}).code, 2) << "two transports";
}

TEST_F(ExplainGolden, ServiceName) { check("ssh.txt", 0, {"ssh"}); }

TEST_F(ExplainGolden, AsMarkdown) {
  daemon(812, "sshd", "openssh-server").placement.unit = "ssh.service";
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  twin.sockets.hold(812, 3);
  const auto answer = twin.run({"explain", "22/tcp", "--markdown"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_GOLDEN("explain/22.md", answer.out);
}

TEST_F(ExplainGolden, AsJson) {
  daemon(812, "sshd", "openssh-server").placement.unit = "ssh.service";
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  twin.sockets.hold(812, 3);
  const auto answer = twin.run({"explain", "22/tcp", "--json"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_GOLDEN("explain/22.json", answer.out);
}

// Whatever programs call themselves, nothing of it reaches a terminal raw, breaks a line, or is
// taken for markup.
TEST_F(ExplainGolden, HostileNamesStayNames) {
  const std::vector<std::string> names{
      "\x1b]0;owned\x07", "a\nHeld by: nobody", "\xff\xfe",   "x\r\x1b[2K", "**bold** <b>",
      "`rm -rf ~`",       "](http://x)",        "\u202Eevil", "# title",    "a|b"};
  for (const std::string& name : names) {
    MachineTwin hostile;
    hostile.published = model::PublishedPorts{};
    model::NetNamespace other;
    other.inode = 77;
    other.name = name;
    other.tables_read = true;
    hostile.sockets.raw.namespaces.push_back(other);
    model::Process& process = hostile.processes.add(9, name);
    process.exe = "/opt/" + name;
    process.user = name;
    process.uid = 1000;
    process.placement.unit = name + ".service";
    process.placement.container = name;
    process.ancestors = {{8, name}};
    hostile.packages[process.exe] = {name, name, {}};
    hostile.sockets.listen(Protocol::kTcp, "0.0.0.0:5555");
    hostile.sockets.hold(9, 3);
    hostile.sockets.listen(Protocol::kTcp, "0.0.0.0:5555").netns = 77;
    hostile.sockets.hold(9, 4);
    model::PublishedPort rule;
    rule.ports = {5555, 5555};
    rule.rule = name;
    rule.conditions = name;
    hostile.published->ports.push_back(rule);
    for (const char* form : {"", "--markdown", "--json"}) {
      std::vector<std::string> words{"explain", "5555"};
      if (*form != '\0') words.emplace_back(form);
      const std::string out = hostile.run(words).out;
      EXPECT_TRUE(base::is_valid_utf8(out)) << form;
      EXPECT_EQ(out.find("\nHeld by"), std::string::npos) << form;
      if (std::string_view(form) != "--json") {
        EXPECT_EQ(out.find("\u202E"), std::string::npos) << form;
      }
      for (const char c : out) {
        EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << form;
        EXPECT_NE(c, 0x7F) << form;
      }
      if (std::string_view(form) == "--markdown") {
        EXPECT_EQ(out.find("<b>"), std::string::npos);
        EXPECT_EQ(out.find("**bold**"), std::string::npos);
        const size_t link = out.find("](http");
        EXPECT_TRUE(link == std::string::npos || out[link - 1] == '\\');
      }
    }
  }
}

// What stands between our quotes is the name, all of it, and nothing else.
TEST_F(ExplainGolden, AQuoteInANameDoesNotEndTheQuotes) {
  twin.processes.add(9, "a\" (pid 1)");
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:5555");
  twin.sockets.hold(9, 3);
  for (const char* form : {"", "--markdown"}) {
    std::vector<std::string> words{"explain", "5555"};
    if (*form != '\0') words.emplace_back(form);
    const std::string out = twin.run(words).out;
    EXPECT_NE(out.find("\"a' (pid 1)\" (pid 9) listens"), std::string::npos) << out;
    EXPECT_EQ(out.find("a\\"), std::string::npos) << out;
  }
}

TEST_F(ExplainGolden, NeverBlamesRootForAClosedConnection) {
  twin.sockets.add(Protocol::kTcp, "10.0.0.5:40001", SocketState::kTimeWait, "192.0.2.1:443")
      .inode = 0;
  for (const char* port : {"40001", "443"}) {
    const std::string out = twin.run({"explain", port}).out;
    EXPECT_EQ(out.find("by root"), std::string::npos);
    EXPECT_EQ(out.find("user     root"), std::string::npos);
  }
}

TEST_F(ExplainGolden, WrongUsageIsTwoAndFailureIsThree) {
  EXPECT_EQ(twin.run({"explain"}).code, 2);
  EXPECT_EQ(twin.run({"explain", "70000"}).code, 2);
  EXPECT_EQ(twin.run({"explain", "no-such-service-name"}).code, 2);
  twin.no_collector = base::Error{base::ErrorKind::kIo, "cannot look"};
  const auto answer = twin.run({"explain", "22"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_EQ(answer.out, "");
}

TEST_F(ExplainGolden, AsksOnlyForTheSocketsOfThePort) {
  twin.run({"explain", "1743-1844"});
  ASSERT_TRUE(twin.sockets.asked.has_value());
  EXPECT_EQ(twin.sockets.asked->ports, (model::PortRange{1743, 1844}));
  EXPECT_FALSE(twin.sockets.asked->tcp_detail);
}

TEST_F(ExplainGolden, EphemeralOfABusyHost) {
  twin.sockets.raw.namespaces[0].policy.ephemeral = {40000, 40099};
  twin.sockets.raw.tcp_details.resize(1);
  twin.sockets.raw.tcp_details[0].last_data_sent_ms = 3U * 24 * 3600 * 1000;
  twin.processes.add(9, "crawler").start_time_unix_s = twin.now_unix_s - 9L * 24 * 3600;
  twin.processes.add(10, "agent");
  for (int i = 0; i < 92; ++i) {
    const bool closed = i >= 40;
    auto& socket = twin.sockets.add(Protocol::kTcp, "10.0.0.5:" + std::to_string(40000 + i),
                                    closed ? SocketState::kTimeWait : SocketState::kEstablished,
                                    "192.0.2.1:443");
    if (closed) {
      socket.inode = 0;
    } else {
      socket.detail = i == 0 ? 0 : -1;
      twin.sockets.hold(9, i);
    }
  }
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:40099");
  twin.sockets.hold(10, 3);
  twin.sockets.add(Protocol::kUdp, "10.0.0.5:40001", SocketState::kEstablished, "192.0.2.9:53");
  twin.sockets.hold(10, 4);
  const auto answer = twin.run({"ephemeral"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_GOLDEN("explain/ephemeral.txt", answer.out);
  const auto json = twin.run({"ephemeral", "--json", "--top", "1"});
  EXPECT_EQ(json.code, 1);
  EXPECT_GOLDEN("explain/ephemeral.json", json.out);
}

TEST_F(ExplainGolden, EphemeralOfAnIdleHost) {
  const auto answer = twin.run({"ephemeral"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_GOLDEN("explain/ephemeral-idle.txt", answer.out);
}

}  // namespace
}  // namespace apps
