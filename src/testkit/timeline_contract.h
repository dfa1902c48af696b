// What every store of the timeline must do. A test file includes this (and
// testkit/timeline_property.h) and instantiates it:
//   INSTANTIATE_TEST_SUITE_P(Memory, TimelineContract, testing::Values(&make_memory_timeline));
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/recorded_socket.h"
#include "ports/timeline.h"
#include "testkit/recorded.h"

namespace testkit {

/// A timeline that starts empty. The recorder that writes it can be ended and started again.
class TimelineWorld {
 public:
  TimelineWorld() = default;
  TimelineWorld(const TimelineWorld&) = delete;
  TimelineWorld& operator=(const TimelineWorld&) = delete;
  virtual ~TimelineWorld() = default;

  virtual ports::TimelineWriter& writer() = 0;
  virtual ports::TimelineReader& reader() = 0;
  virtual void restart() = 0;
};

using MakeTimelineWorld = std::unique_ptr<TimelineWorld> (*)();

class TimelineContract : public testing::TestWithParam<MakeTimelineWorld> {
 protected:
  ports::TimelineWriter::Boot begin(const std::string& boot_id = "first boot",
                                    int64_t boot_time_us = kWallUs) {
    const auto boot = world_->writer().begin_boot(boot_id, boot_time_us);
    EXPECT_TRUE(boot) << boot.error().message;
    return boot.value_or(ports::TimelineWriter::Boot{});
  }
  void write(const ports::TimelineBatch& batch) {
    const auto written = world_->writer().write(batch);
    ASSERT_TRUE(written) << written.error().message;
  }
  ports::TimelineAnswer find(const ports::TimelineQuery& query) {
    auto answer = world_->reader().find(query);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer.value_or(ports::TimelineAnswer{});
  }
  std::vector<uint64_t> cookies(const ports::TimelineQuery& query) {
    std::vector<uint64_t> found;
    for (const auto& row : find(query).rows) found.push_back(row.socket.cookie);
    return found;
  }
  ports::TimelineStatus status() {
    const auto status = world_->reader().status();
    EXPECT_TRUE(status) << status.error().message;
    return status.value_or(ports::TimelineStatus{});
  }
  void retain_all(const ports::RetentionPolicy& policy, int64_t now_us) {
    for (int calls = 0; calls < 10'000; ++calls) {
      const auto more = world_->writer().retain(policy, now_us);
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) return;
    }
    FAIL() << "retain() never comes to an end";
  }

  using Cookies = std::vector<uint64_t>;
  std::unique_ptr<TimelineWorld> world_ = GetParam()();
};

// ---- rows --------------------------------------------------------------------------------------

TEST_P(TimelineContract, AnEmptyTimelineAnswersWithNothing) {
  begin();
  const auto answer = find({});
  EXPECT_TRUE(answer.rows.empty());
  EXPECT_FALSE(answer.more);
  EXPECT_EQ(status().sockets, 0U);
}

TEST_P(TimelineContract, AClosedSocketComesBackAsItWasWritten) {
  begin();
  auto socket = closed(connection(uint64_t{1} << 63U, 56744, 10), 2 * kSecondUs);
  socket.remote = {address("2001:db8::1"), 65535};
  socket.local.address = address("255.255.255.255");
  socket.opened_before = true;
  socket.close_unseen = true;
  socket.error = 111;
  socket.proof = model::OwnerProof::kInherited;
  socket.owner_reason = "gone-unseen";
  socket.owner = 1;
  socket.creator = 2;
  socket.also_held_by = {3, 1};
  auto one = batch(3 * kSecondUs);
  one.processes = {process(1, 100, "curl"), process(2, 200, "sshd"), process(3, 300, "\xff\"\n")};
  one.closed = {socket};
  write(one);

  const auto answer = find({});
  ASSERT_EQ(answer.rows.size(), 1U);
  const auto& row = answer.rows[0];
  expect_same(row.socket, socket);
  ASSERT_TRUE(row.owner);
  ASSERT_TRUE(row.creator);
  ASSERT_EQ(row.also_held_by.size(), 2U);
  expect_same(*row.owner, one.processes[0]);
  expect_same(*row.creator, one.processes[1]);
  expect_same(row.also_held_by[0], one.processes[2]);
  expect_same(row.also_held_by[1], one.processes[0]);
}

