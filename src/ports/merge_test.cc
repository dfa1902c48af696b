#include "ports/merge.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace {

using model::Holder;
using model::Holding;
using model::Inventory;
using model::Socket;
using model::SocketState;

Socket tcp(uint64_t inode, uint64_t cookie, SocketState state = SocketState::kListen) {
  Socket socket;
  socket.inode = inode;
  socket.cookie = cookie;
  socket.state = state;
  socket.local.port = 1744;
  return socket;
}

Holder holder(int pid, int fd, uint64_t inode, uint64_t cookie = 0, uint64_t start_time_ns = 1) {
  Holder out;
  out.inode = inode;
  out.cookie = cookie;
  out.pid = out.tid = pid;
  out.fd = fd;
  out.start_time_ns = start_time_ns;
  return out;
}

std::vector<std::pair<int, int>> pids_and_fds(const Inventory& inventory, const Socket& socket) {
  std::vector<std::pair<int, int>> out;
  for (const auto& owner : inventory.owners_of(socket)) {
    out.emplace_back(inventory.processes[owner.process].pid, owner.fd);
  }
  return out;
}

using Pairs = std::vector<std::pair<int, int>>;

TEST(Merge, NamesEveryHolderOfASharedSocketInOrder) {
  ports::RawInventory raw;
  raw.listed = {tcp(10, 1), tcp(11, 2)};
  raw.holders = {holder(30, 4, 10), holder(20, 9, 11), holder(20, 3, 10), holder(20, 5, 10)};
  const Inventory merged = ports::merge(std::move(raw));
  EXPECT_EQ(pids_and_fds(merged, merged.sockets[0]), (Pairs{{20, 3}, {20, 5}, {30, 4}}));
  EXPECT_EQ(pids_and_fds(merged, merged.sockets[1]), (Pairs{{20, 9}}));
  EXPECT_EQ(merged.sockets[0].holding, Holding::kOwned);
  EXPECT_EQ(merged.processes.size(), 2U);
}

TEST(Merge, NeverNamesAHolderWhoseCookieContradicts) {
  ports::RawInventory raw;
  raw.listed = {tcp(10, 1)};
  raw.holders = {holder(20, 3, 10, 2)};
  const Inventory merged = ports::merge(std::move(raw));
  EXPECT_TRUE(merged.owners_of(merged.sockets[0]).empty());
  EXPECT_EQ(merged.sockets[0].holding, Holding::kUnknown);
}

TEST(Merge, GivesATcpSubflowToTheHolderOfItsMultipathSocket) {
  ports::RawInventory raw;
  raw.listed = {tcp(10, 1)};
  raw.holders = {holder(20, 3, 10, 7)};
  raw.holders[0].mptcp = true;
  raw.held = [](size_t) { return tcp(10, 7); };
  const Inventory merged = ports::merge(std::move(raw));
  ASSERT_EQ(merged.sockets.size(), 1U);
  EXPECT_EQ(pids_and_fds(merged, merged.sockets[0]), (Pairs{{20, 3}}));
  EXPECT_TRUE(merged.sockets[0].mptcp);
}

TEST(Merge, ExplainsSocketsThatHaveNoInodeByTheirState) {
  const std::vector<std::pair<SocketState, Holding>> cases{
      {SocketState::kTimeWait, Holding::kTimeWait},
      {SocketState::kSynReceived, Holding::kHandshake},
      {SocketState::kEstablished, Holding::kNotAccepted},
      {SocketState::kCloseWait, Holding::kNotAccepted},
      {SocketState::kFinWait1, Holding::kOrphaned},
      {SocketState::kFinWait2, Holding::kOrphaned},
      {SocketState::kLastAck, Holding::kOrphaned},
      {SocketState::kClosing, Holding::kOrphaned},
      {SocketState::kListen, Holding::kUnknown},
  };
  for (const auto& [state, holding] : cases) {
    ports::RawInventory raw;
    raw.listed = {tcp(0, 5, state)};
    raw.holders = {holder(20, 3, 0)};  // an inode of 0 must never join
    const Inventory merged = ports::merge(std::move(raw));
    EXPECT_EQ(merged.sockets[0].holding, holding) << static_cast<int>(state);
    EXPECT_EQ(merged.sockets[0].owner_count, 0U);
  }
}

