#include "apps/cmd_who.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "base/text.h"

namespace apps {
namespace {

using model::Protocol;
using model::SocketState;

/// A web server in a container with a login over SSH beside it.
class Who : public ::testing::Test {
 protected:
  Who() {
    setenv("TZ", "UTC", 1);
    tzset();
    twin.published = model::PublishedPorts{};
    auto& sockets = twin.sockets;
    sockets.listen(Protocol::kTcp, "0.0.0.0:22").send_queue = 128;
    sockets.hold(700, 3);
    sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kEstablished, "10.9.0.7:50000");
    sockets.hold(901, 4);
    sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kEstablished, "10.9.0.8:50000");
    sockets.hold(902, 4);
    sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kTimeWait, "10.9.0.7:49000").inode = 0;
    twin.processes.add(700, "sshd").placement.unit = "ssh.service";
    for (const int pid : {901, 902}) {
      model::Process& session = twin.processes.add(pid, "sshd");
      session.placement.unit = "session-" + std::to_string(pid) + ".scope";
      session.ancestors = {{700, "sshd"}, {1, "systemd"}};
    }
    twin.packages["/usr/sbin/sshd"] = {"openssh-server", "1:9.2p1-2", {}};
  }

  MachineTwin twin;
};

TEST_F(Who, TellsListenersAndConnectionsApartAndWhyTheyRun) {
  const auto answer = twin.run({"who", "22"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.err, "");
  EXPECT_GOLDEN("cli/who-22.txt", answer.out);
  EXPECT_EQ(twin.sockets.asked->ports, (model::PortRange{22, 22}));
}

TEST_F(Who, NarrowsToOnePeer) {
  const auto answer = twin.run({"who", "22", "--peer", "10.9.0.8"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_TRUE(answer.out.starts_with("1 connection with 10.9.0.8 has to do with port 22.\n"))
      << answer.out;
  EXPECT_NE(answer.out.find("sshd (pid 902) serves 1 connection"), std::string::npos);
  EXPECT_EQ(answer.out.find("pid 901"), std::string::npos);
  EXPECT_EQ(twin.run({"who", "22", "--peer", "10.9.0.8:50000"}).code, 0);
  EXPECT_EQ(twin.run({"who", "22", "--peer", "10.9.0.8:50001"}).out,
            "No connection with 10.9.0.8:50001 has to do with port 22 now.\n");
  EXPECT_EQ(twin.run({"who", "22", "--peer", "example.org"}).code, 2);
  EXPECT_EQ(twin.run({"who", "22", "--peer", "10.9.0.8:1-9"}).code, 2);
}

TEST_F(Who, NarrowsToOneAddress) {
  EXPECT_EQ(twin.run({"who", "10.0.0.6:22/udp"}).out,
            "Nobody holds port 22/udp of 10.0.0.6 now.\n");
  EXPECT_EQ(twin.run({"who", "10.0.0.6:22"}).code, 0);
}

TEST_F(Who, SaysThatNobodyHoldsIt) {
  const auto one = twin.run({"who", "1744"});
  EXPECT_EQ(one.code, 0);
  EXPECT_EQ(one.out, "Nobody holds port 1744 on this machine now.\n");
  const auto range = twin.run({"who", "1743-1844"});
  EXPECT_EQ(range.code, 0);
  EXPECT_EQ(range.out, "Nobody holds any port of 1743-1844 on this machine now.\n");
}

TEST_F(Who, TellsEachHeldPortOfARange) {
  twin.sockets.listen(Protocol::kUdp, "0.0.0.0:53");
  twin.sockets.hold(400, 3);
  twin.processes.add(400, "named");
  const auto answer = twin.run({"who", "20-60"});
  EXPECT_NE(answer.out.find("listens on port 22/tcp"), std::string::npos);
  EXPECT_NE(answer.out.find("named (pid 400) holds port 53/udp"), std::string::npos);
}

TEST_F(Who, AnswersForEachPortAskedFor) {
  const auto answer = twin.run({"who", "22", "80", "443"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_NE(answer.out.find("listens on port 22/tcp"), std::string::npos);
  EXPECT_TRUE(answer.out.ends_with("\nNobody holds any port of 80 and 443 on this machine now.\n"))
      << answer.out;
  EXPECT_EQ(twin.run({"who", "22/tcp", "53/udp"}).code, 2);
}

TEST_F(Who, SaysWhatItPassedOver) {
  EXPECT_EQ(twin.run({"who", "56744", "TCP", "2024"}).out,
            "Read as port 56744/tcp; passed over 2024.\n\n"
            "Nobody holds port 56744/tcp on this machine now.\n");
}

TEST_F(Who, AdmitsWhatItCannotSee) {
  twin.caller_is_root = false;
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:2024");
  twin.sockets.evidence = {{twin.sockets.raw.listed.back().inode, model::Holding::kHidden}};
  twin.sockets.raw.report.complete = false;
  twin.sockets.raw.report.blind_spots = {"The open files of 12 processes may not be read."};
  const auto held = twin.run({"who", "2024"});
  EXPECT_EQ(held.code, 1);
  EXPECT_GOLDEN("cli/who-2024-hidden.txt", held.out);
  const auto nobody = twin.run({"who", "1744"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_EQ(nobody.out,
            "Nobody that we can see holds port 1744; not all of this machine could be read.\n"
            "\n"
            "What could not be seen\n"
            "  - The open files of 12 processes may not be read.\n"
            "  - Run as root to see more.\n");
}

TEST_F(Who, WhereEveryHolderIsNamedItDoesNotMatterWhatElseIsHidden) {
  twin.sockets.raw.report.complete = false;
  twin.sockets.raw.report.processes_hidden = 1;
  twin.sockets.raw.report.blind_spots = {"The open files of 1 process may not be read."};
  for (const char* command : {"who", "explain"}) {
    const auto held = twin.run({command, "22/tcp"});
    EXPECT_EQ(held.code, 0) << command << held.out;
    EXPECT_NE(held.out.find("The open files of 1 process may not be read."), std::string::npos)
        << "the reader is told all the same: " << held.out;
    EXPECT_EQ(twin.run({command, "1744"}).code, 1) << command;
    EXPECT_EQ(twin.run({command, "22-23"}).code, 1) << command << ": nobody is seen on 23";
  }
}

TEST_F(Who, NamesAPortThatThePacketFilterSendsElsewhere) {
  model::PublishedPort rule;
  rule.ports = {8080, 8080};
  rule.target = *model::parse_ip_address("172.17.0.2");
  rule.target_ports = {80, 80};
  rule.rule = "ip nat DOCKER";
  twin.published = model::PublishedPorts{{rule}, {}};
  const auto answer = twin.run({"who", "8080"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_TRUE(
      answer.out.starts_with("No program here holds port 8080/tcp, yet it is open: the "
                             "packet filter sends it\non to 172.17.0.2 port 80.\n"))
      << answer.out;
  // What answers may listen on a port of another number.
  EXPECT_EQ(twin.sockets.asked->ports, std::nullopt);
}

TEST_F(Who, NamesEveryHolderHoweverMany) {
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  for (int pid = 3000; pid < 3020; ++pid) {
    twin.sockets.hold(pid, 6);
    twin.processes.add(pid, "worker").placement.unit = "pool.service";
  }
  for (int pid = 4000; pid < 4010; ++pid) {
    twin.sockets.hold(pid, 6);
    twin.processes.add(pid, "only" + std::to_string(pid));
  }
  const auto answer = twin.run({"who", "80"});
  for (int pid = 3000; pid < 3020; ++pid) {
    EXPECT_NE(answer.out.find(std::to_string(pid)), std::string::npos) << pid << answer.out;
  }
  for (int pid = 4000; pid < 4010; ++pid) {
    EXPECT_NE(answer.out.find("only" + std::to_string(pid) + " (pid"), std::string::npos) << pid;
  }
}

TEST_F(Who, NamesAProcessThatSharesItsOldestWithAnotherHold) {
  for (const int pid : {812, 813}) twin.processes.add(pid, "web").placement.unit = "web.service";
  twin.processes.add(813, "web").start_time_ns = 9;
  twin.sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  twin.sockets.hold(812, 3);
  twin.sockets.add(Protocol::kTcp, "10.0.0.5:80", SocketState::kEstablished, "10.9.0.7:50000");
  twin.sockets.hold(812, 4);
  twin.sockets.hold(813, 4);
  const auto answer = twin.run({"who", "80"});
  EXPECT_NE(answer.out.find("812 and 813"), std::string::npos) << answer.out;
}

TEST_F(Who, TellsWhatTheCheckOfTheFileGave) {
  auto& package = twin.packages["/usr/sbin/sshd"];
  package.check = model::PackageCheck::kIntact;
  const auto flat = [](std::string text) {
    std::ranges::replace(text, '\n', ' ');
    for (size_t at = 0; (at = text.find("  ")) != std::string::npos;) text.erase(at, 1);
    return text;
  };
  const auto intact = twin.run({"who", "22", "--verify"});
  EXPECT_EQ(intact.code, 0);
  EXPECT_NE(flat(intact.out).find("its file is as shipped"), std::string::npos) << intact.out;
  EXPECT_EQ(twin.run({"who", "22"}).out.find("as shipped"), std::string::npos);
  package.check = model::PackageCheck::kModified;
  const auto modified = twin.run({"who", "22", "--verify"});
  EXPECT_EQ(modified.code, 1);
  EXPECT_NE(flat(modified.out).find("ITS FILE WAS CHANGED since it was installed"),
            std::string::npos)
      << modified.out;
  EXPECT_EQ(twin.run({"who", "22"}).code, 0) << "not asked for, not known";
}

TEST_F(Who, AFilterThatCouldNotBeReadLeavesTheAnswerOpen) {
  twin.published = base::fail(base::ErrorKind::kIo, "netlink failed");
  EXPECT_EQ(twin.run({"who", "22"}).code, 0) << "its holder is named";
  EXPECT_EQ(twin.run({"who", "1744"}).code, 1);
  const auto nobody = twin.run({"explain", "1744"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_TRUE(nobody.out.starts_with("Nobody that we can see")) << nobody.out;
  EXPECT_EQ(twin.run({"explain", "22"}).out.find("Cannot tell."), std::string::npos);
  twin.published = base::fail(base::ErrorKind::kUnsupported, "no packet filter");
  EXPECT_EQ(twin.run({"who", "1744"}).code, 0);
}

TEST_F(Who, ARangeIsReadOnceWhateverItsSize) {
  // Forwarded ports and sockets of a whole range: asking anew for each port would take minutes.
  model::PublishedPort rule;
  rule.ports = {10000, 13999};
  rule.target_ports = {30000, 33999};
  twin.published = model::PublishedPorts{{rule}, {}};
  for (int port = 30000; port < 34000; ++port) {
    twin.sockets.listen(Protocol::kTcp, "0.0.0.0:" + std::to_string(port));
    twin.sockets.hold(700, port);
  }
  const auto answer = twin.run({"who", "10000-33999", "--json"});
  EXPECT_EQ(answer.code, 0);
  size_t headlines = 0;
  for (size_t at = 0; (at = answer.out.find("\"headline\"", at)) != std::string::npos; ++at) {
    ++headlines;
  }
  EXPECT_EQ(headlines, 8000U);
}

TEST_F(Who, WithoutRootSaysInALineOrTwoWhatIsOutOfSight) {
  twin.caller_is_root = false;
  twin.sockets.raw.report.complete = false;
  twin.sockets.raw.report.processes_hidden = 117;
  twin.sockets.raw.report.blind_spots = {"One thing.", "Another thing.", "A third."};
  const auto answer = twin.run({"who", "4711"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.out,
            "Nobody that we can see holds port 4711; not all of this machine could be read.\n"
            "\n"
            "What could not be seen\n"
            "  - The open files of 117 processes of other users, and sockets in network\n"
            "    namespaces that only theirs live in: run as root to see them.\n"
            "  - All 3 blind spots of this look are listed by --json.\n");
  twin.caller_is_root = true;
  EXPECT_NE(twin.run({"who", "4711"}).out.find("Another thing."), std::string::npos);
}

TEST_F(Who, PortZeroIsNobodysWhateverIsOutOfSight) {
  twin.sockets.raw.report.complete = false;
  twin.sockets.raw.report.processes_hidden = 3;
  const auto answer = twin.run({"who", "0"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.out,
            "Nobody can hold port 0: it is a placeholder, not a port. `twinport explain 0`\n"
            "tells where logs have it from.\n");
  EXPECT_EQ(twin.run({"who", "0-1"}).code, 1);
}

TEST_F(Who, WritesHoldersAndSocketsAsJson) {
  const auto answer = twin.run({"who", "22/tcp", "--peer", "10.9.0.7", "--json"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_GOLDEN("cli/who-22-peer.json", answer.out);
}

}  // namespace
}  // namespace apps
