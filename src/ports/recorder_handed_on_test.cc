// A socket that outlives the process that opened it: whose it is, and when.
#include <gtest/gtest.h>

#include "ports/recorder.h"
#include "testkit/recorder_events.h"

namespace {

using model::OwnerProof;
using model::SocketEventKind;
using model::SocketRole;
using testkit::actor;
using testkit::at;
using testkit::event;
using testkit::kSecond;
using testkit::RecorderTest;

model::ProcessEvent exit_of(const model::Actor& process, uint64_t seconds) {
  return {.time_ns = seconds * kSecond,
          .kind = model::ProcessEventKind::kExit,
          .process = process,
          .parent_pid = 0,
          .parent_start_time_ns = 0,
          .exe = ""};
}

class HandedOn : public RecorderTest {
 protected:
  /// The launcher listens at 9 s and ends at 10 s.
  ports::Recorder launched() {
    auto recorder = make();
    auto opened = event(SocketEventKind::kListening, 1, 9);
    opened.remote = {};
    opened.actor = opened.creator = actor(20, "launcher");
    recorder.take(opened);
    recorder.take(exit_of(actor(20, "launcher"), 10));
    return recorder;
  }
  static model::SocketEvent closed_by(const model::Actor& who, uint64_t seconds) {
    auto closed = event(SocketEventKind::kClosed, 1, seconds);
    closed.remote = {};
    closed.actor = who;
    return closed;
  }
  model::Inventory held_by(std::vector<int32_t> pids) {
    auto look = inventory({socket(1, 56744, model::SocketState::kListen)});
    own(look, 0, std::move(pids));
    look.report.complete = true;
    return look;
  }
};

TEST_F(HandedOn, WhatItsProcessClosesAsItEndsIsItsOwnToTheEnd) {
  auto recorder = launched();
  recorder.take(closed_by(actor(20, "launcher"), 11));
  recorder.set_clock(at(20));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(recorder.process(batch.closed[0].owner)->command, "launcher");
  EXPECT_EQ(batch.closed[0].closed_us, at(11).wall_us);
  EXPECT_EQ(batch.closed[0].owner_reason, "");
  EXPECT_FALSE(recorder.wants_look());
}

TEST_F(HandedOn, ASocketThatOutlivesItsProcessIsNobodysUntilALookNamesTheHeir) {
  auto recorder = launched();
  recorder.set_clock(at(12));
  auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(recorder.process(batch.closed[0].owner)->command, "launcher");
  EXPECT_EQ(batch.closed[0].closed_us, at(10).wall_us);
  EXPECT_EQ(batch.closed[0].owner_reason, "handed-on");
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(batch.opened[0].owner, 0);
  EXPECT_EQ(batch.opened[0].proof, OwnerProof::kNone);
  EXPECT_EQ(batch.opened[0].owner_reason, "taken-over-unseen");
  EXPECT_EQ(batch.opened[0].creator, batch.closed[0].owner);
  EXPECT_EQ(batch.opened[0].opened_us, at(10).wall_us);
  EXPECT_TRUE(recorder.wants_look());

  recorder.begin_look();
  recorder.resync(held_by({21}), at(13));
  EXPECT_FALSE(recorder.wants_look());
  batch = recorder.flush();
  EXPECT_TRUE(batch.closed.empty());
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(recorder.process(batch.opened[0].owner)->pid, 21);
  EXPECT_EQ(batch.opened[0].proof, OwnerProof::kHeld);
  EXPECT_EQ(batch.opened[0].owner_reason, "taken-over");
  EXPECT_EQ(recorder.process(batch.opened[0].creator)->pid, 20);
}

TEST_F(HandedOn, WhoClosesItAfterItsProcessEndedHeldItSince) {
  auto recorder = launched();
  recorder.take(closed_by(actor(21, "heir"), 30));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 2U);
  EXPECT_EQ(recorder.process(batch.closed[0].owner)->command, "launcher");
  EXPECT_EQ(batch.closed[0].closed_us, at(10).wall_us);
  EXPECT_EQ(recorder.process(batch.closed[1].owner)->command, "heir");
  EXPECT_EQ(batch.closed[1].opened_us, at(10).wall_us);
  EXPECT_EQ(batch.closed[1].closed_us, at(30).wall_us);
  EXPECT_EQ(batch.closed[1].proof, OwnerProof::kActed);
  EXPECT_EQ(batch.closed[1].owner_reason, "taken-over");
}

