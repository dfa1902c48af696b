#include "ports/holds.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "testkit/small_world.h"

namespace {

using model::Holding;
using model::Protocol;
using model::SocketState;
using ports::find_holds;
using ports::Hold;
using ports::HoldRole;
using ports::PortFilter;
using ports::Reach;
using testkit::SmallWorld;

PortFilter only(uint16_t port) { return {.ports = {port, port}}; }

const Hold* find_role(const std::vector<Hold>& holds, HoldRole role) {
  const auto found = std::ranges::find(holds, role, &Hold::role);
  return found == holds.end() ? nullptr : &*found;
}

TEST(Holds, NobodyHoldsAPortThatNoSocketNames) {
  SmallWorld world;
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  EXPECT_TRUE(find_holds(world.look(), only(23)).empty());
}

TEST(Holds, PortZeroIsNeverHeld) {
  SmallWorld world;
  world.sockets.add(Protocol::kUdp, "0.0.0.0:0", SocketState::kClose);
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  EXPECT_TRUE(find_holds(world.look(), only(0)).empty());
}

TEST(Holds, RawSocketsHaveNoPort) {
  SmallWorld world;
  world.sockets.add(Protocol::kRaw, "0.0.0.0:58", SocketState::kClose);
  EXPECT_TRUE(find_holds(world.look(), only(58)).empty());
}

TEST(Holds, JoinsTheSocketsOfOneProgramOnBothFamilies) {
  SmallWorld world;
  world.processes.add(812, "sshd");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  world.sockets.hold(812, 3);
  world.sockets.listen(Protocol::kTcp, "[::]:22").v6only = true;
  world.sockets.hold(812, 4);
  const auto holds = find_holds(world.look(), only(22));
  ASSERT_EQ(holds.size(), 1U);
  EXPECT_EQ(holds[0].sockets, 2U);
  EXPECT_EQ(holds[0].addresses.size(), 2U);
  EXPECT_EQ(holds[0].reach, Reach::kAll);
  EXPECT_EQ(holds[0].takes_ipv4, false);
  ASSERT_EQ(holds[0].programs.size(), 1U);
  EXPECT_EQ(holds[0].programs[0].pids, std::vector<int32_t>{812});
}

TEST(Holds, CountsForksOfOneServerAsOneProgram) {
  SmallWorld world;
  for (const int pid : {30, 10, 20}) {
    world.processes.add(pid, "nginx").start_time_ns = static_cast<uint64_t>(pid) * 1'000'000'000;
  }
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  for (const int pid : {30, 10, 20}) world.sockets.hold(pid, 6);
  const auto holds = find_holds(world.look(), only(80));
  ASSERT_EQ(holds.size(), 1U);
  ASSERT_EQ(holds[0].programs.size(), 1U);
  EXPECT_EQ(holds[0].programs[0].pids, (std::vector<int32_t>{10, 20, 30}));
  EXPECT_EQ(holds[0].programs[0].process.pid, 10);
}

TEST(Holds, KeepsDifferentProgramsOfOneSocketApart) {
  SmallWorld world;
  world.processes.add(10, "systemd");
  world.processes.add(20, "cupsd");
  world.sockets.listen(Protocol::kTcp, "127.0.0.1:631");
  world.sockets.hold(10, 6);
  world.sockets.hold(20, 3);
  const auto holds = find_holds(world.look(), only(631));
  ASSERT_EQ(holds.size(), 1U);
  EXPECT_EQ(holds[0].programs.size(), 2U);
  EXPECT_EQ(holds[0].reach, Reach::kLoopback);
}

TEST(Holds, TellsServedConnectionsFromTheListener) {
  SmallWorld world;
  world.processes.add(812, "sshd");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  world.sockets.hold(812, 3);
  world.sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kEstablished, "10.0.0.9:50000");
  world.sockets.hold(812, 4);
  world.sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kEstablished, "10.0.0.9:50001");
  world.sockets.hold(812, 5);
  const auto holds = find_holds(world.look(), only(22));
  ASSERT_EQ(holds.size(), 2U);
  EXPECT_EQ(holds[0].role, HoldRole::kListener);
  EXPECT_EQ(holds[1].role, HoldRole::kServed);
  EXPECT_EQ(holds[1].sockets, 2U);
  ASSERT_EQ(holds[1].peers.size(), 1U) << "one caller, whatever its ports";
  EXPECT_EQ(holds[1].peers[0].connections, 2U);
}

TEST(Holds, CallsTheLocalEndOfAnOutgoingConnectionAConnection) {
  SmallWorld world;
  world.processes.add(9, "curl");
  world.sockets.add(Protocol::kTcp, "10.0.0.5:56744", SocketState::kEstablished, "192.0.2.1:443");
  world.sockets.hold(9, 5);
  const auto local = find_holds(world.look(), only(56744));
  ASSERT_EQ(local.size(), 1U);
  EXPECT_EQ(local[0].role, HoldRole::kConnection);
  const auto remote = find_holds(world.look(), only(443));
  ASSERT_EQ(remote.size(), 1U);
  EXPECT_EQ(remote[0].role, HoldRole::kRemote);
  EXPECT_EQ(model::to_string(remote[0].peers[0].remote), "192.0.2.1:443");
}

TEST(Holds, GivesTimeWaitNoOwnerAndNoUser) {
  SmallWorld world;
  auto& socket =
      world.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kTimeWait, "192.0.2.1:443");
  socket.inode = 0;
  const auto holds = find_holds(world.look(), only(40000));
  ASSERT_EQ(holds.size(), 1U);
  EXPECT_EQ(holds[0].holding, Holding::kTimeWait);
  EXPECT_TRUE(holds[0].programs.empty());
}

