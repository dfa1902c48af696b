#include "ports/explain.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "ports/explain_range.h"
#include "testkit/small_world.h"

namespace {

using model::Holding;
using model::Protocol;
using model::SocketState;
using ports::Explanation;
using ports::Hold;
using ports::Level;
using ports::PortQuery;
using testkit::SmallWorld;

class Explain : public ::testing::Test {
 protected:
  Explanation explain(uint16_t port, PortQuery query = {}) {
    query.ports = {{port, port}};
    inventory = world.look();
    return ports::explain(query, port, input());
  }
  [[nodiscard]] ports::ExplainInput input() const {
    return {inventory, uses, entries, local_addresses, {.caller_is_root = true}};
  }

  SmallWorld world;
  model::Inventory inventory;
  ports::KnownUses uses{{}};
  std::vector<model::RegistryEntry> entries;
  std::vector<model::IpAddress> local_addresses;
};

model::RegistryEntry row(uint16_t port, Protocol protocol, std::string_view service) {
  model::RegistryEntry out;
  out.ports = {port, port};
  out.protocol = protocol;
  out.service = service;
  out.description = service;
  return out;
}

TEST_F(Explain, SaysThatNobodyHoldsAPort) {
  const Explanation out = explain(1744);
  EXPECT_EQ(out.headline, "Nobody holds port 1744 on this machine now.");
  EXPECT_FALSE(out.somebody_holds);
  EXPECT_FALSE(out.absence.empty());
  EXPECT_FALSE(out.needs_attention());
  EXPECT_EQ(out.verdict.kind, model::VerdictKind::kUnjudged);
}

TEST_F(Explain, NamesTheListenerFirst) {
  world.processes.add(812, "sshd");
  world.sockets.listen(Protocol::kTcp, "127.0.0.1:22");
  world.sockets.hold(812, 3);
  const Explanation out = explain(22);
  EXPECT_EQ(out.headline, "sshd (pid 812) listens on port 22/tcp, for this machine only.");
  EXPECT_TRUE(out.absence.empty());
}

TEST_F(Explain, NamesEveryProgramOfASharedPort) {
  world.processes.add(10, "systemd");
  world.processes.add(20, "cupsd");
  world.sockets.listen(Protocol::kTcp, "127.0.0.1:631");
  world.sockets.hold(10, 6);
  world.sockets.hold(20, 3);
  EXPECT_EQ(explain(631).headline,
            "systemd (pid 10) and cupsd (pid 20) listen on port 631/tcp, for this machine only.");
}

TEST_F(Explain, JoinsTcpAndUdpOfOneServer) {
  world.processes.add(5, "named");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:53");
  world.sockets.hold(5, 3);
  world.sockets.listen(Protocol::kUdp, "0.0.0.0:53");
  world.sockets.hold(5, 4);
  EXPECT_EQ(explain(53).headline.substr(0, 52),
            "named (pid 5) listens on port 53 (TCP and UDP), open");
}

TEST_F(Explain, AHiddenOwnerIsSaidToBeOutOfSight) {
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:2024");
  world.sockets.raw.report.processes_hidden = 1;
  const Explanation out = explain(2024);
  EXPECT_EQ(out.headline.substr(0, 25), "Somebody out of our sight");
  EXPECT_TRUE(out.needs_attention());
}

// However many processes are kept from us: these belong to none.
TEST_F(Explain, WhatTheKernelItselfHoldsIsNeverCalledOutOfSight) {
  const std::vector<std::pair<SocketState, model::Holding>> cases{
      {SocketState::kTimeWait, model::Holding::kTimeWait},
      {SocketState::kSynReceived, model::Holding::kHandshake},
      {SocketState::kNewSynReceived, model::Holding::kHandshake},
      {SocketState::kEstablished, model::Holding::kNotAccepted},
      {SocketState::kCloseWait, model::Holding::kNotAccepted},
      {SocketState::kSynSent, model::Holding::kOrphaned},
      {SocketState::kFinWait1, model::Holding::kOrphaned},
      {SocketState::kFinWait2, model::Holding::kOrphaned},
      {SocketState::kLastAck, model::Holding::kOrphaned},
      {SocketState::kClosing, model::Holding::kOrphaned},
  };
  world.sockets.raw.report.processes_hidden = 3;
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::string local = "10.0.0.5:" + std::to_string(40000 + i);
    world.sockets.add(Protocol::kTcp, local, cases[i].first, "192.0.2.1:443").inode = 0;
  }
  for (size_t i = 0; i < cases.size(); ++i) {
    const Explanation out = explain(static_cast<uint16_t>(40000 + i));
    ASSERT_EQ(out.holds.size(), 1U);
    EXPECT_EQ(out.holds.front().holding, cases[i].second) << i;
    EXPECT_EQ(out.headline.find("sight"), std::string::npos) << out.headline;
    EXPECT_FALSE(has_unnamed_holder(out)) << i;
  }
}

