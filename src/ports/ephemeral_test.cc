#include "ports/ephemeral.h"

#include <string>

#include <gtest/gtest.h>

#include "testkit/small_world.h"

namespace {

using model::Protocol;
using model::SocketState;
using ports::EphemeralReport;
using ports::EphemeralUse;
using ports::Headroom;
using testkit::SmallWorld;

constexpr int64_t kNow = 1'700'000'000 + 3600;
constexpr int64_t kDay_s = 86400;

// A range of a hundred ports, 40000 to 40099.
class SmallRange : public SmallWorld {
 public:
  SmallRange() { sockets.raw.namespaces[0].policy.ephemeral = {40000, 40099}; }
};

void connect(SmallWorld& world, uint16_t first, int count, const std::string& destination,
             SocketState state = SocketState::kEstablished) {
  for (int i = 0; i < count; ++i) {
    auto& socket = world.sockets.add(Protocol::kTcp, "10.0.0.5:" + std::to_string(first + i), state,
                                     destination);
    if (state == SocketState::kTimeWait) socket.inode = 0;
  }
}

EphemeralUse measure(SmallWorld& world) {
  EphemeralReport report = ports::measure_ephemeral(world.look(), kNow);
  return report.namespaces.at(0);
}

bool advises(const EphemeralUse& use, std::string_view text) {
  for (const std::string& sentence : ports::ephemeral_advice(use)) {
    if (sentence.find(text) != std::string::npos) return true;
  }
  return false;
}

TEST(Ephemeral, AnIdleMachineHasAllPortsFree) {
  SmallWorld world;
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.size, 28232U);
  EXPECT_EQ(use.sustained_per_second(), 470U);
  EXPECT_EQ(use.worst, Headroom::kAmple);
  EXPECT_TRUE(use.destinations.empty());
  EXPECT_TRUE(ports::ephemeral_advice(use).empty());
}

TEST(Ephemeral, OnePortServesManyDestinations) {
  SmallRange world;
  connect(world, 40000, 40, "192.0.2.1:443");
  connect(world, 40000, 10, "192.0.2.2:443");
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.tcp_ports, 40U) << "the ten are among the forty";
  ASSERT_EQ(use.destinations.size(), 2U);
  EXPECT_EQ(use.destinations[0].used, 40U);
  EXPECT_EQ(use.destinations[0].free, 60U);
  EXPECT_EQ(use.destinations[1].free, 90U);
}

TEST(Ephemeral, EachLocalAddressHasItsOwnPool) {
  SmallRange world;
  connect(world, 40000, 3, "192.0.2.1:443");
  world.sockets.add(Protocol::kTcp, "10.0.0.6:40000", SocketState::kEstablished, "192.0.2.1:443");
  EXPECT_EQ(measure(world).destinations.size(), 2U);
}

TEST(Ephemeral, AListenerTakesItsPortFromEveryDestination) {
  SmallRange world;
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:40050");
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40050", SocketState::kEstablished, "192.0.2.9:5");
  connect(world, 40000, 1, "192.0.2.1:443");
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.tcp_taken, 1U);
  ASSERT_EQ(use.destinations.size(), 1U) << "a caller of the listener is no destination";
  EXPECT_EQ(use.destinations[0].free, 98U);
  ASSERT_EQ(use.listeners.size(), 1U);
  EXPECT_EQ(use.listeners[0].port, 40050);
  EXPECT_TRUE(advises(use, "port 40050"));
}

TEST(Ephemeral, APortThatIsOnlyBoundIsTakenAndNoListener) {
  SmallRange world;
  world.sockets.add(Protocol::kTcp, "0.0.0.0:40050", SocketState::kBoundInactive, "");
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.tcp_taken, 1U);
  EXPECT_TRUE(use.listeners.empty());
  ASSERT_EQ(use.bound.size(), 1U);
  EXPECT_EQ(use.bound[0].port, 40050);
  EXPECT_FALSE(advises(use, "port 40050"));
}

TEST(Ephemeral, ReservedPortsAreNeitherLentNorCounted) {
  SmallRange world;
  world.sockets.raw.namespaces[0].policy.reserved = {{40050, 40059}};
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:40050");
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.size, 90U);
  EXPECT_EQ(use.reserved, 10U);
  EXPECT_TRUE(use.listeners.empty());
  EXPECT_EQ(use.tcp_taken, 0U);
}