TEST_P(TimelineContract, AnOpenSocketMovesWhenItCloses) {
  begin();
  auto first = batch(2 * kSecondUs);
  first.opened = {connection(5, 40000, kSecondUs)};
  write(first);
  EXPECT_EQ(status().open_sockets, 1U);
  expect_same(find({}).rows.at(0).socket, first.opened[0]);

  auto second = batch(4 * kSecondUs);
  second.closed = {closed(first.opened[0], 3 * kSecondUs)};
  write(second);
  const auto answer = find({});
  ASSERT_EQ(answer.rows.size(), 1U);
  expect_same(answer.rows[0].socket, second.closed[0]);
  EXPECT_EQ(status().open_sockets, 0U);
  EXPECT_EQ(status().sockets, 1U);
}

TEST_P(TimelineContract, AnOpenSocketIsReplacedByWhatIsKnownLater) {
  begin();
  auto first = batch(2 * kSecondUs);
  first.opened = {connection(5, 40000, kSecondUs)};
  write(first);
  auto second = batch(4 * kSecondUs);
  second.opened = first.opened;
  second.opened[0].role = model::SocketRole::kListener;
  second.opened[0].local.address = address("::");
  second.opened[0].remote = {};
  write(second);
  const auto answer = find({});
  ASSERT_EQ(answer.rows.size(), 1U);
  expect_same(answer.rows[0].socket, second.opened[0]);
}

TEST_P(TimelineContract, ACookieThatIsClosedAndOpenedInOneBatchIsOpen) {
  begin();
  auto first = batch(2 * kSecondUs);
  first.opened = {connection(5, 40000, kSecondUs)};
  write(first);
  auto second = batch(4 * kSecondUs);
  second.closed = {closed(first.opened[0], 3 * kSecondUs)};
  second.opened = {connection(5, 40001, 3 * kSecondUs)};
  write(second);
  EXPECT_EQ(cookies({}), (Cookies{5, 5}));
  EXPECT_EQ(status().open_sockets, 1U);
}

TEST_P(TimelineContract, AFailedConnectIsTheEndOfWhatWasConnecting) {
  begin();
  auto one = batch(2 * kSecondUs);
  one.opened = {connection(5, 40000, kSecondUs)};
  write(one);
  auto two = batch(4 * kSecondUs);
  two.closed = {closed(connection(5, 40000, kSecondUs), 3 * kSecondUs)};
  two.closed[0].role = model::SocketRole::kConnectFailed;
  write(two);
  EXPECT_EQ(status().open_sockets, 0U);
  EXPECT_EQ(find({}).rows.size(), 1U);
}

TEST_P(TimelineContract, AFailedBindEndsNothing) {
  begin();
  auto one = batch(2 * kSecondUs);
  one.opened = {connection(5, 40000, kSecondUs)};
  write(one);
  auto two = batch(4 * kSecondUs);
  two.closed = {closed(connection(5, 40000, 3 * kSecondUs), 3 * kSecondUs)};
  two.closed[0].role = model::SocketRole::kBindFailed;
  write(two);
  EXPECT_EQ(status().open_sockets, 1U);
  EXPECT_EQ(find({}).rows.size(), 2U);
}

TEST_P(TimelineContract, OneCookieMayHaveLivedSeveralTimes) {
  begin();
  auto one = batch(9 * kSecondUs);
  one.closed = {closed(connection(5, 40000, 1), 2), closed(connection(5, 40000, 3), 4)};
  write(one);
  EXPECT_EQ(find({}).rows.size(), 2U);
}

// ---- time --------------------------------------------------------------------------------------

TEST_P(TimelineContract, FindsWhatWasAliveInTheWindowBothEndsIncluded) {
  begin();
  auto one = batch(60 * kSecondUs);
  one.closed = {closed(connection(1, 40001, 10 * kSecondUs), 20 * kSecondUs)};
  write(one);
  EXPECT_EQ(cookies(at(20 * kSecondUs, 30 * kSecondUs)), Cookies{1});
  EXPECT_EQ(cookies(at(0, 10 * kSecondUs)), Cookies{1});
  EXPECT_EQ(cookies(at(14 * kSecondUs, 15 * kSecondUs)), Cookies{1});
  EXPECT_EQ(cookies(at(0, 30 * kSecondUs)), Cookies{1});
  EXPECT_EQ(cookies(at(20 * kSecondUs + 1, 30 * kSecondUs)), Cookies{});
  EXPECT_EQ(cookies(at(0, 10 * kSecondUs - 1)), Cookies{});
  EXPECT_EQ(cookies(at(15 * kSecondUs, 14 * kSecondUs)), Cookies{});
}