// Not so of a connection that is being made: its program holds it from the first packet on.
TEST_F(Explain, AConnectThatIsUnderWayHasItsProgram) {
  world.processes.add(7, "curl");
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kSynSent, "192.0.2.1:443");
  world.sockets.hold(7, 3);
  world.sockets.raw.report.processes_hidden = 3;
  EXPECT_EQ(explain(40000).headline.substr(0, 12), "curl (pid 7)");
}

TEST_F(Explain, AnInterpreterIsNamedWithWhatItsCommandLineSays) {
  auto& process = world.processes.add(7, "python3");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:8000");
  world.sockets.hold(7, 3);
  process.script = {model::ScriptKind::kFile, "/srv/app.py"};
  EXPECT_EQ(explain(8000).headline.substr(0, 46), "python3 running /srv/app.py (pid 7) listens on");
  world.processes.add(7, "python3").script = {model::ScriptKind::kFile, "/srv/a b\x1b.py"};
  EXPECT_EQ(explain(8000).headline.substr(0, 26), "python3 running \"/srv/a b\x1b");
  world.processes.add(7, "python3").script = {model::ScriptKind::kInline, ""};
  EXPECT_EQ(explain(8000).headline.substr(0, 45), "python3 running code given on its command lin");
}

TEST_F(Explain, OnlyClosedConnectionsHoldNothing) {
  auto& socket =
      world.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kTimeWait, "192.0.2.1:443");
  socket.inode = 0;
  const Explanation out = explain(40000);
  EXPECT_EQ(out.headline.substr(0, 41), "Nobody holds port 40000/tcp any more: a c");
  EXPECT_FALSE(out.needs_attention());
}

TEST_F(Explain, APublishedPortIsNotCalledUnheld) {
  model::PublishedPort rule;
  rule.ports = {8080, 8089};
  rule.target = *model::parse_ip_address("172.17.0.2");
  rule.target_ports = {80, 89};
  rule.rule = "ip nat DOCKER";
  world.published.push_back(rule);
  model::NetNamespace container;
  container.inode = 77;
  container.tables_read = true;
  world.sockets.raw.namespaces.push_back(container);
  world.processes.add(7, "nginx");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:82").netns = 77;
  world.sockets.hold(7, 6);
  const Explanation out = explain(8082);
  EXPECT_EQ(out.headline.substr(0, 34), "No program here holds port 8082/tc");
  EXPECT_TRUE(out.absence.empty());
  ASSERT_EQ(out.behind_published.size(), 1U) << "the third port of the range goes to the third";
  EXPECT_EQ(out.behind_published[0].port, 82);
}

