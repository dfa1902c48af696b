#include "ports/doctor.h"

#include <algorithm>
#include <cerrno>

#include <gtest/gtest.h>

#include "testkit/small_world.h"

namespace {

using model::BindOutcome;
using model::BindTrial;
using model::Family;
using model::IpAddress;
using model::ProbeOutcome;
using model::Protocol;
using model::SocketState;
using ports::Diagnosis;
using ports::FindingKind;

class Doctor : public ::testing::Test {
 protected:
  Doctor() { policy.known = true; }

  Diagnosis examine() {
    const model::Inventory inventory = world.look();
    return ports::diagnose({.ports = asked,
                            .trials = trials,
                            .inventory = inventory,
                            .policy = policy,
                            .peer = peer.host.empty() ? nullptr : &peer,
                            .fallback = fallback,
                            .caller_is_root = root,
                            .filter_unread = filter_unread});
  }

  void tried(uint16_t port, BindOutcome v4, BindOutcome v6) {
    trials.push_back({.at = {IpAddress::any(Family::kIpv4), port}, .outcome = v4});
    trials.push_back({.at = {IpAddress::any(Family::kIpv6), port}, .outcome = v6});
  }

  testkit::SmallWorld world;
  std::vector<uint16_t> asked{1743, 1744};
  std::vector<BindTrial> trials;
  void probed(uint16_t port, model::ProbeOutcome outcome, Family family = Family::kIpv4) {
    peer.host = "vault";
    IpAddress address = IpAddress::any(family);
    address.bytes[15 - (family == Family::kIpv4 ? 12 : 0)] = 9;
    model::Probe probe;
    probe.to = {address, port};
    probe.outcome = outcome;
    probe.waited_ms = 3000;
    peer.probes.push_back(probe);
  }