TEST_P(TimelineContract, ASocketOfHalfAMillisecondIsFoundInItsSecondAndInNoOther) {
  begin();
  auto one = batch(60 * kSecondUs);
  one.closed = {closed(connection(1, 56744, 10 * kSecondUs + 400), 10 * kSecondUs + 900)};
  write(one);
  EXPECT_EQ(cookies(at(10 * kSecondUs, 11 * kSecondUs - 1)), Cookies{1});
  EXPECT_EQ(cookies(at(9 * kSecondUs, 10 * kSecondUs - 1)), Cookies{});
  EXPECT_EQ(cookies(at(11 * kSecondUs, 12 * kSecondUs - 1)), Cookies{});
}

TEST_P(TimelineContract, AnOpenSocketIsAliveFromItsOpeningOn) {
  begin();
  auto one = batch(60 * kSecondUs);
  one.opened = {connection(1, 40001, 10 * kSecondUs)};
  write(one);
  EXPECT_EQ(cookies(at(0, 10 * kSecondUs - 1)), Cookies{});
  EXPECT_EQ(cookies(at(10 * kSecondUs, 10 * kSecondUs)), Cookies{1});
  EXPECT_EQ(cookies(at(99 * kHourUs, 100 * kHourUs)), Cookies{1});
}

TEST_P(TimelineContract, ASocketIsListedOnceHoweverManyWindowsItMeets) {
  begin();
  auto one = batch(60 * kSecondUs);
  one.closed = {closed(connection(1, 40001, 10 * kSecondUs), 30 * kSecondUs),
                closed(connection(2, 40002, 16 * kSecondUs), 17 * kSecondUs)};
  write(one);
  auto query = at(10 * kSecondUs, 12 * kSecondUs);
  query.windows.push_back({kWallUs + 20 * kSecondUs, kWallUs + 21 * kSecondUs});
  query.windows.push_back({kWallUs + 11 * kSecondUs, kWallUs + 13 * kSecondUs});
  EXPECT_EQ(cookies(query), Cookies{1});
}

TEST_P(TimelineContract, LivesOfEveryLengthAreFoundInTheirMiddle) {
  begin();
  auto one = batch(1000 * kHourUs);
  uint64_t cookie = 0;
  for (int64_t lasted = 1; lasted < 900 * kHourUs; lasted *= 3) {
    const int64_t opened = 2 * kHourUs + static_cast<int64_t>(cookie);
    one.closed.push_back(closed(connection(++cookie, 40000, opened), opened + lasted));
  }
  write(one);
  for (const auto& socket : one.closed) {
    const int64_t middle = (socket.opened_boot_us + *socket.closed_boot_us) / 2;
    const auto found = cookies(at(middle, middle));
    EXPECT_TRUE(std::ranges::find(found, socket.cookie) != found.end()) << socket.cookie;
  }
}

TEST_P(TimelineContract, RowsThatComeLateAreFound) {
  begin();
  auto one = batch(5 * kHourUs);
  for (uint64_t i = 0; i < 2000; ++i) {
    const int64_t opened = kHourUs + static_cast<int64_t>(i) * kSecondUs;
    one.closed.push_back(closed(connection(i + 1, 40000, opened), opened + 1000));
  }
  write(one);
  auto late = batch(6 * kHourUs);
  late.closed = {closed(connection(9000, 50000, kSecondUs), 2 * kSecondUs),
                 closed(connection(9001, 50001, kHourUs), kHourUs + 5)};
  write(late);
  EXPECT_EQ(cookies(at(kSecondUs, kSecondUs)), Cookies{9000});
  auto query = at(kHourUs, kHourUs + 2);
  query.port = {50001, 50001};
  EXPECT_EQ(cookies(query), Cookies{9001});
}

TEST_P(TimelineContract, AClockSetBackWithinALifeHidesNothing) {
  begin();
  auto one = batch(700 * kSecondUs);
  one.closed = {closed(connection(1, 40001, 100 * kSecondUs), 650 * kSecondUs)};
  // After 600 s the clock is set back by an hour.
  one.clock_steps = {{0, kWallUs}, {600 * kSecondUs, kWallUs - kHourUs}};
  write(one);
  const auto row = find({}).rows.at(0).socket;
  EXPECT_EQ(row.opened_us, kWallUs + 100 * kSecondUs);
  EXPECT_EQ(row.closed_us, kWallUs + 650 * kSecondUs - kHourUs);
  EXPECT_EQ(*row.closed_boot_us - row.opened_boot_us, 550 * kSecondUs);
  EXPECT_EQ(cookies(at(599 * kSecondUs, 599 * kSecondUs)), Cookies{1});
  EXPECT_EQ(
      cookies(at_wall(kWallUs + 610 * kSecondUs - kHourUs, kWallUs + 611 * kSecondUs - kHourUs)),
      Cookies{1});
  EXPECT_EQ(cookies(at_wall(kWallUs - 2 * kHourUs, kWallUs - kHourUs + 599 * kSecondUs)),
            Cookies{});
}

