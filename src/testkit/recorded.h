// Short ways to write down what a recorder hands over and what a person asks, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "model/recorded_socket.h"
#include "ports/timeline.h"

namespace testkit {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kHourUs = 3600 * kSecondUs;
/// Wall time less boot time of the boots below, unless a test sets the clock.
constexpr int64_t kWallUs = 1'790'000'000 * kSecondUs;

inline model::IpAddress address(std::string_view text) { return *model::parse_ip_address(text); }

/// A TCP connection of boot 1 from 10.0.0.5:`port` to 10.9.9.9:443, with every field filled.
inline model::RecordedSocket connection(uint64_t cookie, uint16_t port, int64_t opened_boot_us) {
  model::RecordedSocket socket;
  socket.cookie = cookie;
  socket.boot = 1;
  socket.netns = 4026531840;
  socket.interface = 2;
  socket.role = model::SocketRole::kOutgoing;
  socket.local = {address("10.0.0.5"), port};
  socket.remote = {address("10.9.9.9"), 443};
  socket.opened_boot_us = opened_boot_us;
  socket.opened_us = kWallUs + opened_boot_us;
  socket.proof = model::OwnerProof::kActed;
  socket.totals = {
      .bytes_sent = 1000, .bytes_received = uint64_t{1} << 40U, .rtt_us = 321, .retransmits = 7};
  return socket;
}

inline model::RecordedSocket closed(model::RecordedSocket socket, int64_t closed_boot_us) {
  socket.closed_boot_us = closed_boot_us;
  socket.closed_us = kWallUs + closed_boot_us;
  return socket;
}

inline model::RecordedProcess process(int64_t id, int32_t pid, std::string command,
                                      uint32_t uid = 1000) {
  model::RecordedProcess process;
  process.id = id;
  process.boot = 1;
  process.pid = pid;
  process.start_time_ns = 123'456'789'000 + static_cast<uint64_t>(id);
  process.uid = uid;
  process.user = "user" + std::to_string(uid);
  process.exe = "/usr/bin/" + command;
  process.command = std::move(command);
  process.unit = "some.service";
  process.container = "0123456789ab";
  process.parent_pid = 1;
  process.parent_command = "systemd";
  return process;
}

inline ports::TimelineBatch batch(int64_t until_boot_us, uint32_t boot = 1) {
  ports::TimelineBatch batch;
  batch.boot = boot;
  batch.recorded_until_boot_us = until_boot_us;
  batch.recorded_until_us = kWallUs + until_boot_us;
  return batch;
}

inline ports::TimelineQuery at_wall(int64_t from_us, int64_t until_us) {
  ports::TimelineQuery query;
  query.windows = {{from_us, until_us}};
  return query;
}

/// A window given in the boot time of the usual clock.
inline ports::TimelineQuery at(int64_t from_boot_us, int64_t until_boot_us) {
  return at_wall(kWallUs + from_boot_us, kWallUs + until_boot_us);
}

inline void expect_same(const model::RecordedSocket& left, const model::RecordedSocket& right) {
  EXPECT_EQ(left.cookie, right.cookie);
  EXPECT_EQ(left.boot, right.boot);
  EXPECT_EQ(left.netns, right.netns);
  EXPECT_EQ(left.interface, right.interface);
  EXPECT_EQ(left.protocol, right.protocol);
  EXPECT_EQ(left.role, right.role);
  EXPECT_EQ(left.local, right.local);
  EXPECT_EQ(left.remote, right.remote);
  EXPECT_EQ(left.opened_boot_us, right.opened_boot_us);
  EXPECT_EQ(left.opened_us, right.opened_us);
  EXPECT_EQ(left.closed_boot_us, right.closed_boot_us);
  EXPECT_EQ(left.closed_us, right.closed_us);
  EXPECT_EQ(left.opened_before, right.opened_before);
  EXPECT_EQ(left.close_unseen, right.close_unseen);
  EXPECT_EQ(left.error, right.error);
  EXPECT_EQ(left.proof, right.proof);
  EXPECT_EQ(left.owner_reason, right.owner_reason);
  EXPECT_EQ(left.owner, right.owner);
  EXPECT_EQ(left.creator, right.creator);
  EXPECT_EQ(left.also_held_by, right.also_held_by);
  EXPECT_EQ(left.totals.bytes_sent, right.totals.bytes_sent);
  EXPECT_EQ(left.totals.bytes_received, right.totals.bytes_received);
  EXPECT_EQ(left.totals.rtt_us, right.totals.rtt_us);
  EXPECT_EQ(left.totals.retransmits, right.totals.retransmits);
}

inline void expect_same(const model::RecordedProcess& left, const model::RecordedProcess& right) {
  EXPECT_EQ(left.id, right.id);
  EXPECT_EQ(left.boot, right.boot);
  EXPECT_EQ(left.pid, right.pid);
  EXPECT_EQ(left.start_time_ns, right.start_time_ns);
  EXPECT_EQ(left.uid, right.uid);
  EXPECT_EQ(left.user, right.user);
  EXPECT_EQ(left.command, right.command);
  EXPECT_EQ(left.exe, right.exe);
  EXPECT_EQ(left.unit, right.unit);
  EXPECT_EQ(left.container, right.container);
  EXPECT_EQ(left.parent_pid, right.parent_pid);
  EXPECT_EQ(left.parent_command, right.parent_command);
}

}  // namespace testkit