TEST_F(Explain, ARuleForAnotherAddressOrNamespacePublishesNothingHere) {
  model::NetNamespace blue;
  blue.inode = 77;
  blue.tables_read = true;
  world.sockets.raw.namespaces.push_back(blue);
  model::PublishedPort rule;
  rule.ports = {8080, 8080};
  rule.destination = *model::parse_ip_address("10.0.0.0");
  rule.destination_bits = 24;
  world.published.push_back(rule);
  PortQuery query;
  for (const auto& [address, found] :
       {std::pair{"10.0.0.5", 1U}, std::pair{"::ffff:10.0.0.5", 1U}, std::pair{"10.0.1.5", 0U},
        std::pair{"fd00::1", 0U}, std::pair{"0.0.0.0", 1U}}) {
    query.address = model::parse_ip_address(address);
    EXPECT_EQ(explain(8080, query).published.size(), found) << address;
    query.ports = {{8000, 8100}};
    EXPECT_EQ(ports::explain_range(query, input()).held.size(), found) << address;
  }
  EXPECT_EQ(explain(8080).published.size(), 1U);
  world.published[0].netns = 77;
  EXPECT_EQ(explain(8080).published.size(), 0U);
}

TEST_F(Explain, ARuleForThisMachinesOwnConnectionsDoesNotOpenAPort) {
  model::PublishedPort rule;
  rule.ports = {8080, 8080};
  rule.outgoing_only = true;
  rule.rule = "ip nat OUTPUT";
  world.published.push_back(rule);
  EXPECT_EQ(explain(8080).headline, "Nobody holds port 8080 on this machine now.");
}

TEST_F(Explain, AListenerElsewhereIsNotOursAndNotHidden) {
  model::NetNamespace blue;
  blue.inode = 77;
  blue.tables_read = true;
  world.sockets.raw.namespaces.push_back(blue);
  world.processes.add(7, "nginx");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:80").netns = 77;
  world.sockets.hold(7, 6);
  EXPECT_EQ(explain(80).headline,
            "Nobody holds port 80 in this network namespace. In another, nginx (pid 7) listens on "
            "port 80/tcp, open to every address.");
  const auto checks = explain(80).checks;
  EXPECT_TRUE(std::ranges::any_of(checks, [](const ports::HandCheck& check) {
    return check.command == "sudo nsenter -t 7 -n ss -tulnp 'sport = :80'";
  })) << "what this namespace's commands do not see";
}

TEST_F(Explain, ConnectionsToThePortElsewhereHoldNothingHere) {
  world.processes.add(9, "curl");
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kEstablished, "192.0.2.1:443");
  world.sockets.hold(9, 5);
  const Explanation out = explain(443);
  EXPECT_EQ(out.headline,
            "Nobody holds port 443 here: it is the other end of a connection that curl (pid 9) has "
            "with 192.0.2.1; this end is 10.0.0.5:40000.");
  EXPECT_FALSE(out.somebody_holds);
}

TEST_F(Explain, AClosedConnectionToThePortElsewhereNeedsNoSubject) {
  world.sockets.add(Protocol::kTcp, "127.0.0.1:1744", SocketState::kTimeWait, "127.13.2.1:56744")
      .inode = 0;
  EXPECT_EQ(explain(56744).headline,
            "Nobody holds port 56744 here: it is the other end of a connection with 127.13.2.1, "
            "closed already; this end is 127.0.0.1:1744.");
}

TEST_F(Explain, OnlyTheGhostAmongTheNamesIsCalledOne) {
  entries = {row(4444, Protocol::kTcp, "krb524"), row(4444, Protocol::kUdp, "nv-video")};
  entries[1].description = "NV Video default";
  const std::string one = explain(4444).summary;
  EXPECT_TRUE(
      one.starts_with("It is registered as krb524 and nv-video, where krb524 is a name for "
                      "which we found no documentation (a ghost registration)"))
      << one;
  entries.pop_back();
  EXPECT_TRUE(
      explain(4444).summary.starts_with("It is registered as krb524, a name for which we "
                                        "found no documentation (a ghost registration)"))
      << explain(4444).summary;
}

TEST_F(Explain, SoftwareThatIsOnlyPlannedIsNotSaidToUseThePort) {
  uses = ports::KnownUses::built_in();
  const std::string summary = explain(1744).summary;
  EXPECT_EQ(summary.find("Twinport"), std::string::npos) << summary;
  EXPECT_NE(summary.find("Unitrends"), std::string::npos) << summary;
}