  model::PeerProbe peer;
  const ports::Fallback* fallback = nullptr;
  model::PortPolicy policy;
  bool root = true;
  std::vector<std::string> filter_unread;
};

TEST_F(Doctor, HasNothingToSayOfFreePorts) {
  tried(1743, BindOutcome::kFree, BindOutcome::kFree);
  tried(1744, BindOutcome::kFree, BindOutcome::kFree);
  const auto found = examine();
  EXPECT_FALSE(found.needs_attention());
  EXPECT_EQ(found.next_step,
            "Nothing needs to be done: ports 1743 and 1744 can be bound here, and nothing that was "
            "looked at is in the way.");
  EXPECT_EQ(found.ports[0].sentence, "Port 1743 (control) can be bound, on IPv4 and IPv6.");
}

TEST_F(Doctor, AMachineWithoutIpv6HasOneFamilyToBind) {
  tried(1743, BindOutcome::kFree, BindOutcome::kNoAddress);
  tried(1744, BindOutcome::kFree, BindOutcome::kNoAddress);
  const auto found = examine();
  EXPECT_FALSE(found.needs_attention());
  EXPECT_EQ(found.ports[1].sentence, "Port 1744 (data) can be bound, on IPv4.");
}

TEST_F(Doctor, NamesTheHolderAndWhereThePortIsFree) {
  tried(1743, BindOutcome::kFree, BindOutcome::kFree);
  tried(1744, BindOutcome::kFree, BindOutcome::kInUse);
  world.processes.add(700, "webd");
  world.sockets.listen(Protocol::kTcp, "[::]:1744").v6only = true;
  world.sockets.hold(700, 3);
  const auto found = examine();
  ASSERT_EQ(found.findings.size(), 1U);
  EXPECT_EQ(found.findings[0].kind, FindingKind::kTaken);
  EXPECT_EQ(found.ports[1].sentence,
            "Port 1744 (data) is taken on IPv6: webd (pid 700) holds it. It is free on IPv4.");
  EXPECT_EQ(found.next_step, "Stop webd (pid 700), or have it use another port than 1744.");
  ports::Fallback spare{.range = {1745, 1749}, .free = {1747}, .passed_over = {}};
  fallback = &spare;
  EXPECT_TRUE(examine().next_step.ends_with("; until then data goes through fallback port 1747."));
  spare.free.clear();
  EXPECT_TRUE(examine().next_step.ends_with("; no fallback port is free either."));
}

TEST_F(Doctor, SeesToControlBeforeData) {
  asked = {1744, 1743};
  for (const uint16_t port : asked) {
    tried(port, BindOutcome::kInUse, BindOutcome::kFree);
    world.processes.add(port, "squatter");
    world.sockets.listen(Protocol::kTcp, "0.0.0.0:" + std::to_string(port));
    world.sockets.hold(port, 3);
  }
  const auto found = examine();
  ASSERT_EQ(found.findings.size(), 2U);
  EXPECT_EQ(found.findings[0].port, 1743);
  EXPECT_NE(found.next_step.find("squatter (pid 1743)"), std::string::npos) << found.next_step;
  EXPECT_NE(found.next_step.find("the control channel has no other port"), std::string::npos);
}

TEST_F(Doctor, TellsWhatIsOnlyBoundFromWhatListens) {
  asked = {1744};
  tried(1744, BindOutcome::kInUse, BindOutcome::kFree);
  world.processes.add(700, "squatter");
  world.sockets.add(Protocol::kTcp, "0.0.0.0:1744", SocketState::kBoundInactive);
  world.sockets.hold(700, 3);
  const auto found = examine();
  EXPECT_NE(found.ports[0].sentence.find("squatter (pid 700) has bound it without listening"),
            std::string::npos)
      << found.ports[0].sentence;
}

TEST_F(Doctor, ConnectionsInTimeWaitAreNothingInTheWay) {
  asked = {1744};
  tried(1744, BindOutcome::kFreeWithReuse, BindOutcome::kFree);
  world.sockets.add(Protocol::kTcp, "10.0.0.5:1744", SocketState::kTimeWait, "10.0.0.6:5000")
      .inode = 0;
  const auto found = examine();
  EXPECT_FALSE(found.needs_attention());
  EXPECT_NE(found.ports[0].note.find("time-wait"), std::string::npos) << found.ports[0].note;
}

TEST_F(Doctor, AHolderOfUdpOrOfAnotherNamespaceIsNoneOfTheTakenPort) {
  asked = {1744};
  tried(1744, BindOutcome::kInUse, BindOutcome::kFree);
  world.processes.add(700, "resolver");
  world.sockets.listen(Protocol::kUdp, "0.0.0.0:1744");
  world.sockets.hold(700, 3);
  model::NetNamespace blue;
  blue.inode = 77;
  blue.name = "blue";
  blue.tables_read = true;
  world.sockets.raw.namespaces.push_back(blue);
  world.processes.add(701, "contained");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:1744").netns = 77;
  world.sockets.hold(701, 3);
  const auto found = examine();
  ASSERT_EQ(found.findings.size(), 1U);
  EXPECT_EQ(found.findings[0].sentence.find("resolver"), std::string::npos);
  EXPECT_EQ(found.findings[0].sentence.find("contained"), std::string::npos);
}

TEST_F(Doctor, NobodySeenIsNotNobody) {
  asked = {1744};
  root = false;
  tried(1744, BindOutcome::kInUse, BindOutcome::kFree);
  const auto gone = examine();
  EXPECT_NE(gone.ports[0].sentence.find("may just have let go of it"), std::string::npos);
  world.sockets.raw.report.complete = false;
  world.sockets.raw.report.processes_hidden = 3;
  const auto hidden = examine();
  EXPECT_NE(hidden.ports[0].sentence.find("nobody that we can see"), std::string::npos);
  EXPECT_NE(hidden.next_step.find("as root"), std::string::npos) << hidden.next_step;
}

TEST_F(Doctor, PrivilegeAndPolicyAreToldApart) {
  asked = {443};
  tried(443, BindOutcome::kDenied, BindOutcome::kDenied);
  EXPECT_NE(examine().next_step.find("CAP_NET_BIND_SERVICE"), std::string::npos);
  policy.unprivileged_start = 80;
  EXPECT_NE(examine().next_step.find("security policy"), std::string::npos);
}

TEST_F(Doctor, ARuleThatSendsCallersElsewhereIsInTheWayOfAFreePort) {
  tried(1743, BindOutcome::kFree, BindOutcome::kFree);
  tried(1744, BindOutcome::kFree, BindOutcome::kFree);
  model::PublishedPort rule;
  rule.netns = 4026531840;
  rule.ports = {1744, 1744};
  rule.target = IpAddress{.bytes = {10, 9, 8, 7}};
  rule.target_ports = {80, 80};
  rule.rule = "ip nat DOCKER";
  world.published = {rule};
  const auto found = examine();
  ASSERT_EQ(found.findings.size(), 1U);
  EXPECT_EQ(found.findings[0].kind, FindingKind::kForwarded);
  EXPECT_NE(found.next_step.find("out of ip nat DOCKER"), std::string::npos) << found.next_step;
  world.published.front().outgoing_only = true;
  EXPECT_FALSE(examine().needs_attention());
}

TEST_F(Doctor, RulesThatCouldNotBeReadAreNoProofOfNoRules) {
  asked = {1744};
  root = false;
  tried(1744, BindOutcome::kFree, BindOutcome::kFree);
  filter_unread = {"The packet filter was not looked at."};
  const auto found = examine();
  EXPECT_TRUE(found.needs_attention());
  EXPECT_TRUE(found.next_step.starts_with("Run this as root")) << found.next_step;
}

TEST_F(Doctor, APortThatTheKernelLendsIsNoted) {
  asked = {40000};
  tried(40000, BindOutcome::kFree, BindOutcome::kFree);
  const auto found = examine();
  EXPECT_FALSE(found.needs_attention());
  EXPECT_NE(found.ports[0].note.find("ip_local_reserved_ports"), std::string::npos);
  EXPECT_EQ(found.ports[0].channel, ports::Channel::kNone);
}

TEST_F(Doctor, APeerThatAnswersIsNothingInTheWay) {
  asked = {1744};
  tried(1744, BindOutcome::kFree, BindOutcome::kFree);
  probed(1744, ProbeOutcome::kNoAnswer, Family::kIpv6);
  probed(1744, ProbeOutcome::kOpen);
  const auto found = examine();
  EXPECT_FALSE(found.needs_attention()) << "one address that is open will do";
  EXPECT_TRUE(ports::is_reachable(peer));
  EXPECT_NE(found.next_step.find("vault can be reached"), std::string::npos);
}

TEST_F(Doctor, EachWayOfNotReachingThePeerHasItsKindAndRemedy) {
  asked = {1744};
  tried(1744, BindOutcome::kFree, BindOutcome::kFree);
  const struct {
    ProbeOutcome outcome;
    FindingKind kind;
    const char* remedy;
  } cases[] = {
      {ProbeOutcome::kRefused, FindingKind::kPeerRefuses, "Start what should listen"},
      {ProbeOutcome::kPortUnreachable, FindingKind::kPeerFiltered, "Let the packet filter of"},
      {ProbeOutcome::kProhibited, FindingKind::kPeerFiltered, "Let the packet filter of"},
      {ProbeOutcome::kForbidden, FindingKind::kPeerFiltered, "this machine's security policy"},
      {ProbeOutcome::kNoAnswer, FindingKind::kPeerFiltered, "nothing came back"},
      {ProbeOutcome::kHostUnreachable, FindingKind::kPeerUnreachable, "cannot reach it"},
      {ProbeOutcome::kNetUnreachable, FindingKind::kPeerUnreachable, "no route"},
      {ProbeOutcome::kNoRoute, FindingKind::kPeerUnreachable, "no route"},
      {ProbeOutcome::kFailed, FindingKind::kPeerUnreachable, "by hand"},
  };
  for (const auto& one : cases) {
    peer.probes.clear();
    probed(1744, one.outcome);
    const auto found = examine();
    ASSERT_EQ(found.findings.size(), 1U);
    EXPECT_EQ(found.findings[0].kind, one.kind) << one.remedy;
    EXPECT_NE(found.next_step.find(one.remedy), std::string::npos) << found.next_step;
    EXPECT_FALSE(ports::is_reachable(peer));
  }
}

TEST_F(Doctor, ThePeerThatWasAskedForComesFirst) {
  tried(1743, BindOutcome::kInUse, BindOutcome::kFree);
  tried(1744, BindOutcome::kFree, BindOutcome::kFree);
  peer.host = "vault";
  peer.unresolved = "its address was not found";
  const auto found = examine();
  ASSERT_EQ(found.findings.size(), 2U);
  EXPECT_EQ(found.findings[0].kind, FindingKind::kPeerUnknown);
  EXPECT_NE(found.next_step.find("vault"), std::string::npos);
}

}  // namespace
