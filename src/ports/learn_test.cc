#include "ports/learn.h"

#include <string>

#include <gtest/gtest.h>

#include "format/expectation_toml.h"
#include "ports/inventory_verdict.h"
#include "testkit/recorded.h"
#include "testkit/small_world.h"

namespace ports {
namespace {

using model::Protocol;
using testkit::kSecondUs;
using testkit::SmallWorld;

constexpr model::TimeWindow kHour{testkit::kWallUs, testkit::kWallUs + testkit::kHourUs};

Subject open_port(const std::string& exe, uint16_t port, std::string_view address = "0.0.0.0",
                  Protocol protocol = Protocol::kTcp) {
  Subject out;
  out.protocol = protocol;
  out.local = {*model::parse_ip_address(address), port};
  SubjectHolder holder;
  holder.words = exe + " (pid 1)";
  holder.exe = exe;
  holder.uid = 0;
  holder.user = "root";
  out.holders.push_back(holder);
  return out;
}

Subject talk(const std::string& exe, std::string_view to, uint16_t port) {
  Subject out = open_port(exe, 40000, "10.0.0.5");
  out.role = SubjectRole::kOutgoing;
  out.remote = {*model::parse_ip_address(to), port};
  return out;
}

Learner learner(model::TimeWindow window = {}) {
  LearnOptions options;
  options.policy.known = true;
  options.window = window;
  return {options, KnownUses::built_in()};
}

/// What was learned, as it is written, without what every one has.
std::string written(const Learner& from) {
  std::string out;
  for (const auto& one : from.finish().expectations) {
    if (!out.empty()) out += '\n';
    out += format::write_expectation(one.expectation);
  }
  return out;
}

TEST(Learn, WritesWhoHoldsAPort) {
  Learner learner = ports::learner();
  Subject ssh = open_port("/usr/sbin/sshd", 22);
  ssh.holders[0].units = {"ssh.service"};
  learner.add_open(ssh);
  EXPECT_EQ(written(learner),
            "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nexe = \"/usr/sbin/sshd\"\n"
            "unit = \"ssh.service\"\nuser = \"root\"\nwhy = \"OpenSSH: remote login\"\n");
}

TEST(Learn, JoinsPortsFamiliesAndTransportsOfOneHolder) {
  Learner learner = ports::learner();
  for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) {
    for (const uint16_t port : {uint16_t{7001}, uint16_t{7000}}) {
      learner.add_open(open_port("/opt/a", port, "0.0.0.0", protocol));
      learner.add_open(open_port("/opt/a", port, "::", protocol));
    }
  }
  EXPECT_EQ(written(learner),
            "[[expect]]\nprotocol = [\"tcp\", \"udp\"]\nport = [7000, 7001]\nscope = \"any\"\n"
            "exe = \"/opt/a\"\nuser = \"root\"\n");
}

TEST(Learn, KeepsToTheAddressesThatWereUsed) {
  Learner learner = ports::learner();
  learner.add_open(open_port("/opt/a", 7000, "127.0.0.1"));
  learner.add_open(open_port("/opt/b", 7001, "127.0.0.1"));
  learner.add_open(open_port("/opt/b", 7001, "10.0.0.5"));
  Subject lo = open_port("/opt/c", 7002);
  lo.interface = 1;
  learner.add_open(lo);
  const auto learned = learner.finish().expectations;
  ASSERT_EQ(learned.size(), 3U);
  EXPECT_EQ(to_string(learned[0].expectation.scopes.at(0)), "loopback");
  ASSERT_EQ(learned[1].expectation.scopes.size(), 1U);
  EXPECT_EQ(to_string(learned[1].expectation.scopes.at(0)), "10.0.0.5/32");
  EXPECT_EQ(to_string(learned[2].expectation.scopes.at(0)), "loopback");
}

TEST(Learn, WhatWasClosedForLongIsThereSometimes) {
  const auto presence = [](std::vector<model::TimeWindow> lives, bool now) {
    Learner learner = ports::learner(kHour);
    const Subject subject = open_port("/opt/a", 7000);
    for (const auto life : lives) learner.add_life(subject, life.from_us, life.until_us);
    if (now) learner.add_open(subject);
    return learner.finish().expectations.at(0).expectation.presence;
  };
  const int64_t minute_us = 60 * kSecondUs;
  EXPECT_EQ(presence({}, true), model::Presence::kAlways);
  EXPECT_EQ(presence({kHour}, true), model::Presence::kAlways);
  EXPECT_EQ(presence({{kHour.from_us, kHour.until_us - 2 * minute_us}}, true),
            model::Presence::kAlways);
  EXPECT_EQ(presence({{kHour.from_us, kHour.from_us + minute_us}}, true),
            model::Presence::kSometimes);
  EXPECT_EQ(presence({kHour}, false), model::Presence::kSometimes);
  // It came late, and has been there since.
  EXPECT_EQ(presence({{kHour.until_us - minute_us, kHour.until_us}}, true),
            model::Presence::kAlways);
}

TEST(Learn, WhatRunsInALoginIsThereSometimes) {
  Learner learner = ports::learner();
  Subject subject = open_port("/usr/bin/python3.11", 8000);
  subject.holders[0].units = {"session-3.scope"};
  learner.add_open(subject);
  const auto learned = learner.finish().expectations;
  ASSERT_EQ(learned.size(), 1U);
  EXPECT_EQ(learned[0].expectation.presence, model::Presence::kSometimes);
  EXPECT_TRUE(learned[0].expectation.holder.units.empty());
  EXPECT_EQ(learned[0].remarks, std::vector<std::string>{"This allows any script of this user."});
}

TEST(Learn, PortsThatTheKernelChoseBecomeItsRange) {
  Learner learner = ports::learner(kHour);
  const int64_t from_us = kHour.from_us;
  learner.add_life(open_port("/opt/a", 41234), from_us, from_us + kSecondUs);
  learner.add_life(open_port("/opt/a", 51234), from_us + 2 * kSecondUs, std::nullopt);
  learner.add_life(open_port("/opt/a", 7000), from_us, std::nullopt);
  // Two at once are not one after another: they may be meant.
  learner.add_life(open_port("/opt/b", 50051), from_us, std::nullopt);
  learner.add_life(open_port("/opt/b", 50052), from_us + kSecondUs, std::nullopt);
  const auto learned = learner.finish().expectations;
  ASSERT_EQ(learned.size(), 3U);
  EXPECT_EQ(learned[0].expectation.ports, (std::vector<model::PortRange>{{7000, 7000}}));
  EXPECT_EQ(learned[1].expectation.ports, (std::vector<model::PortRange>{{32768, 60999}}));
  EXPECT_EQ(learned[1].expectation.presence, model::Presence::kSometimes);
  EXPECT_EQ(learned[2].expectation.ports,
            (std::vector<model::PortRange>{{50051, 50051}, {50052, 50052}}));
}

TEST(Learn, PortsThatAResolverChoseBecomeARange) {
  Learner learner = ports::learner(kHour);
  for (uint16_t i = 0; i < 100; ++i) {
    const int64_t opened_us = kHour.from_us + i * kSecondUs;
    learner.add_life(open_port("/usr/sbin/unbound", static_cast<uint16_t>(2000 + 7 * i), "0.0.0.0",
                               Protocol::kUdp),
                     opened_us, opened_us + 1000);
  }
  learner.add_life(open_port("/usr/sbin/unbound", 53, "127.0.0.1", Protocol::kUdp), kHour.from_us,
                   std::nullopt);
  const auto learned = learner.finish().expectations;
  ASSERT_EQ(learned.size(), 2U);
  EXPECT_EQ(learned[0].expectation.ports, (std::vector<model::PortRange>{{53, 53}}));
  EXPECT_EQ(learned[1].expectation.ports, (std::vector<model::PortRange>{{1024, 65535}}));
}

TEST(Learn, WritesWhoTalksToWhichPorts) {
  Learner learner = ports::learner(kHour);
  learner.add_life(talk("/usr/bin/curl", "192.0.2.1", 443), kHour.from_us, kHour.from_us + 1);
  learner.add_life(talk("/usr/bin/curl", "192.0.2.2", 80), kHour.from_us, kHour.from_us + 1);
  // With itself a machine may always talk.
  learner.add_life(talk("/usr/bin/psql", "127.0.0.1", 5432), kHour.from_us, kHour.from_us + 1);
  learner.add_life(talk("/usr/bin/psql", "10.0.0.5", 5432), kHour.from_us, kHour.from_us + 1);
  EXPECT_EQ(written(learner),
            "[[outgoing]]\nprotocol = \"tcp\"\nport = [80, 443]\nto = \"any\"\n"
            "exe = \"/usr/bin/curl\"\nuser = \"root\"\n");
}

TEST(Learn, ManyPortsOfOthersAreAllPorts) {
  Learner learner = ports::learner(kHour);
  for (uint16_t i = 0; i <= kRemotePortsNamed; ++i) {
    learner.add_life(talk("/opt/crawler", "192.0.2.1", static_cast<uint16_t>(8000 + i)),
                     kHour.from_us, kHour.from_us + 1);
  }
  Subject dig = open_port("/usr/bin/dig", 40000, "0.0.0.0", Protocol::kUdp);
  dig.role = SubjectRole::kUdpMaybe;
  learner.add_life(dig, kHour.from_us, kHour.from_us + 1);
  for (const auto& one : learner.finish().expectations) {
    EXPECT_TRUE(one.expectation.outgoing);
    EXPECT_EQ(one.expectation.ports, (std::vector<model::PortRange>{{1, 65535}}));
  }
  LearnOptions options;
  options.outgoing = false;
  Learner open_only(options, KnownUses::built_in());
  open_only.add_life(dig, 0, 1);
  EXPECT_TRUE(open_only.finish().expectations.empty());
}

TEST(Learn, LeavesOutWhatCannotBeNamed) {
  Learner learner = ports::learner();
  Subject hidden = open_port("/opt/a", 7000);
  hidden.unseen = "it is hidden";
  learner.add_open(hidden);
  Subject unread = open_port("/opt/a", 7001);
  unread.holders[0].exe.reset();
  learner.add_open(unread);
  learner.add_open(open_port("/opt/\xFF", 7002));
  Subject elsewhere = open_port("/usr/sbin/sshd", 7003);
  elsewhere.holders[0].exe_elsewhere = true;
  learner.add_open(elsewhere);
  Subject foreign = open_port("/opt/a", 7004);
  foreign.own_namespace = false;
  foreign.netns = "blue";
  learner.add_open(foreign);
  const Learned learned = learner.finish();
  EXPECT_TRUE(learned.expectations.empty());
  ASSERT_EQ(learned.left_out.size(), 2U);
  EXPECT_TRUE(learned.left_out[0].starts_with("1 socket was left out")) << learned.left_out[0];
  EXPECT_TRUE(learned.left_out[1].starts_with("3 holders were left out")) << learned.left_out[1];
}

TEST(Learn, RemarksOnWhatAPersonShouldLookAt) {
  Learner learner = ports::learner();
  learner.add_open(open_port("/tmp/x", 7000));
  learner.add_open(open_port("/usr/bin/nc.openbsd", 7001));
  const auto learned = learner.finish().expectations;
  ASSERT_EQ(learned.size(), 2U);
  EXPECT_EQ(learned[0].remarks.size(), 1U);
  EXPECT_EQ(learned[1].remarks.size(), 1U);
}

TEST(Learn, APublishedPortIsOpenByThePacketFilterAlone) {
  Learner learner = ports::learner();
  model::PublishedPort published;
  published.ports = {8080, 8080};
  published.rule = "ip nat DOCKER";
  learner.add_published(published, nullptr);
  learner.add_published(published, nullptr);
  EXPECT_EQ(written(learner),
            "[[expect]]\nprotocol = \"tcp\"\nport = 8080\nscope = \"any\"\n"
            "presence = \"sometimes\"\npublished = true\n"
            "why = \"Sent elsewhere by ip nat DOCKER\"\n");
}

// The property that matters: what was learned from a machine, the machine satisfies.
TEST(Learn, WhatWasLearnedIsExpected) {
  SmallWorld world;
  world.processes.add(812, "sshd").placement.unit = "ssh.service";
  world.processes.add(813, "nginx").user = "www-data";
  world.processes.add(814, "worker");
  model::Process& boxed = world.processes.add(815, "redis");
  boxed.exe_elsewhere = true;
  boxed.placement.container = "cache";
  auto& sockets = world.sockets;
  sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  sockets.hold(812, 3);
  sockets.listen(Protocol::kTcp, "[::]:80");
  sockets.hold(813, 3);
  sockets.hold(814, 3);
  sockets.listen(Protocol::kTcp, "127.0.0.1:6379");
  sockets.hold(815, 3);
  sockets.listen(Protocol::kUdp, "224.0.0.251:5353");
  sockets.hold(814, 4);
  sockets.listen(Protocol::kTcp, "[fd00::1]:45000").interface = 2;
  sockets.hold(814, 5);
  sockets.listen(Protocol::kUdp, "0.0.0.0:51820");
  sockets.evidence = {{sockets.raw.listed.back().inode, model::Holding::kKernel}};
  model::PublishedPort published;
  published.netns = sockets.raw.namespaces.at(0).inode;
  published.ports = {8080, 8090};
  world.published.push_back(published);

  const model::Inventory inventory = world.look();
  const InventorySubjects subjects(inventory);
  Learner learner = ports::learner();
  for (const auto& socket : inventory.sockets) learner.add_open(subjects.of(socket));
  learner.add_published(published, nullptr);
  EXPECT_TRUE(learner.finish().left_out.empty());
  const auto read_back = format::parse_expectations(written(learner));
  ASSERT_TRUE(read_back) << read_back.error().message;
  const auto verdicts = judge_inventory(Judge(*read_back, true), inventory);
  for (size_t i = 0; i < verdicts.sockets.size(); ++i) {
    EXPECT_EQ(verdicts.sockets[i].kind, model::VerdictKind::kExpected)
        << to_string(inventory.sockets[i].local) << ": " << verdicts.sockets[i].reason;
  }
  EXPECT_EQ(verdicts.published.at(0).kind, model::VerdictKind::kExpected);
  EXPECT_TRUE(verdicts.missing.empty());
}

}  // namespace
}  // namespace ports