TEST_F(Explain, ARangeTellsTheWeakerSignsToo) {
  world.processes.add(9, "thing");
  world.sockets.listen(Protocol::kTcp, "127.0.0.1:40000");
  world.sockets.hold(9, 3);
  inventory = world.look();
  PortQuery query;
  query.ports = {{39999, 40001}};
  EXPECT_EQ(ports::explain_range(query, input()).headline,
            "1 port of 3 ports is open on this machine; no clear sign against it, weaker ones are "
            "listed below.");
}

TEST_F(Explain, UnreadTablesAreNotAnEmptyPort) {
  world.sockets.raw.namespaces[0].tables_read = false;
  world.sockets.raw.namespaces[0].why = "permission denied";
  const Explanation out = explain(1744);
  EXPECT_EQ(out.assessment.level, Level::kCannotTell);
  EXPECT_EQ(out.headline.substr(0, 11), "Cannot tell");
  EXPECT_TRUE(out.absence.empty());
}

TEST_F(Explain, OtherNamespacesThatCouldNotBeReadAreNamed) {
  model::NetNamespace blue;
  blue.inode = 77;
  blue.why = "root is needed";
  world.sockets.raw.namespaces.push_back(blue);
  const Explanation out = explain(1744);
  ASSERT_EQ(out.gaps.size(), 1U);
  EXPECT_EQ(out.gaps[0], "1 other network namespace could be seen only in part (root is needed).");
  EXPECT_EQ(out.headline,
            "Nobody that we can see holds port 1744; not all of this machine could be read.");
  EXPECT_EQ(out.assessment.sentence, "Cannot tell. " + out.gaps[0]);
  EXPECT_TRUE(out.needs_attention());
}

TEST_F(Explain, NobodyFoundIsNoAnswerWhereSomebodyMayBeOutOfSight) {
  world.sockets.raw.report.blind_spots = {"Something that no look sees."};
  EXPECT_FALSE(explain(1744).needs_attention()) << "true of every look";
  world.sockets.raw.report.complete = false;
  const Explanation nobody = explain(1744);
  EXPECT_EQ(nobody.assessment.level, Level::kCannotTell);
  EXPECT_EQ(nobody.headline.substr(0, 22), "Nobody that we can see");
  world.processes.add(812, "sshd");
  world.sockets.listen(Protocol::kTcp, "127.0.0.1:22");
  world.sockets.hold(812, 3);
  EXPECT_EQ(explain(22).assessment.level, Level::kNoConcern) << "the holder was found";
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kTimeWait, "192.0.2.1:443")
      .inode = 0;
  const Explanation closed = explain(40000);
  EXPECT_EQ(closed.assessment.level, Level::kCannotTell);
  EXPECT_EQ(closed.headline.substr(0, 22), "Nobody that we can see");
}

TEST_F(Explain, InAPidNamespaceOfOurOwnNobodyFoundIsNoAnswer) {
  world.sockets.raw.report.outsiders_unseen = true;
  const Explanation nobody = explain(1744);
  EXPECT_EQ(nobody.headline,
            "Nobody that we can see holds port 1744; not all of this machine could be read.");
  EXPECT_TRUE(nobody.needs_attention());
}

TEST_F(Explain, TellsWhoHoldsThePortAtAnotherAddressThanTheOneAskedFor) {
  world.processes.add(812, "sshd");
  world.sockets.listen(Protocol::kTcp, "[::1]:22");
  world.sockets.hold(812, 3);
  PortQuery query;
  query.address = model::parse_ip_address("127.0.0.1");
  EXPECT_EQ(explain(22, query).headline,
            "Nobody holds port 22 of 127.0.0.1 now. At another address of this machine sshd (pid "
            "812) holds it.");
  query.address = model::parse_ip_address("::1");
  EXPECT_EQ(explain(22, query).headline.substr(0, 24), "sshd (pid 812) listens o");
  query.address = model::parse_ip_address("127.0.0.1");
  EXPECT_EQ(explain(23, query).headline, "Nobody holds port 23 of 127.0.0.1 now.");
}