TEST_P(TimelineContract, ATimeThatTheClockShowedTwiceMeansBoth) {
  begin();
  auto one = batch(3 * kHourUs);
  one.clock_steps = {{0, kWallUs}, {2 * kHourUs, kWallUs - kHourUs}};
  // Both opened when the clock showed kWallUs + 1.5 h.
  one.closed = {closed(connection(1, 40001, 3 * kHourUs / 2), 3 * kHourUs / 2 + 5),
                closed(connection(2, 40001, 5 * kHourUs / 2), 5 * kHourUs / 2 + 5)};
  write(one);
  EXPECT_EQ(cookies(at(3 * kHourUs / 2, 3 * kHourUs / 2 + 5)), (Cookies{2, 1}));
}

TEST_P(TimelineContract, NoiseOfTheClockIsNoStep) {
  begin();
  auto one = batch(kHourUs);
  one.clock_steps = {{kSecondUs, kWallUs + 300}};
  one.opened = {connection(1, 40001, 2 * kSecondUs)};
  write(one);
  EXPECT_EQ(find({}).rows.at(0).socket.opened_us, kWallUs + 2 * kSecondUs);
}

// ---- boots -------------------------------------------------------------------------------------

TEST_P(TimelineContract, TheSameBootKeepsItsNumberAndItsOpenSockets) {
  const auto first = begin();
  EXPECT_EQ(first.number, 1U);
  EXPECT_EQ(first.next_process_id, 1);
  EXPECT_EQ(first.recorded_until_boot_us, 0);
  EXPECT_EQ(first.recorded_until_us, 0);
  auto one = batch(2 * kSecondUs);
  one.processes = {process(7, 70, "nginx")};
  one.opened = {connection(5, 40000, kSecondUs)};
  one.opened[0].owner = 7;
  one.opened[0].also_held_by = {7};
  write(one);
  world_->restart();

  const auto again = begin();
  EXPECT_EQ(again.number, 1U);
  EXPECT_EQ(again.next_process_id, 8);
  EXPECT_EQ(again.recorded_until_boot_us, 2 * kSecondUs);
  EXPECT_EQ(again.recorded_until_us, kWallUs + 2 * kSecondUs);
  const auto open = world_->writer().open_sockets();
  ASSERT_TRUE(open);
  ASSERT_EQ(open->sockets.size(), 1U);
  expect_same(open->sockets.front(), one.opened[0]);
  ASSERT_EQ(open->processes.size(), 1U);
  EXPECT_EQ(open->processes.front().id, 7);
  EXPECT_EQ(open->processes.front().pid, one.processes[0].pid);
  EXPECT_EQ(open->processes.front().start_time_ns, one.processes[0].start_time_ns);
  EXPECT_EQ(open->processes.front().command, one.processes[0].command);
}

TEST_P(TimelineContract, ABatchOfABootThatWasNotBegunIsRefused) {
  begin();
  const auto written = world_->writer().write(batch(kSecondUs, 2));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, base::ErrorKind::kUsage);
  EXPECT_EQ(status().recorded_until_us, 0);
}

TEST_P(TimelineContract, AnotherBootHasTimesOfItsOwn) {
  begin();
  auto one = batch(50 * kSecondUs);
  one.closed = {closed(connection(1, 40001, 20 * kSecondUs), 30 * kSecondUs)};
  write(one);
  world_->restart();
  const auto boot = begin("second boot", kWallUs + kHourUs);
  EXPECT_EQ(boot.number, 2U);
  auto two = batch(50 * kSecondUs, 2);
  two.closed = {closed(connection(1, 40001, 20 * kSecondUs), 30 * kSecondUs)};
  two.closed[0].boot = 2;
  write(two);

  const auto in_first = find(at(25 * kSecondUs, 25 * kSecondUs));
  ASSERT_EQ(in_first.rows.size(), 1U);
  EXPECT_EQ(in_first.rows[0].socket.boot, 1U);
  const auto in_second = find(at(kHourUs + 25 * kSecondUs, kHourUs + 25 * kSecondUs));
  ASSERT_EQ(in_second.rows.size(), 1U);
  EXPECT_EQ(in_second.rows[0].socket.boot, 2U);
  EXPECT_EQ(in_second.rows[0].socket.opened_us, kWallUs + kHourUs + 20 * kSecondUs);
  const auto all = find({}).rows;
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].socket.boot, 2U);
}