TEST(Ephemeral, TimeWaitUsesAPortAndBelongsToNobody) {
  SmallRange world;
  connect(world, 40000, 80, "192.0.2.1:443", SocketState::kTimeWait);
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.tcp_time_wait, 80U);
  EXPECT_EQ(use.destinations[0].time_wait, 80U);
  EXPECT_EQ(use.destinations[0].headroom, Headroom::kSmall);
  EXPECT_TRUE(use.programs.empty());
  EXPECT_EQ(use.unnamed_sockets, 0U);
  EXPECT_TRUE(advises(use, "tcp_tw_reuse"));
}

TEST(Ephemeral, ALivePortIsNotCountedTwiceForItsClosedConnection) {
  SmallRange world;
  connect(world, 40000, 1, "192.0.2.1:443", SocketState::kTimeWait);
  connect(world, 40000, 1, "192.0.2.1:443");
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.destinations[0].used, 1U);
  EXPECT_EQ(use.destinations[0].time_wait, 0U);
}

TEST(Ephemeral, NearExhaustionNeedsAttention) {
  SmallRange world;
  world.processes.add(9, "crawler");
  for (int i = 0; i < 91; ++i) {
    world.sockets.add(Protocol::kTcp, "10.0.0.5:" + std::to_string(40000 + i),
                      SocketState::kEstablished, "192.0.2.1:443");
    world.sockets.hold(9, 10 + i);
  }
  const EphemeralReport report = ports::measure_ephemeral(world.look(), kNow);
  const EphemeralUse& use = report.namespaces[0];
  EXPECT_EQ(use.worst, Headroom::kNearlyOut);
  EXPECT_TRUE(report.needs_attention());
  ASSERT_EQ(use.programs.size(), 1U);
  EXPECT_EQ(use.programs[0].ports, 91U);
  EXPECT_TRUE(advises(use, "let crawler (pid 9) (91 ports) keep its connections open"));
  EXPECT_TRUE(advises(use, "EADDRNOTAVAIL"));
}

TEST(Ephemeral, SmallHeadroomIsAdvisedAndNoAlarm) {
  SmallRange world;
  connect(world, 40000, 90, "192.0.2.1:443");
  const EphemeralReport report = ports::measure_ephemeral(world.look(), kNow);
  EXPECT_EQ(report.namespaces[0].worst, Headroom::kSmall);
  EXPECT_FALSE(report.needs_attention());
  EXPECT_TRUE(advises(report.namespaces[0], "ip_local_port_range=\"10240 60999\""));
}

TEST(Ephemeral, UdpPortsArePooledForAllDestinations) {
  SmallRange world;
  for (int i = 0; i < 95; ++i) {
    world.sockets.add(Protocol::kUdp, "10.0.0.5:" + std::to_string(40000 + i),
                      SocketState::kEstablished, "192.0.2." + std::to_string(i + 1) + ":53");
  }
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.udp_ports, 95U);
  EXPECT_EQ(use.udp_free, 5U);
  EXPECT_EQ(use.udp_headroom, Headroom::kNearlyOut);
  EXPECT_EQ(use.worst, Headroom::kNearlyOut);
  EXPECT_TRUE(advises(use, "UDP has 5 of 100"));
}

TEST(Ephemeral, ARangeWithoutPortsIsExhausted) {
  SmallRange world;
  world.sockets.raw.namespaces[0].policy.reserved = {{40000, 40099}};
  const EphemeralUse use = measure(world);
  EXPECT_EQ(use.size, 0U);
  EXPECT_EQ(use.worst, Headroom::kNearlyOut);
  EXPECT_TRUE(advises(use, "Every port of the range is reserved"));
}

