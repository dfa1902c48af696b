#include "ports/merge.h"

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

}  // namespace