TEST(Merge, AddsASocketThatOnlyItsDescriptorsShow) {
  ports::RawInventory raw;
  raw.listed = {tcp(10, 1)};
  raw.holders = {holder(20, 3, 10, 1), holder(20, 4, 99, 8), holder(21, 4, 99, 8)};
  raw.held = [](size_t i) { return i == 0 ? tcp(10, 1) : tcp(99, 8, SocketState::kClose); };
  const Inventory merged = ports::merge(std::move(raw));
  ASSERT_EQ(merged.sockets.size(), 2U);
  EXPECT_FALSE(merged.sockets[1].listed);
  EXPECT_EQ(pids_and_fds(merged, merged.sockets[1]), (Pairs{{20, 4}, {21, 4}}));
}

TEST(Merge, ShowsOneDescriptorOnceThoughTwoWalksSawIt) {
  ports::RawInventory raw;
  raw.listed = {tcp(10, 1)};
  raw.holders = {holder(20, 3, 10), holder(20, 3, 10)};
  const Inventory merged = ports::merge(std::move(raw));
  EXPECT_EQ(merged.sockets[0].owner_count, 1U);
}

TEST(Merge, KeepsTheCommandOfTheVeryProcessThatWasSeen) {
  ports::RawInventory raw;
  raw.listed = {tcp(10, 1), tcp(11, 2)};
  raw.holders = {holder(20, 3, 10, 0, 100), holder(21, 3, 11, 0, 200)};
  raw.seen_processes = {{20, 100, "nginx"}, {21, 199, "somebody else"}};
  const Inventory merged = ports::merge(std::move(raw));
  EXPECT_EQ(merged.processes[0].command, "nginx");
  EXPECT_EQ(merged.processes[1].command, "");
}

TEST(Merge, KeepsAPidThatWasUsedAgainApart) {
  ports::RawInventory raw;
  raw.listed = {tcp(10, 1), tcp(11, 2)};
  raw.holders = {holder(20, 3, 10, 0, 100), holder(20, 3, 11, 0, 200)};
  const Inventory merged = ports::merge(std::move(raw));
  ASSERT_EQ(merged.processes.size(), 2U);
  EXPECT_EQ(merged.processes[0].start_time_ns, 100U);
  EXPECT_EQ(merged.processes[1].start_time_ns, 200U);
}

TEST(Merge, KeepsTheCommandsOfAPidThatWasUsedAgainApart) {
  ports::RawInventory raw;
  raw.listed = {tcp(10, 1), tcp(11, 2)};
  raw.holders = {holder(20, 3, 10, 0, 100), holder(20, 3, 11, 0, 200)};
  raw.seen_processes = {{20, 100, "first"}, {20, 200, "second"}};
  const Inventory merged = ports::merge(std::move(raw));
  ASSERT_EQ(merged.processes.size(), 2U);
  EXPECT_EQ(merged.processes[0].command, "first");
  EXPECT_EQ(merged.processes[1].command, "second");
}

TEST(Merge, JoinsManySocketsWhoseInodesCollideInTheTable) {
  ports::RawInventory raw;
  for (uint64_t i = 1; i <= 5000; ++i) {
    raw.listed.push_back(tcp(i << 32U, i));
    raw.holders.push_back(holder(static_cast<int>(i), 3, i << 32U, i));
  }
  const Inventory merged = ports::merge(std::move(raw));
  for (size_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(pids_and_fds(merged, merged.sockets[i]), (Pairs{{static_cast<int>(i) + 1, 3}}));
  }
}

/// As a collector that refers to sockets by cookie has it: holders see the sockets, by index.
ports::RawInventory with_refs(std::vector<Holder> holders, std::vector<uint64_t> cookies) {
  ports::RawInventory raw;
  for (const uint64_t cookie : cookies) raw.listed_refs.push_back({.cookie = cookie});
  raw.holders = holders;
  raw.held = [holders = std::move(holders)](size_t i) {
    return tcp(holders[i].inode, holders[i].cookie, SocketState::kEstablished);
  };
  return raw;
}