TEST_F(Explain, ARangeIsNotCalledFreeWhereSomebodyMayBeOutOfSight) {
  PortQuery query;
  query.ports = {{1743, 1844}};
  inventory = world.look();
  EXPECT_FALSE(ports::explain_range(query, input()).needs_attention());
  world.sockets.raw.report.complete = false;
  inventory = world.look();
  const auto out = ports::explain_range(query, input());
  EXPECT_EQ(out.headline,
            "Nobody that we can see listens on any of these 102 ports; not all of this machine "
            "could be read.");
  EXPECT_TRUE(out.needs_attention());
}

TEST_F(Explain, SaysHowAPastedQuestionWasRead) {
  PortQuery query;
  query.protocol = Protocol::kTcp;
  query.ignored = {"2024"};
  EXPECT_EQ(explain(56744, query).understood, "Read as port 56744/tcp; passed over 2024.");
}

TEST_F(Explain, TellsAForeignAddressFromAnOwnOne) {
  local_addresses = {*model::parse_ip_address("10.0.0.5")};
  PortQuery query;
  query.address = model::parse_ip_address("10.0.0.5");
  EXPECT_EQ(explain(80, query).understood, "");
  query.address = model::parse_ip_address("10.0.0.6");
  EXPECT_NE(explain(80, query).understood.find("not an address of this machine"),
            std::string::npos);
  local_addresses.clear();
  EXPECT_EQ(explain(80, query).understood, "") << "nothing is known of our addresses";
}

TEST_F(Explain, CountsAServiceOnSeveralTransportsOnce) {
  entries = {row(1744, Protocol::kTcp, "ncpm-ft"), row(1744, Protocol::kUdp, "ncpm-ft")};
  const Explanation out = explain(1744);
  ASSERT_EQ(out.registrations.size(), 1U);
  EXPECT_EQ(out.registrations[0].protocols, (std::vector{Protocol::kTcp, Protocol::kUdp}));
  EXPECT_TRUE(out.registrations[0].ghost.ghost);
  EXPECT_NE(out.summary.find("ghost registration"), std::string::npos);
}

TEST_F(Explain, AQuestionAboutOneTransportIsNotAnsweredWithAnother) {
  entries = {row(22, Protocol::kTcp, "ssh"), row(22, Protocol::kUdp, "other")};
  world.sockets.listen(Protocol::kUdp, "0.0.0.0:22");
  PortQuery query;
  query.protocol = Protocol::kTcp;
  const Explanation out = explain(22, query);
  EXPECT_TRUE(out.holds.empty());
  ASSERT_EQ(out.registrations.size(), 1U);
  EXPECT_EQ(out.registrations[0].entry.service, "ssh");
}

TEST_F(Explain, ARangeListsWhatIsOpenInItAndJudgesEach) {
  world.processes.add(9, "twinport");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:1743");
  world.sockets.hold(9, 3);
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:1800");
  world.sockets.raw.report.processes_hidden = 1;
  inventory = world.look();
  PortQuery query;
  query.ports = {{1745, 1844}, {1743, 1743}, {1744, 1744}};
  entries = {row(1744, Protocol::kTcp, "ncpm-ft"), row(1746, Protocol::kTcp, "x")};
  const auto out = ports::explain_range(query, input());
  EXPECT_EQ(out.ports, (std::vector<model::PortRange>{{1743, 1844}}));
  EXPECT_EQ(out.size, 102U);
  EXPECT_EQ(out.registered, 2U);
  ASSERT_EQ(out.held.size(), 2U);
  EXPECT_EQ(out.held[0].port, 1743);
  EXPECT_EQ(out.held[1].assessment.level, Level::kCannotTell);
  EXPECT_TRUE(out.needs_attention());
  EXPECT_EQ(
      out.headline,
      "At least 2 ports of 102 ports are open on this machine, and 1 of them asks for a look.");
}

