#include "host/bpf_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "host/bpf_collector.h"

namespace {

using model::Holding;
using model::Protocol;
using model::Socket;
using model::SocketState;

socket_record record(uint32_t tgid, uint32_t tid, uint32_t fd, uint64_t inode) {
  socket_record out{};
  out.tgid = tgid;
  out.tid = tid;
  out.fd = fd;
  out.inode = inode;
  out.cookie = inode;
  out.facts.family = AF_INET;
  out.facts.type = SOCK_STREAM;
  out.facts.protocol = IPPROTO_TCP;
  out.facts.state = 10;
  out.facts.local_port = static_cast<uint16_t>(inode);
  out.facts.netns = static_cast<uint32_t>(inode) + 1;
  std::memcpy(out.command, "cmd", 4);
  return out;
}

TEST(HeldSockets, KeepTheLeadersRowElseTheSmallestThreads) {
  host::HeldSockets held;
  held.add(record(20, 25, 3, 7));  // the leader of 20 has exited: two threads, one table
  held.add(record(20, 22, 3, 7));
  held.add(record(30, 29, 3, 8));  // a thread of 30, numbered before its leader, with a copy
  held.add(record(30, 30, 3, 8));
  held.add(record(30, 29, 4, 9));  // and something of its own
  held.add(record(40, 40, 3, 7));  // another process that shares a socket
  held.add(record(40, 40, 4, 7));  // twice
  host::drop_copies(held);
  ASSERT_EQ(held.holders.size(), 5U);
  const std::vector<std::tuple<int, int, int>> expected{
      {20, 22, 3}, {30, 30, 3}, {30, 29, 4}, {40, 40, 3}, {40, 40, 4}};
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto& holder = held.holders[i];
    EXPECT_EQ(std::tuple(holder.pid, holder.tid, holder.fd), expected[i]);
    EXPECT_EQ(held.facts.socket(i).inode, holder.inode);
    EXPECT_EQ(held.facts.socket(i).netns, holder.inode + 1);
  }
}

TEST(HeldSockets, KeepFactsWithTheirHoldersAcrossBlocks) {
  host::HeldSockets held;
  for (uint32_t i = 1; i <= 5000; ++i) held.add(record(7, 7, i, i));
  host::drop_copies(held);
  ASSERT_EQ(held.holders.size(), 5000U);
  for (size_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(held.facts.socket(i).local.port, i + 1);
    ASSERT_EQ(held.facts.socket(i).cookie, held.holders[i].cookie);
  }
  ASSERT_EQ(held.processes.size(), 1U);
  EXPECT_EQ(held.processes[0].command, "cmd");
}

constexpr uint8_t kHeld = SOCKET_EVIDENCE_SOCKET | SOCKET_EVIDENCE_FILE;

Socket question(Protocol protocol = Protocol::kTcp, SocketState state = SocketState::kListen) {
  Socket socket;
  socket.cookie = 5;
  socket.inode = 50;
  socket.protocol = protocol;
  socket.state = state;
  return socket;
}

Holding settle(std::optional<uint8_t> before, std::optional<uint8_t> after,
               const Socket& socket = question()) {
  host::SecondLookFindings findings;
  if (before) findings.before[5].flags = *before;
  if (after) findings.after[5].flags = *after;
  return host::settle(socket, findings);
}

TEST(BpfSockets, FindWhatWasAskedForOneTooMany) {
  auto sockets = host::BpfSockets::load(true);
  if (!sockets) GTEST_SKIP() << sockets.error().message;
  const base::Fd listener(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  ASSERT_EQ(::getsockopt(listener.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  // As many as the kernel remembers, of which there are none, and then one that there is.
  std::vector<uint64_t> cookies;
  for (uint64_t i = 0; i < 16384; ++i) cookies.push_back((uint64_t{1} << 62U) + i);
  cookies.push_back(cookie);
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(sockets->ask_tables(cookies));
    host::Evidence evidence;
    ASSERT_TRUE(sockets->find_in_tables({.tcp = {cookie}, .udp = {}}, evidence, nullptr));
    EXPECT_TRUE(evidence.contains(cookie)) << time;
  }
}

TEST(SecondLook, KnowsTheKernelsOwnByItsMissingFileOrItsMark) {
  EXPECT_EQ(settle(SOCKET_EVIDENCE_SOCKET, std::nullopt), Holding::kKernel);
  EXPECT_EQ(settle(kHeld | SOCKET_EVIDENCE_KERNEL, std::nullopt), Holding::kKernel);
  EXPECT_EQ(settle(kHeld | SOCKET_EVIDENCE_KERNEL | SOCKET_EVIDENCE_MPTCP,
                   kHeld | SOCKET_EVIDENCE_KERNEL | SOCKET_EVIDENCE_MPTCP),
            Holding::kNoDescriptor);
  EXPECT_EQ(settle(SOCKET_EVIDENCE_SOCKET | SOCKET_EVIDENCE_MPTCP,
                   SOCKET_EVIDENCE_SOCKET | SOCKET_EVIDENCE_MPTCP),
            Holding::kUnknown);
}

TEST(SecondLook, ClaimsThatNoDescriptorExistsOnlyForASocketThatStoodThroughout) {
  EXPECT_EQ(settle(kHeld, kHeld), Holding::kNoDescriptor);
  EXPECT_EQ(settle(std::nullopt, kHeld), Holding::kUnknown);
  EXPECT_EQ(settle(kHeld, std::nullopt), Holding::kVanished);
  EXPECT_EQ(settle(kHeld, uint8_t{0}), Holding::kOrphaned);
  EXPECT_EQ(settle(std::nullopt, std::nullopt), Holding::kVanished);
}

TEST(SecondLook, SaysHiddenWhereSomeProcessesCannotBeSeen) {
  host::SecondLookFindings findings;
  findings.before[5].flags = findings.after[5].flags = kHeld;
  findings.sees_every_process = false;
  EXPECT_EQ(host::settle(question(), findings), Holding::kHidden);
}

TEST(SecondLook, ClaimsNothingOfSocketsThatNoWalkComesBy) {
  EXPECT_EQ(settle(std::nullopt, std::nullopt, question(Protocol::kRaw)), Holding::kUnknown);
  EXPECT_EQ(settle(std::nullopt, std::nullopt, question(Protocol::kUdpLite)), Holding::kUnknown);
  EXPECT_EQ(
      settle(std::nullopt, std::nullopt, question(Protocol::kTcp, SocketState::kBoundInactive)),
      Holding::kUnknown);
}

TEST(SecondLook, BelievesALateHolderUnlessItsCookieContradicts) {
  host::SecondLookFindings findings;
  model::Holder holder;
  holder.inode = 50;
  holder.cookie = 5;
  findings.holders = {holder};
  EXPECT_EQ(host::settle(question(), findings), Holding::kOwned);
  findings.holders[0].cookie = 6;
  EXPECT_EQ(host::settle(question(), findings), Holding::kVanished);
  findings.holders[0].mptcp = true;
  EXPECT_EQ(host::settle(question(), findings), Holding::kOwned);
}

}  // namespace