TEST_F(HandedOn, WhoWasSeenSharingItIsTheHeirUnlessItEndedToo) {
  for (const bool heir_ended : {false, true}) {
    auto recorder = make();
    auto opened = event(SocketEventKind::kListening, 1, 9);
    opened.remote = {};
    opened.actor = opened.creator = actor(20, "launcher");
    recorder.take(opened);
    recorder.begin_look();
    recorder.resync(held_by({20, 21}), at(10));
    if (heir_ended) recorder.take(exit_of(actor(21, "heir"), 11));
    recorder.take(exit_of(actor(20, "launcher"), 12));
    recorder.set_clock(at(14));
    const auto batch = recorder.flush();
    ASSERT_EQ(batch.opened.size(), 1U);
    EXPECT_EQ(batch.opened[0].proof, heir_ended ? OwnerProof::kNone : OwnerProof::kHeld);
    if (!heir_ended) EXPECT_EQ(recorder.process(batch.opened[0].owner)->pid, 21);
    EXPECT_TRUE(batch.opened[0].also_held_by.empty());
    EXPECT_EQ(recorder.wants_look(), heir_ended);
  }
}

TEST_F(HandedOn, ALookThatFindsOthersAloneEndsTheOwnersRowThere) {
  for (const bool complete : {true, false}) {
    auto recorder = make();
    auto opened = event(SocketEventKind::kListening, 1, 9);
    opened.remote = {};
    opened.actor = opened.creator = actor(20, "giver");
    recorder.take(opened);
    auto look = held_by({21});
    look.report.complete = complete;
    recorder.begin_look();
    recorder.resync(look, at(15));
    const auto batch = recorder.flush();
    ASSERT_EQ(batch.opened.size(), 1U);
    if (!complete) {
      // The giver's descriptors may be among those that could not be seen.
      EXPECT_EQ(recorder.process(batch.opened[0].owner)->pid, 20);
      EXPECT_EQ(batch.opened[0].also_held_by.size(), 1U);
      continue;
    }
    ASSERT_EQ(batch.closed.size(), 1U);
    EXPECT_EQ(recorder.process(batch.closed[0].owner)->pid, 20);
    EXPECT_TRUE(batch.closed[0].close_unseen);
    EXPECT_EQ(recorder.process(batch.opened[0].owner)->pid, 21);
    EXPECT_EQ(batch.opened[0].owner_reason, "taken-over");
  }
}

// As a look that was begun before it was opened, or that cannot tell who holds it.
TEST_F(HandedOn, ALookThatSaysNothingOfHoldersTakesNothingAway) {
  processes_.add(20, "server");
  auto recorder = make();
  auto opened = event(SocketEventKind::kListening, 1, 9);
  opened.actor = opened.creator = actor(20, "server");
  recorder.take(opened);
  recorder.begin_look();
  recorder.resync(held_by({21}), at(9));
  auto look = inventory({socket(1, 56744, model::SocketState::kListen)});
  look.report.complete = true;
  recorder.begin_look();
  recorder.resync(look, at(12));
  const auto batch = recorder.flush();
  EXPECT_TRUE(batch.closed.empty());
  EXPECT_EQ(recorder.process(batch.opened[0].owner)->pid, 20);
}

TEST_F(HandedOn, WhoClosesWhatALivingOwnerOpenedHeldItToo) {
  auto recorder = make();
  auto opened = event(SocketEventKind::kListening, 1, 9);
  opened.remote = {};
  opened.actor = opened.creator = actor(20, "server");
  recorder.take(opened);
  recorder.take(closed_by(actor(21, "worker"), 12));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(recorder.process(batch.closed[0].owner)->pid, 20);
  ASSERT_EQ(batch.closed[0].also_held_by.size(), 1U);
  EXPECT_EQ(recorder.process(batch.closed[0].also_held_by[0])->command, "worker");
}

// The recorder was started anew: who ended meanwhile holds nothing any more, and who did not is
// one.
TEST_F(HandedOn, AcrossARestartAProcessIsTheSameAndAnHeirIsFound) {
  for (const int32_t holder : {20, 21}) {
    model::RecordedSocket row;
    row.cookie = 1;
    row.boot = 3;
    row.netns = 7;
    row.role = SocketRole::kListener;
    row.local.port = 56744;
    row.opened_us = at(2).wall_us;
    row.opened_boot_us = 2'000'000;
    row.owner = 44;
    row.proof = OwnerProof::kActed;
    model::RecordedProcess launcher;
    launcher.id = 44;
    launcher.boot = 3;
    launcher.pid = 20;
    launcher.start_time_ns = kSecond;
    auto recorder = make({.sockets = {row}, .processes = {launcher}}, at(4).wall_us);
    recorder.begin_look();
    recorder.resync(held_by({holder}), at(10));
    const auto batch = recorder.flush();
    if (holder == 20) {
      EXPECT_TRUE(batch.closed.empty());
      EXPECT_TRUE(batch.opened.empty()) << "nothing is new";
      continue;
    }
    ASSERT_EQ(batch.closed.size(), 1U);
    EXPECT_EQ(batch.closed[0].owner, 44);
    EXPECT_TRUE(batch.closed[0].close_unseen);
    EXPECT_EQ(batch.closed[0].owner_reason, "handed-on");
    ASSERT_EQ(batch.opened.size(), 1U);
    EXPECT_EQ(recorder.process(batch.opened[0].owner)->pid, 21);
    EXPECT_TRUE(batch.opened[0].also_held_by.empty());
  }
}

}  // namespace