TEST_F(Explain, ARangeListsWhatIsBoundWithoutListening) {
  world.processes.add(9, "rpcd");
  world.sockets.add(Protocol::kTcp, "0.0.0.0:1750", SocketState::kBoundInactive, "");
  world.sockets.hold(9, 3);
  world.sockets.add(Protocol::kTcp, "10.0.0.5:1751", SocketState::kEstablished, "192.0.2.1:443");
  const auto range = [&] {
    inventory = world.look();
    PortQuery query;
    query.ports = {{1743, 1844}};
    return ports::explain_range(query, input());
  };
  const auto taken = range();
  ASSERT_EQ(taken.held.size(), 1U) << "a connection holds no port for callers";
  EXPECT_EQ(taken.held[0].port, 1750);
  EXPECT_EQ(taken.headline,
            "Nobody listens on any of these 102 ports on this machine now; 1 is taken all the "
            "same.");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:1743");
  world.sockets.hold(9, 4);
  EXPECT_EQ(range().headline.substr(0, 79),
            "1 port of 102 ports is open on this machine; 1 more is taken without listening;");
}

// Random machines: whatever the sockets, an answer never names a process that does not hold one of
// the port's sockets, and never leaves out one that does.
TEST_F(Explain, NamesExactlyTheHoldersWhateverTheSockets) {
  std::mt19937 random(1744);
  const auto pick = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
  const auto address = [&](uint16_t port) {
    static constexpr std::array<const char*, 5> kHosts{"0.0.0.0", "127.0.0.1", "10.0.0.5", "[::]",
                                                       "[::ffff:10.0.0.5]"};
    return std::string(kHosts[pick(kHosts.size())]) + ":" + std::to_string(port);
  };
  for (int round = 0; round < 300; ++round) {
    SmallWorld random_world;
    for (int pid = 1; pid <= 6; ++pid) {
      if (pick(5) != 0) random_world.processes.add(pid, "p" + std::to_string(pid % 3));
    }
    for (uint32_t i = 0, count = pick(12); i < count; ++i) {
      const auto state = static_cast<SocketState>(1 + pick(13));
      const auto protocol = pick(3) == 0 ? Protocol::kUdp : Protocol::kTcp;
      const auto local = static_cast<uint16_t>(80 + pick(3));
      const auto remote = static_cast<uint16_t>(80 + pick(3));
      const bool connected = state != SocketState::kListen && pick(4) != 0;
      auto& socket = random_world.sockets.add(protocol, address(local), state,
                                              connected ? address(remote) : "");
      if (state == SocketState::kTimeWait) {
        socket.inode = 0;
        continue;
      }
      for (uint32_t owner = 0, owners = pick(3); owner < owners; ++owner) {
        random_world.sockets.hold(static_cast<int32_t>(1 + pick(6)), static_cast<int32_t>(owner));
      }
    }
    inventory = random_world.look();
    PortQuery query;
    query.ports = {{80, 80}};
    const Explanation out = ports::explain(query, 80, input());

    std::set<int32_t> holders;
    uint32_t sockets = 0;
    for (const auto& socket : inventory.sockets) {
      if (socket.local.port != 80 && socket.remote.port != 80) continue;
      ++sockets;
      for (const auto& owner : inventory.owners_of(socket)) {
        holders.insert(inventory.processes[owner.process].pid);
      }
    }
    std::set<int32_t> named;
    uint32_t counted = 0;
    for (const Hold& hold : out.holds) {
      counted += hold.sockets;
      EXPECT_EQ(hold.programs.empty(), hold.holding != Holding::kOwned) << "round " << round;
      if (hold.holding == Holding::kTimeWait) {
        EXPECT_TRUE(hold.programs.empty());
        EXPECT_TRUE(hold.creators.empty()) << "uid 0 of a closed connection is nobody's";
      }
      for (const auto& program : hold.programs)
        named.insert(program.pids.begin(), program.pids.end());
    }
    EXPECT_EQ(named, holders) << "round " << round;
    EXPECT_EQ(counted, sockets) << "round " << round;
    EXPECT_FALSE(out.headline.empty());
    EXPECT_EQ(out.headline.find("\"\""), std::string::npos) << out.headline;
  }
}

}  // namespace