TEST(Ephemeral, NamesAProgramThatPilesUpCloseWait) {
  SmallRange world;
  world.processes.add(9, "leaky");
  for (uint32_t i = 0; i < ports::kCloseWaitPile; ++i) {
    world.sockets.add(Protocol::kTcp, "10.0.0.5:" + std::to_string(40000 + i),
                      SocketState::kCloseWait, "192.0.2.1:443");
    world.sockets.hold(9, static_cast<int32_t>(i));
  }
  const EphemeralUse use = measure(world);
  ASSERT_EQ(use.close_wait.size(), 1U);
  EXPECT_EQ(use.close_wait[0].ports, ports::kCloseWaitPile);
  EXPECT_TRUE(advises(use, "leaky (pid 9) does not close"));
}

TEST(Ephemeral, CallsAConnectionOldOnlyWhereItsSilenceProvesIt) {
  SmallRange world;
  world.processes.add(9, "tunnel").start_time_unix_s = kNow - 30 * kDay_s;
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kEstablished, "192.0.2.1:443")
      .detail = 0;
  world.sockets.hold(9, 3);
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40001", SocketState::kEstablished, "192.0.2.2:443")
      .detail = 1;
  world.sockets.hold(9, 4);
  // Never up: the kernel has not set these clocks.
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40002", SocketState::kSynSent, "192.0.2.3:443")
      .detail = 0;
  world.sockets.hold(9, 5);
  world.sockets.raw.tcp_details.resize(2);
  world.sockets.raw.tcp_details[0].last_data_sent_ms = 2 * kDay_s * 1000;
  world.sockets.raw.tcp_details[0].last_data_received_ms = 3 * kDay_s * 1000;
  world.sockets.raw.tcp_details[1].last_data_sent_ms = 5;
  const EphemeralUse use = measure(world);
  ASSERT_EQ(use.idle.size(), 1U);
  EXPECT_EQ(use.idle[0].connections, 1U);
  EXPECT_EQ(use.idle[0].longest_idle_s, 3 * kDay_s);
  EXPECT_EQ(model::to_string(use.idle[0].example), "192.0.2.1:443");
  ASSERT_EQ(use.long_running.size(), 1U);
  EXPECT_EQ(use.long_running[0].ports, 3U);
}

TEST(Ephemeral, CountsHoldersThatItMayNotSee) {
  SmallRange world;
  world.sockets.raw.report.processes_hidden = 1;
  connect(world, 40000, 2, "192.0.2.1:443");
  EXPECT_EQ(measure(world).unnamed_sockets, 2U);
}

TEST(Ephemeral, MeasuresEachNamespaceByItself) {
  SmallRange world;
  model::NetNamespace other;
  other.inode = 77;
  other.policy.known = true;
  other.policy.ephemeral = {50000, 50009};
  world.sockets.raw.namespaces.push_back(other);
  for (int i = 0; i < 10; ++i) {
    world.sockets
        .add(Protocol::kTcp, "10.0.0.5:" + std::to_string(50000 + i), SocketState::kEstablished,
             "192.0.2.1:443")
        .netns = 77;
  }
  const EphemeralReport report = ports::measure_ephemeral(world.look(), kNow);
  ASSERT_EQ(report.namespaces.size(), 2U);
  EXPECT_TRUE(report.namespaces[0].own);
  EXPECT_EQ(report.namespaces[0].worst, Headroom::kAmple);
  EXPECT_EQ(report.namespaces[1].destinations[0].free, 0U);
  EXPECT_TRUE(report.needs_attention());
}

TEST(Ephemeral, MappedAndPlainIpv4AreOneDestination) {
  SmallRange world;
  connect(world, 40000, 1, "192.0.2.1:443");
  world.sockets.add(Protocol::kTcp, "[::ffff:10.0.0.5]:40001", SocketState::kEstablished,
                    "[::ffff:192.0.2.1]:443");
  const EphemeralUse use = measure(world);
  ASSERT_EQ(use.destinations.size(), 1U);
  EXPECT_EQ(use.destinations[0].used, 2U);
}

TEST(Headroom, ThresholdsAreAQuarterAndATenth) {
  EXPECT_EQ(ports::headroom_of(25, 100), Headroom::kAmple);
  EXPECT_EQ(ports::headroom_of(24, 100), Headroom::kSmall);
  EXPECT_EQ(ports::headroom_of(10, 100), Headroom::kSmall);
  EXPECT_EQ(ports::headroom_of(9, 100), Headroom::kNearlyOut);
}

}  // namespace