TEST_P(TimelineContract, WhatAnEarlierBootLeftOpenCanBeClosedLater) {
  begin();
  auto one = batch(50 * kSecondUs);
  one.opened = {connection(5, 40001, 20 * kSecondUs)};
  write(one);
  world_->restart();
  begin("second boot", kWallUs + kHourUs);
  auto two = batch(3 * kSecondUs, 2);
  two.closed = {closed(one.opened[0], 50 * kSecondUs)};
  two.closed[0].close_unseen = true;
  two.opened = {connection(5, 40002, 2 * kSecondUs)};  // the same cookie, in another boot
  two.opened[0].boot = 2;
  write(two);
  EXPECT_EQ(cookies(at(50 * kSecondUs, 50 * kSecondUs)), Cookies{5});
  EXPECT_EQ(cookies(at(51 * kSecondUs, 52 * kSecondUs)), Cookies{});
  EXPECT_EQ(status().open_sockets, 1U);
}

TEST_P(TimelineContract, ACookieOfAnEarlierBootEndsNothingInThisOne) {
  begin();
  write(batch(kSecondUs));
  world_->restart();
  begin("second boot", kWallUs + kHourUs);
  auto one = batch(kSecondUs, 2);
  one.opened = {connection(5, 40002, 1)};
  one.opened[0].boot = 2;
  write(one);
  auto two = batch(2 * kSecondUs, 2);
  two.closed = {closed(connection(5, 40001, 1), 2)};
  write(two);
  EXPECT_EQ(status().open_sockets, 1U);
  EXPECT_EQ(find({}).rows.size(), 2U);
}

TEST_P(TimelineContract, RowsOfTwoBootsThatComeTogetherStayApart) {
  begin();
  write(batch(kSecondUs));
  world_->restart();
  begin("second boot", kWallUs + kHourUs);
  auto one = batch(kSecondUs, 2);
  one.closed = {closed(connection(1, 40001, 1), 2), closed(connection(2, 40002, 1), 2)};
  one.closed[0].boot = 2;
  write(one);
  world_->restart();
  begin("second boot", kWallUs + kHourUs);
  auto two = batch(2 * kSecondUs, 2);
  two.closed = {closed(connection(3, 40003, 3), 4)};
  two.closed[0].boot = 2;
  write(two);
  EXPECT_EQ(cookies(at(0, 10)), Cookies{2});
  EXPECT_EQ(cookies(at(kHourUs, kHourUs + 10)), (Cookies{3, 1}));
}

// ---- filters -----------------------------------------------------------------------------------

TEST_P(TimelineContract, NarrowsByPorts) {
  begin();
  auto one = batch(kHourUs);
  one.closed = {closed(connection(1, 40000, 1), 2), closed(connection(2, 443, 3), 4),
                closed(connection(3, 22, 5), 6)};
  one.closed[1].remote.port = 50000;
  one.closed[2].remote = {};
  one.opened = {connection(4, 40000, 7)};
  write(one);
  const auto with = [&](auto set) {
    ports::TimelineQuery query;
    set(query);
    return cookies(query);
  };
  EXPECT_EQ(with([](auto& q) { q.port = {443, 443}; }), (Cookies{4, 2, 1}));
  EXPECT_EQ(with([](auto& q) { q.port = {22, 443}; }), (Cookies{4, 3, 2, 1}));
  EXPECT_EQ(with([](auto& q) { q.port = {0, 21}; }), Cookies{});
  EXPECT_EQ(with([](auto& q) { q.port = {0, 0}; }), Cookies{});
  EXPECT_EQ(with([](auto& q) { q.local_port = {443, 443}; }), Cookies{2});
  EXPECT_EQ(with([](auto& q) { q.remote_port = 443; }), (Cookies{4, 1}));
  EXPECT_EQ(with([](auto& q) { q.remote_port = 0; }), Cookies{3});
  EXPECT_EQ(with([](auto& q) {
              q.local_port = {40000, 65535};
              q.remote_port = 443;
              q.port = {443, 443};
            }),
            (Cookies{4, 1}));
}