TEST(Merge, TakesFromDescriptorsWhatTheTablesOnlyReferTo) {
  const Inventory merged = ports::merge(
      with_refs({holder(30, 4, 10, 1), holder(20, 9, 11, 2), holder(20, 3, 10, 1)}, {2, 1}));
  ASSERT_EQ(merged.sockets.size(), 2U);
  EXPECT_EQ(merged.sockets[0].cookie, 1U);
  EXPECT_EQ(pids_and_fds(merged, merged.sockets[0]), (Pairs{{20, 3}, {30, 4}}));
  EXPECT_EQ(pids_and_fds(merged, merged.sockets[1]), (Pairs{{20, 9}}));
  for (const Socket& socket : merged.sockets) {
    EXPECT_TRUE(socket.listed);
    EXPECT_EQ(socket.holding, Holding::kOwned);
  }
}

Holding holding_of(const Inventory& inventory, uint64_t cookie) {
  const auto found = std::ranges::find(inventory.sockets, cookie, &Socket::cookie);
  return found == inventory.sockets.end() ? Holding::kVanished : found->holding;
}

TEST(Merge, LooksUpAgainWhatNoDescriptorLeadsToAfterAll) {
  ports::RawInventory raw = with_refs({holder(20, 3, 10, 1)}, {1, 2, 3, 4});
  std::vector<uint64_t> asked;
  raw.look_up = [&](const std::vector<ports::ListedRef>& refs) {
    for (const auto& ref : refs) asked.push_back(ref.cookie);
    ports::RawInventory::LookedUp found;
    found.sockets = {tcp(12, 2, SocketState::kEstablished), tcp(0, 3, SocketState::kFinWait1)};
    found.unread = 1;
    found.why = "its namespace has ended";
    return found;
  };
  const Inventory merged = ports::merge(std::move(raw));
  EXPECT_EQ(asked, (std::vector<uint64_t>{2, 3, 4}));
  ASSERT_EQ(merged.sockets.size(), 3U);
  EXPECT_EQ(holding_of(merged, 1), Holding::kOwned);
  EXPECT_EQ(holding_of(merged, 2), Holding::kUnknown);
  EXPECT_EQ(holding_of(merged, 3), Holding::kOrphaned);
  EXPECT_FALSE(merged.report.complete);
  ASSERT_EQ(merged.report.blind_spots.size(), 1U);
  EXPECT_NE(merged.report.blind_spots[0].find("1 (its namespace has ended)"), std::string::npos);
}

TEST(Merge, GivesASubflowThatWasLookedUpAgainToTheHolderOfItsMultipathSocket) {
  model::Holder multipath = holder(20, 3, 10, 7);
  multipath.mptcp = true;
  ports::RawInventory raw = with_refs({multipath}, {1});
  raw.look_up = [](const std::vector<ports::ListedRef>&) {
    ports::RawInventory::LookedUp found;
    found.sockets = {tcp(10, 1, SocketState::kEstablished)};
    return found;
  };
  const Inventory merged = ports::merge(std::move(raw));
  ASSERT_EQ(merged.sockets.size(), 1U);
  EXPECT_EQ(pids_and_fds(merged, merged.sockets[0]), (Pairs{{20, 3}}));
  EXPECT_TRUE(merged.sockets[0].mptcp);
}

TEST(Merge, ShowsAConnectionOnceThatWasAcceptedOrClosedDuringTheLook) {
  ports::RawInventory raw = with_refs({holder(20, 3, 10, 1), holder(20, 4, 11, 2)}, {});
  raw.listed = {tcp(0, 1, SocketState::kEstablished), tcp(0, 2, SocketState::kTimeWait)};
  const Inventory merged = ports::merge(std::move(raw));
  ASSERT_EQ(merged.sockets.size(), 2U);
  EXPECT_EQ(merged.sockets[0].holding, Holding::kOwned);
  EXPECT_EQ(pids_and_fds(merged, merged.sockets[0]), (Pairs{{20, 3}}));
  EXPECT_TRUE(merged.sockets[0].listed);
  EXPECT_EQ(merged.sockets[1].holding, Holding::kTimeWait);
  EXPECT_TRUE(merged.owners_of(merged.sockets[1]).empty());
}

}  // namespace