TEST(Holds, DoesNotCallAUdpSocketOnALentPortAListener) {
  SmallWorld world;
  world.sockets.listen(Protocol::kUdp, "0.0.0.0:40123");
  world.sockets.listen(Protocol::kUdp, "0.0.0.0:53");
  const auto inventory = world.look();
  EXPECT_EQ(find_holds(inventory, only(40123))[0].role, HoldRole::kUdpOpen);
  EXPECT_EQ(find_holds(inventory, only(53))[0].role, HoldRole::kListener);
}

TEST(Holds, SaysThatABoundSocketDoesNotListen) {
  SmallWorld world;
  world.sockets.add(Protocol::kTcp, "0.0.0.0:1744", SocketState::kBoundInactive);
  EXPECT_EQ(find_holds(world.look(), only(1744))[0].role, HoldRole::kBound);
}

TEST(Holds, UnderstandsDualStackAndMappedAddresses) {
  SmallWorld world;
  world.sockets.listen(Protocol::kTcp, "[::]:443").v6only = false;
  world.sockets.add(Protocol::kTcp, "[::ffff:10.0.0.5]:443", SocketState::kEstablished,
                    "[::ffff:10.0.0.9]:50000");
  const auto holds = find_holds(world.look(), only(443));
  ASSERT_EQ(holds.size(), 2U);
  EXPECT_EQ(holds[0].takes_ipv4, true);
  EXPECT_EQ(model::to_string(holds[1].peers[0].remote.address), "10.0.0.9");
}

TEST(Holds, AddressInTheQuestionNarrowsToWhatReceivesThere) {
  SmallWorld world;
  world.sockets.listen(Protocol::kTcp, "127.0.0.1:80");
  world.sockets.listen(Protocol::kTcp, "10.0.0.5:80");
  world.sockets.listen(Protocol::kTcp, "[::]:80").v6only = false;
  PortFilter filter = only(80);
  filter.address = model::parse_ip_address("10.0.0.5");
  uint32_t sockets = 0;
  for (const Hold& hold : find_holds(world.look(), filter)) sockets += hold.sockets;
  EXPECT_EQ(sockets, 2U) << "its own and the wildcard that takes IPv4";
}

TEST(Holds, AnIpv6OnlySocketDoesNotReceiveIpv4) {
  SmallWorld world;
  world.sockets.listen(Protocol::kTcp, "[::]:80").v6only = true;
  PortFilter filter = only(80);
  filter.address = model::parse_ip_address("10.0.0.5");
  EXPECT_TRUE(find_holds(world.look(), filter).empty());
}

TEST(Holds, KeepsNamespacesApartAndOwnFirst) {
  SmallWorld world;
  model::NetNamespace blue;
  blue.inode = 77;
  blue.name = "blue";
  world.sockets.raw.namespaces.push_back(blue);
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:80").netns = 77;
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  const auto holds = find_holds(world.look(), only(80));
  ASSERT_EQ(holds.size(), 2U);
  EXPECT_TRUE(holds[0].own_namespace);
  EXPECT_FALSE(holds[1].own_namespace);
  EXPECT_EQ(holds[1].netns_name, "blue");
}

TEST(Holds, AListenerElsewhereServesNobodyHere) {
  SmallWorld world;
  model::NetNamespace blue;
  blue.inode = 77;
  world.sockets.raw.namespaces.push_back(blue);
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:80").netns = 77;
  world.sockets.add(Protocol::kTcp, "10.0.0.5:80", SocketState::kEstablished, "10.0.0.9:50000");
  const auto holds = find_holds(world.look(), only(80));
  EXPECT_NE(find_role(holds, HoldRole::kConnection), nullptr);
  EXPECT_EQ(find_role(holds, HoldRole::kServed), nullptr);
}

TEST(Holds, ReportsAFullAcceptQueue) {
  SmallWorld world;
  auto& socket = world.sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  socket.receive_queue = 129;
  socket.send_queue = 128;
  const auto holds = find_holds(world.look(), only(80));
  EXPECT_TRUE(holds[0].queue_full);
  EXPECT_EQ(holds[0].waiting, 129U);
}

TEST(Holds, AQueueAtItsLimitIsNotYetFull) {
  SmallWorld world;
  auto& socket = world.sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  socket.receive_queue = 128;
  socket.send_queue = 128;
  EXPECT_FALSE(find_holds(world.look(), only(80))[0].queue_full);
}

TEST(Holds, KeepsTheBusiestPeersAndCountsTheRest) {
  SmallWorld world;
  for (int peer = 1; peer <= 8; ++peer) {
    for (int copy = 0; copy < peer; ++copy) {
      world.sockets.add(Protocol::kTcp, "10.0.0.5:" + std::to_string(50000 + peer * 10 + copy),
                        SocketState::kEstablished, "192.0.2." + std::to_string(peer) + ":443");
    }
  }
  const auto holds = find_holds(world.look(), only(443));
  ASSERT_EQ(holds.size(), 1U);
  EXPECT_EQ(holds[0].peers_total, 8U);
  ASSERT_EQ(holds[0].peers.size(), ports::kPeersKept);
  EXPECT_EQ(holds[0].peers[0].connections, 8U);
}

TEST(Holds, ASocketWithThePortOnBothEndsCountsOnce) {
  SmallWorld world;
  world.sockets.add(Protocol::kUdp, "10.0.0.5:123", SocketState::kEstablished, "192.0.2.1:123");
  const auto holds = find_holds(world.look(), only(123));
  ASSERT_EQ(holds.size(), 1U);
  EXPECT_EQ(holds[0].role, HoldRole::kConnection);
}

}  // namespace