TEST_P(TimelineContract, NarrowsByAddressAndProtocol) {
  begin();
  auto one = batch(kHourUs);
  one.closed = {closed(connection(1, 53, 1), 2), closed(connection(2, 53, 3), 4),
                closed(connection(3, 53, 5), 6), closed(connection(4, 53, 7), 8)};
  one.closed[0].protocol = model::Protocol::kUdp;
  one.closed[1].local.address = address("::ffff:10.0.0.5");
  one.closed[2].local.address = address("0.0.0.0");
  one.closed[2].remote.address = address("::ffff:1.2.3.4");
  one.closed[3].local.address = address("::");
  write(one);
  const auto with = [&](auto set) {
    ports::TimelineQuery query;
    set(query);
    return cookies(query);
  };
  EXPECT_EQ(with([](auto& q) { q.protocol = model::Protocol::kUdp; }), Cookies{1});
  EXPECT_EQ(with([](auto& q) { q.local_address = address("10.0.0.5"); }), (Cookies{4, 3, 2, 1}));
  EXPECT_EQ(with([](auto& q) { q.local_address = address("10.0.0.6"); }), (Cookies{4, 3}));
  EXPECT_EQ(with([](auto& q) { q.local_address = address("2001:db8::1"); }), Cookies{4});
  EXPECT_EQ(with([](auto& q) { q.remote_address = address("1.2.3.4"); }), Cookies{3});
  EXPECT_EQ(with([](auto& q) { q.remote_address = address("10.9.9.9"); }), (Cookies{4, 2, 1}));
}

TEST_P(TimelineContract, NarrowsByProcessAndUser) {
  begin();
  auto one = batch(kHourUs);
  one.processes = {process(1, 100, "curl", 1000), process(2, 200, "nginx", 33),
                   process(3, 200, "sshd", 0)};
  one.closed = {closed(connection(1, 1, 1), 2), closed(connection(2, 2, 3), 4),
                closed(connection(3, 3, 5), 6), closed(connection(4, 4, 7), 8)};
  one.closed[0].owner = 1;
  one.closed[1].owner = 2;
  one.closed[1].creator = 3;
  one.closed[2].owner = 2;
  one.closed[2].also_held_by = {1};
  write(one);
  const auto with = [&](auto set) {
    ports::TimelineQuery query;
    set(query);
    return cookies(query);
  };
  EXPECT_EQ(with([](auto& q) { q.pid = 100; }), (Cookies{3, 1}));
  EXPECT_EQ(with([](auto& q) { q.command = "sshd"; }), Cookies{2});
  EXPECT_EQ(with([](auto& q) { q.command = "ssh"; }), Cookies{});
  EXPECT_EQ(with([](auto& q) { q.uid = 33; }), (Cookies{3, 2}));
  EXPECT_EQ(with([](auto& q) { q.uid = 0; }), Cookies{});  // it made one, it owns none
  EXPECT_EQ(with([](auto& q) {
              q.pid = 200;
              q.command = "curl";
            }),
            Cookies{});  // no one process is both
}

TEST_P(TimelineContract, TheLimitKeepsTheNewestOpenings) {
  begin();
  auto one = batch(1000 * kHourUs);
  // Long lives close last and opened first, so the newest openings are in other places than the
  // newest closings.
  for (uint64_t i = 1; i <= 50; ++i) {
    const auto opened = static_cast<int64_t>(i) * kSecondUs;
    const int64_t lasted = (51 - static_cast<int64_t>(i)) * kHourUs;
    one.closed.push_back(closed(connection(i, 40000, opened), opened + lasted));
  }
  std::ranges::sort(one.closed, {}, [](const auto& row) { return *row.closed_boot_us; });
  write(one);
  ports::TimelineQuery query;
  query.limit = 3;
  const auto answer = find(query);
  ASSERT_EQ(answer.rows.size(), 3U);
  EXPECT_EQ(answer.rows[0].socket.cookie, 50U);
  EXPECT_EQ(answer.rows[2].socket.cookie, 48U);
  EXPECT_TRUE(answer.more);
  query.limit = 50;
  EXPECT_FALSE(find(query).more);
  query.limit = 49;
  EXPECT_TRUE(find(query).more);
  query.limit = 0;
  EXPECT_TRUE(find(query).rows.empty());
  query.limit = std::numeric_limits<size_t>::max();
  EXPECT_EQ(find(query).rows.size(), 50U);
}

// ---- processes ---------------------------------------------------------------------------------

TEST_P(TimelineContract, WhatIsKnownOfAProcessLaterTakesThePlaceOfBefore) {
  begin();
  auto one = batch(2 * kSecondUs);
  one.processes = {process(1, 100, "sh")};
  one.closed = {closed(connection(1, 40001, 1), 2)};
  one.closed[0].owner = 1;
  write(one);
  auto two = batch(4 * kSecondUs);
  two.processes = {process(1, 100, "nc")};
  write(two);
  expect_same(find({}).rows.at(0).owner.value(), two.processes[0]);
  EXPECT_EQ(status().processes, 1U);
}

TEST_P(TimelineContract, APidUsedAgainIsAnotherProcess) {
  begin();
  auto one = batch(2 * kSecondUs);
  one.processes = {process(1, 100, "curl"), process(2, 100, "wget")};
  one.closed = {closed(connection(1, 40001, 1), 2), closed(connection(2, 40001, 3), 4)};
  one.closed[0].owner = 1;
  one.closed[1].owner = 2;
  write(one);
  const auto rows = find({}).rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].owner.value().command, "wget");
  EXPECT_EQ(rows[1].owner.value().command, "curl");
}

// ---- gaps, policies, how far answers reach -----------------------------------------------------

TEST_P(TimelineContract, GapsComeWithTheWindowsThatTheyOverlap) {
  begin();
  auto one = batch(kHourUs);
  one.gaps = {{1, kWallUs + 100, kWallUs + 200, "ring-full", 17},
              {1, kWallUs + kHourUs, kWallUs + 2 * kHourUs, "not-recording", 0}};
  write(one);
  const auto first = find(at(200, 300)).gaps;
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].kind, "ring-full");
  EXPECT_EQ(first[0].lost, 17U);
  EXPECT_EQ(first[0].from_us, kWallUs + 100);
  EXPECT_EQ(first[0].until_us, kWallUs + 200);
  EXPECT_EQ(first[0].boot, 1U);
  EXPECT_TRUE(find(at(201, 300)).gaps.empty());
  EXPECT_EQ(find({}).gaps.size(), 2U);
  EXPECT_EQ(status().events_lost, 17U);
}

TEST_P(TimelineContract, GapsOfOneKindThatFollowEachOtherAreOne) {
  begin();
  auto one = batch(kHourUs);
  one.gaps = {{1, kWallUs + 100, kWallUs + 200, "ring-full", 1},
              {1, kWallUs + 150, kWallUs + 160, "recursion", 5},
              {1, kWallUs + 200, kWallUs + 300, "ring-full", 2}};
  write(one);
  world_->restart();
  begin();
  auto two = batch(2 * kHourUs);
  two.gaps = {{1, kWallUs + kSecondUs + 300, kWallUs + kSecondUs + 400, "ring-full", 4},
              {1, kWallUs + 3 * kSecondUs, kWallUs + 4 * kSecondUs, "ring-full", 8}};
  write(two);
  const auto gaps = find({}).gaps;
  ASSERT_EQ(gaps.size(), 3U);
  EXPECT_EQ(gaps[0].kind, "ring-full");
  EXPECT_EQ(gaps[0].lost, 7U);
  EXPECT_EQ(gaps[0].until_us, kWallUs + kSecondUs + 400);
  EXPECT_EQ(gaps[1].kind, "recursion");
  EXPECT_EQ(gaps[2].lost, 8U);
}

// A recorder that is started again and again: what it recorded in between was recorded.
TEST_P(TimelineContract, GapsWithoutLossesAreKeptExact) {
  begin();
  auto one = batch(kHourUs);
  one.gaps = {{1, kWallUs + 100, kWallUs + 200, "not-recording", 0}};
  write(one);
  world_->restart();
  begin();
  auto two = batch(2 * kHourUs);
  two.gaps = {{1, kWallUs + 250, kWallUs + 300, "not-recording", 0},
              {1, kWallUs + 300, kWallUs + 400, "not-recording", 0}};
  write(two);
  const auto gaps = find({}).gaps;
  ASSERT_EQ(gaps.size(), 2U);
  EXPECT_EQ(gaps[0].until_us, kWallUs + 200);
  EXPECT_EQ(gaps[1].from_us, kWallUs + 250);
  EXPECT_EQ(gaps[1].until_us, kWallUs + 400);
}

TEST_P(TimelineContract, KeepsTheHistoryOfThePortPolicy) {
  begin();
  auto one = batch(10 * kSecondUs);
  one.policy.known = true;
  one.policy.reserved = {{1743, 1744}, {5000, 5000}};
  write(one);
  auto same = batch(20 * kSecondUs);
  same.policy = one.policy;
  write(same);
  auto changed = batch(30 * kSecondUs);
  changed.policy = one.policy;
  changed.policy.ephemeral = {10000, 20000};
  changed.policy.unprivileged_start = 80;
  write(changed);
  auto unknown = batch(40 * kSecondUs);
  write(unknown);

  const auto all = find({}).policies;
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].policy.ephemeral, (model::PortRange{32768, 60999}));
  EXPECT_EQ(all[0].policy.reserved, one.policy.reserved);
  EXPECT_TRUE(all[0].policy.known);
  EXPECT_EQ(all[1].policy.ephemeral, (model::PortRange{10000, 20000}));
  EXPECT_EQ(all[1].policy.unprivileged_start, 80);
  EXPECT_EQ(all[1].since_us, kWallUs + 30 * kSecondUs);
  const auto before = find(at(15 * kSecondUs, 29 * kSecondUs)).policies;
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].policy.unprivileged_start, 1024);
  EXPECT_EQ(find(at(31 * kSecondUs, 32 * kSecondUs)).policies.at(0).policy.unprivileged_start, 80);
}

TEST_P(TimelineContract, TellsFromWhenToWhenItKnows) {
  begin();
  auto one = batch(20 * kSecondUs);
  one.clock_steps = {{15 * kSecondUs, kWallUs}};
  write(one);
  auto two = batch(22 * kSecondUs);
  write(two);
  const auto answer = find({});
  EXPECT_EQ(answer.oldest_us, kWallUs + 15 * kSecondUs);
  EXPECT_EQ(answer.recorded_until_us, kWallUs + 22 * kSecondUs);
  EXPECT_EQ(status().oldest_us, answer.oldest_us);
  EXPECT_EQ(status().recorded_until_us, answer.recorded_until_us);
}

// ---- retention ---------------------------------------------------------------------------------

TEST_P(TimelineContract, RetentionDropsTheOldAndSaysFromWhereAnswersAreWhole) {
  begin();
  constexpr int64_t kDayUs = 24 * kHourUs;
  for (int64_t day = 0; day < 10; ++day) {
    auto one = batch((day + 1) * kDayUs);
    for (uint64_t i = 0; i < 500; ++i) {
      const int64_t opened = day * kDayUs + static_cast<int64_t>(i) * kSecondUs;
      const auto cookie = static_cast<uint64_t>(day) * 1000 + i;
      one.closed.push_back(closed(connection(cookie, 40000, opened), opened + kSecondUs / 2));
    }
    one.gaps = {{1, kWallUs + day * kDayUs, kWallUs + day * kDayUs + 5, "ring-full", 1}};
    write(one);
  }
  auto open = batch(10 * kDayUs + 1);
  open.opened = {connection(77, 22, 5)};
  write(open);
  ports::RetentionPolicy policy;
  policy.age_s = 3 * 24 * 3600;
  retain_all(policy, kWallUs + 10 * kDayUs);

  ports::TimelineQuery all;
  all.limit = 100'000;
  const auto answer = find(all);
  // All of the last three days is there, and nothing from more than a day before that.
  const auto of_day = [&](int64_t day) {
    return std::ranges::count_if(answer.rows, [&](const auto& row) {
      return row.socket.opened_boot_us / kDayUs == day && row.socket.cookie != 77;
    });
  };
  for (int64_t day = 7; day < 10; ++day) EXPECT_EQ(of_day(day), 500) << day;
  for (int64_t day = 0; day < 5; ++day) EXPECT_EQ(of_day(day), 0) << day;
  EXPECT_EQ(answer.rows.size(), status().sockets);
  EXPECT_EQ(cookies(at(6, 6)), Cookies{77});  // what is open stays, however old
  EXPECT_GT(answer.oldest_us, kWallUs + 4 * kDayUs);
  EXPECT_LE(answer.oldest_us, kWallUs + 7 * kDayUs);
  for (const auto& gap : answer.gaps) EXPECT_GE(gap.until_us, answer.oldest_us);
}

TEST_P(TimelineContract, AClockThatJumpedAheadDropsNothingAtOnce) {
  begin();
  auto one = batch(kHourUs);
  one.closed = {closed(connection(1, 40001, 1), 2)};
  write(one);
  constexpr int64_t kYearsUs = 24 * kHourUs * 3650;
  auto two = batch(kHourUs + 2 * kSecondUs);
  two.clock_steps = {{kHourUs + kSecondUs, kWallUs + kYearsUs}};
  write(two);
  retain_all({}, kWallUs + kYearsUs + kHourUs);
  EXPECT_EQ(cookies({}), Cookies{1});
  // An hour later nobody has set it right: then it is right.
  write(batch(3 * kHourUs));
  retain_all({}, kWallUs + kYearsUs + 3 * kHourUs);
  EXPECT_EQ(cookies({}), Cookies{});
}

}  // namespace testkit
