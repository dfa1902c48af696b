#include "ports/recorder.h"

#include <cerrno>
#include <cstring>

#include <gtest/gtest.h>

#include "testkit/recorder_events.h"

namespace {

using model::OwnerProof;
using model::SocketEventKind;
using model::SocketRole;

using testkit::actor;
using testkit::at;
using testkit::event;
using testkit::kEpochUs;
using testkit::kSecond;
using testkit::RecorderTest;

TEST_F(RecorderTest, AConnectionThatLivedBetweenTwoFlushesIsOneClosedRow) {
  auto recorder = make();
  auto opened = event(SocketEventKind::kConnected, 1, 9);
  opened.actor = opened.creator = actor(20, "curl");
  auto closed = event(SocketEventKind::kClosed, 1, 10);
  closed.local.port = 0;  // after a reset the kernel has taken the port away
  closed.actor = actor(20, "curl");
  closed.totals.bytes_sent = 77;
  recorder.take(opened);
  recorder.take(closed);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_TRUE(batch.opened.empty());
  const auto& row = batch.closed[0];
  EXPECT_EQ(row.local.port, 56744);
  EXPECT_EQ(row.role, SocketRole::kOutgoing);
  EXPECT_EQ(row.opened_us, at(9).wall_us);
  EXPECT_EQ(row.closed_us, at(10).wall_us);
  EXPECT_EQ(row.totals.bytes_sent, 77U);
  EXPECT_EQ(row.proof, OwnerProof::kActed);
  ASSERT_EQ(batch.processes.size(), 1U);
  EXPECT_EQ(batch.processes[0].id, row.owner);
  EXPECT_EQ(batch.processes[0].id, 50);
  EXPECT_EQ(batch.processes[0].command, "curl");
  EXPECT_EQ(recorder.open_sockets(), 0U);
}

TEST_F(RecorderTest, AnAcceptedConnectionBelongsToWhoClosedItNotToTheListenersMaker) {
  auto recorder = make();
  auto accepted = event(SocketEventKind::kAccepted, 1, 9);
  accepted.creator = actor(20, "master");
  recorder.take(accepted);
  auto batch = recorder.flush();
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(batch.opened[0].proof, OwnerProof::kInherited);
  auto closed = event(SocketEventKind::kClosed, 1, 10);
  closed.creator = actor(20, "master");
  closed.actor = actor(21, "worker");
  recorder.take(closed);
  batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(batch.closed[0].proof, OwnerProof::kActed);
  EXPECT_EQ(recorder.process(batch.closed[0].owner)->command, "worker");
  EXPECT_EQ(recorder.process(batch.closed[0].creator)->command, "master");
}

TEST_F(RecorderTest, ACloserDoesNotReplaceWhoConnected) {
  auto recorder = make();
  auto connected = event(SocketEventKind::kConnected, 1, 9);
  connected.actor = connected.creator = actor(20, "parent");
  auto closed = event(SocketEventKind::kClosed, 1, 10);
  closed.actor = actor(21, "child");
  recorder.take(connected);
  recorder.take(closed);
  const auto batch = recorder.flush();
  EXPECT_EQ(recorder.process(batch.closed[0].owner)->command, "parent");
}

TEST_F(RecorderTest, NamesNobodyWhenNobodyIsKnown) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kClosed, 1, 10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(batch.closed[0].owner, 0);
  EXPECT_EQ(batch.closed[0].proof, OwnerProof::kNone);
}

TEST_F(RecorderTest, ASocketThatNeverHadAPortLeavesNoRow) {
  auto recorder = make();
  auto closed = event(SocketEventKind::kClosed, 1, 10);
  closed.local.port = 0;
  recorder.take(closed);
  EXPECT_TRUE(recorder.flush().closed.empty());
}

TEST_F(RecorderTest, ADeadProcessIsNamedByItsExec) {
  auto recorder = make();
  model::ProcessEvent exec;
  exec.kind = model::ProcessEventKind::kExec;
  exec.process = actor(20, "beacon");
  exec.exe = "/tmp/beacon";
  recorder.take(exec);
  model::ProcessEvent exit = exec;
  exit.kind = model::ProcessEventKind::kExit;
  recorder.take(exit);
  auto closed = event(SocketEventKind::kClosed, 1, 10);
  closed.actor = actor(20, "beacon");
  recorder.take(closed);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.processes.size(), 1U);
  EXPECT_EQ(batch.processes[0].exe, "/tmp/beacon");
}

TEST_F(RecorderTest, ADeadProcessIsOfTheUserThatItActedAs) {
  processes_.users[65534] = "nobody";
  auto recorder = make();
  model::ProcessEvent exec;
  exec.kind = model::ProcessEventKind::kExec;
  exec.process = actor(20, "beacon");
  exec.process.uid = 0;
  recorder.take(exec);
  auto connected = event(SocketEventKind::kConnected, 1, 10);
  connected.actor = actor(20, "beacon");
  connected.actor.uid = 65534;
  recorder.take(connected);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.processes.size(), 1U);
  EXPECT_EQ(batch.processes[0].uid, 65534U);
  EXPECT_EQ(batch.processes[0].user, "nobody");
}

TEST_F(RecorderTest, AProcessThatGivesUpItsRightsIsOfTheUserThatItActsAs) {
  processes_.users[65534] = "nobody";
  processes_.add(20, "named");
  auto recorder = make();
  const auto act = [&](uint64_t cookie, uint32_t uid) {
    auto bound = event(SocketEventKind::kBound, cookie, 10);
    bound.actor = actor(20, "named");
    bound.actor.uid = uid;
    bound.creator = actor(20, "named");
    bound.creator.uid = 0;  // as it was when the socket was made
    recorder.take(bound);
    auto batch = recorder.flush();
    const auto* owner = recorder.process(batch.opened.at(0).owner);
    return std::pair(owner->user, batch.processes.size());
  };
  EXPECT_EQ(act(1, 0), std::pair(std::string("root"), size_t{1}));
  EXPECT_EQ(act(2, 65534), std::pair(std::string("nobody"), size_t{1})) << "stored once more";
  EXPECT_EQ(act(3, 65534), std::pair(std::string("nobody"), size_t{0}));
}

TEST_F(RecorderTest, WhatProcTellsIsNotUndoneByAnOlderAct) {
  auto& process = processes_.add(20, "named");
  process.uid = 65534;
  process.user = "nobody";
  auto recorder = make();
  for (const uint64_t cookie : {1, 2}) {
    auto bound = event(SocketEventKind::kBound, cookie, 10);
    bound.actor = actor(20, "named");
    bound.actor.uid = 0;  // it acted before it was read
    recorder.take(bound);
    const auto batch = recorder.flush();
    EXPECT_EQ(recorder.process(batch.opened.at(0).owner)->user, "nobody");
  }
}

TEST_F(RecorderTest, ALookTellsWhomAProcessBelongsToNow) {
  processes_.add(20, "haproxy").start_time_ns = kSecond;
  auto recorder = make();
  auto listening = event(SocketEventKind::kListening, 1, 10);
  listening.actor = actor(20, "haproxy");
  listening.actor.uid = 0;
  recorder.take(listening);
  const int64_t owner = recorder.flush().opened.at(0).owner;
  EXPECT_EQ(recorder.process(owner)->user, "root");
  auto look = inventory({socket(1, 56744, model::SocketState::kListen)});
  own(look, 0, {20});
  look.processes[0].uid = 99;
  look.processes[0].user = "haproxy";
  recorder.begin_look();
  recorder.resync(look, at(11));
  EXPECT_EQ(recorder.process(owner)->user, "haproxy");
  EXPECT_EQ(recorder.flush().processes.size(), 1U);
}

TEST_F(RecorderTest, ADeadProcessKeepsTheTracesThatItLeft) {
  processes_.users[1000] = "alice";
  processes_.placements[4711].unit = "beacon.service";
  processes_.add(10, "cron").start_time_ns = kSecond;
  auto recorder = make();
  model::ProcessEvent fork;
  fork.kind = model::ProcessEventKind::kFork;
  fork.process = actor(20, "beacon");
  fork.process.cgroup_id = 4711;
  fork.parent_pid = 10;
  fork.parent_start_time_ns = kSecond;
  recorder.take(fork);
  auto closed = event(SocketEventKind::kClosed, 1, 10);
  closed.actor = actor(20, "beacon");
  recorder.take(closed);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.processes.size(), 1U);
  EXPECT_EQ(batch.processes[0].user, "alice");
  EXPECT_EQ(batch.processes[0].unit, "beacon.service");
  EXPECT_EQ(batch.processes[0].parent_command, "cron");
}

TEST_F(RecorderTest, AParentWhosePidWasUsedAgainIsNotNamed) {
  processes_.add(10, "newcomer").start_time_ns = 5 * kSecond;
  auto recorder = make();
  model::ProcessEvent fork;
  fork.kind = model::ProcessEventKind::kFork;
  fork.process = actor(20, "beacon");
  fork.parent_pid = 10;
  fork.parent_start_time_ns = kSecond;
  recorder.take(fork);
  auto closed = event(SocketEventKind::kClosed, 1, 10);
  closed.actor = actor(20, "beacon");
  recorder.take(closed);
  EXPECT_EQ(recorder.flush().processes.at(0).parent_command, "");
}

TEST_F(RecorderTest, ADeadProcessIsNamedByTheFileBehindALinkOrScript) {
  processes_.executables["/usr/bin/python3"] = "/usr/bin/python3.11";
  auto recorder = make();
  model::ProcessEvent exec;
  exec.kind = model::ProcessEventKind::kExec;
  exec.process = actor(20, "python3");
  exec.exe = "/usr/bin/python3";
  recorder.take(exec);
  auto closed = event(SocketEventKind::kClosed, 1, 10);
  closed.actor = actor(20, "python3");
  recorder.take(closed);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.processes.size(), 1U);
  EXPECT_EQ(batch.processes[0].exe, "/usr/bin/python3.11");
}

TEST_F(RecorderTest, ALivingProcessIsAskedForItsUnit) {
  processes_.add(20, "sshd").placement.unit = "ssh.service";
  auto recorder = make();
  auto listening = event(SocketEventKind::kListening, 1, 10);
  listening.actor = actor(20, "sshd");
  recorder.take(listening);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.processes.size(), 1U);
  EXPECT_EQ(batch.processes[0].unit, "ssh.service");
  EXPECT_EQ(batch.processes[0].exe, "/usr/sbin/sshd");
}

TEST_F(RecorderTest, AConnectThatFailsIsOfWhoConnectedAndLastedUntilItFailed) {
  auto recorder = make();
  auto connecting = event(SocketEventKind::kConnected, 1, 9);
  connecting.actor = actor(20, "curl");
  recorder.take(connecting);
  auto batch = recorder.flush();
  ASSERT_EQ(batch.opened.size(), 1U);
  auto failed = event(SocketEventKind::kConnectFailed, 1, 10);
  failed.error = ETIMEDOUT;
  recorder.take(failed);
  batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  const auto& row = batch.closed[0];
  EXPECT_EQ(row.role, SocketRole::kConnectFailed);
  EXPECT_EQ(row.error, ETIMEDOUT);
  EXPECT_EQ(row.opened_us, at(9).wall_us);
  EXPECT_EQ(row.closed_us, at(10).wall_us);
  EXPECT_EQ(recorder.process(row.owner)->command, "curl");
  EXPECT_EQ(recorder.open_sockets(), 0U);
}

TEST_F(RecorderTest, ASocketThatConnectsAgainHasTwoConnections) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kConnected, 1, 9));
  auto again = event(SocketEventKind::kConnected, 1, 11);
  again.remote.port = 444;
  recorder.take(again);
  recorder.take(event(SocketEventKind::kConnectFailed, 1, 12));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 2U);
  EXPECT_EQ(batch.closed[0].role, SocketRole::kOutgoing);
  EXPECT_TRUE(batch.closed[0].close_unseen);
  EXPECT_EQ(batch.closed[0].opened_us, at(9).wall_us);
  EXPECT_EQ(batch.closed[1].role, SocketRole::kConnectFailed);
  EXPECT_EQ(batch.closed[1].remote.port, 444);
  EXPECT_EQ(batch.closed[1].opened_us, at(11).wall_us);
}

TEST_F(RecorderTest, WhoDialledItselfOrDialledBackAtOnceIsStillTheOneWhoDialled) {
  auto recorder = make();
  auto connected = event(SocketEventKind::kConnected, 1, 9);
  connected.actor = actor(20, "curl");
  recorder.take(connected);
  recorder.take(event(SocketEventKind::kAccepted, 1, 9));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(batch.opened[0].role, SocketRole::kOutgoing);
  EXPECT_EQ(recorder.process(batch.opened[0].owner)->command, "curl");
}

TEST_F(RecorderTest, WhatALookTookForOutgoingBecomesIncomingWhenItsOpeningSaysSo) {
  auto recorder = make();
  recorder.resync(inventory({socket(1, 22, model::SocketState::kEstablished)}), at(10));
  recorder.take(event(SocketEventKind::kAccepted, 1, 10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(batch.opened[0].role, SocketRole::kIncoming);
}

TEST_F(RecorderTest, TheSamePidWithAnotherStartIsAnotherProcess) {
  auto recorder = make();
  auto first = event(SocketEventKind::kConnectFailed, 1, 9);
  first.actor = actor(20, "old", 1);
  auto second = event(SocketEventKind::kConnectFailed, 2, 10);
  second.actor = actor(20, "new", 8);
  recorder.take(first);
  recorder.take(second);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 2U);
  EXPECT_NE(batch.closed[0].owner, batch.closed[1].owner);
}

TEST_F(RecorderTest, AnInventoryAddsWhatWasOpenBeforeAndNamesEveryHolder) {
  auto recorder = make();
  auto look = inventory({socket(5, 22, model::SocketState::kListen),
                         socket(6, 22, model::SocketState::kEstablished)});
  own(look, 0, {20, 21});
  recorder.resync(look, at(10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.opened.size(), 2U);
  const auto& listener = batch.opened[batch.opened[0].cookie == 5 ? 0 : 1];
  const auto& incoming = batch.opened[batch.opened[0].cookie == 5 ? 1 : 0];
  EXPECT_TRUE(listener.opened_before);
  EXPECT_EQ(listener.proof, OwnerProof::kHeld);
  EXPECT_EQ(recorder.process(listener.owner)->pid, 20);
  ASSERT_EQ(listener.also_held_by.size(), 1U);
  EXPECT_EQ(recorder.process(listener.also_held_by[0])->pid, 21);
  EXPECT_EQ(incoming.role, SocketRole::kIncoming);
}

TEST_F(RecorderTest, AnInventoryNamesWhoHoldsAnAcceptedConnection) {
  auto recorder = make();
  auto accepted = event(SocketEventKind::kAccepted, 6, 9);
  accepted.creator = actor(20, "master");
  recorder.take(accepted);
  auto look = inventory({socket(6, 56744, model::SocketState::kEstablished)});
  own(look, 0, {21});
  recorder.resync(look, at(10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(recorder.process(batch.opened[0].owner)->pid, 21);
  EXPECT_EQ(recorder.process(batch.opened[0].creator)->pid, 20);
  EXPECT_EQ(batch.opened[0].proof, OwnerProof::kHeld);
}

TEST_F(RecorderTest, AHolderThatAnInventorySawIsKeptWhenAnotherClosesLast) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kAccepted, 6, 9));
  auto look = inventory({socket(6, 56744, model::SocketState::kEstablished)});
  own(look, 0, {21});
  recorder.resync(look, at(10));
  auto closed = event(SocketEventKind::kClosed, 6, 10);
  closed.actor = actor(22, "child");
  recorder.take(closed);
  const auto batch = recorder.flush();
  EXPECT_EQ(recorder.process(batch.closed[0].owner)->pid, 22);
  ASSERT_EQ(batch.closed[0].also_held_by.size(), 1U);
  EXPECT_EQ(recorder.process(batch.closed[0].also_held_by[0])->pid, 21);
  EXPECT_EQ(batch.closed[0].creator, 0);
}

TEST_F(RecorderTest, WhatAnInventoryNoLongerShowsWasClosedUnseen) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kConnected, 1, 9));
  recorder.take(event(SocketEventKind::kConnected, 2, 11));  // younger than the look
  recorder.set_clock(at(12));
  recorder.resync(inventory({}), at(10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(batch.closed[0].cookie, 1U);
  EXPECT_TRUE(batch.closed[0].close_unseen);
  EXPECT_EQ(recorder.open_sockets(), 1U);
}

TEST_F(RecorderTest, WhatClosedWhileTheInventoryWasReadIsNotTakenForOpen) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kConnected, 1, 9));
  recorder.begin_look();
  recorder.set_clock(at(11));
  recorder.take(event(SocketEventKind::kClosed, 1, 11));
  recorder.resync(inventory({socket(1, 56744, model::SocketState::kEstablished)}), at(10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_FALSE(batch.closed[0].close_unseen);
  EXPECT_EQ(recorder.open_sockets(), 0U);
}

TEST_F(RecorderTest, ALateEventOfAClosingThatWasInferredMakesNoSecondRow) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kConnected, 1, 9));
  recorder.resync(inventory({}), at(10));
  recorder.take(event(SocketEventKind::kClosed, 1, 11));
  EXPECT_EQ(recorder.flush().closed.size(), 1U);
}

TEST_F(RecorderTest, SaysWhyNobodyIsNamed) {
  auto recorder = make();
  auto older = event(SocketEventKind::kClosed, 1, 10);
  older.created_ns = 0;
  recorder.take(older);
  recorder.take(event(SocketEventKind::kClosed, 2, 10));
  auto look = inventory({socket(3, 2049, model::SocketState::kListen)});
  look.sockets[0].holding = model::Holding::kKernel;
  recorder.resync(look, at(10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 2U);
  EXPECT_EQ(batch.closed[0].owner_reason, "older-than-recorder");
  EXPECT_EQ(batch.closed[1].owner_reason, "no-process");
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(batch.opened[0].owner_reason, "kernel");
}

TEST_F(RecorderTest, AClientOfNoProcessIsNotTakenForOlderThanTheRecorder) {
  auto recorder = make();
  auto connected = event(SocketEventKind::kConnected, 1, 9);
  connected.created_ns = 0;  // nobody notes when a client is made
  recorder.take(connected);
  auto failed = event(SocketEventKind::kConnectFailed, 2, 9);
  failed.created_ns = 0;
  recorder.take(failed);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(batch.opened[0].owner_reason, "no-process");
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(batch.closed[0].owner_reason, "no-process");
}

TEST_F(RecorderTest, WithoutOpeningsEachBatchSaysThatItIsNotWhole) {
  auto recorder = make();
  recorder.set_half_blind();
  recorder.set_clock(at(12));
  auto closed = event(SocketEventKind::kClosed, 1, 11);
  closed.created_ns = 0;
  recorder.take(closed);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.gaps.size(), 1U);
  EXPECT_EQ(batch.gaps[0].kind, "no-bpf");
  EXPECT_EQ(batch.gaps[0].from_us, at(10).wall_us);
  EXPECT_EQ(batch.gaps[0].until_us, at(12).wall_us);
  EXPECT_EQ(batch.closed.at(0).owner_reason, "between-looks");
  EXPECT_TRUE(batch.closed[0].opened_before);
  recorder.set_clock(at(13));
  EXPECT_EQ(recorder.flush().gaps.at(0).from_us, at(12).wall_us);
}

TEST_F(RecorderTest, AClosingOnAPortThatWasListenedOnWasIncoming) {
  auto recorder = make();
  recorder.resync(inventory({socket(5, 56744, model::SocketState::kListen)}), at(10));
  recorder.take(event(SocketEventKind::kClosed, 1, 11));
  EXPECT_EQ(recorder.flush().closed.at(0).role, SocketRole::kIncoming);
}

TEST_F(RecorderTest, ANamespaceThatCouldNotBeReadClosesNothing) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kConnected, 1, 9));
  auto look = inventory({});
  look.namespaces[0].tables_read = false;
  recorder.resync(look, at(10));
  EXPECT_EQ(recorder.open_sockets(), 1U);
}

TEST_F(RecorderTest, GoesOnWithWhatAnEarlierRecorderLeftOpen) {
  model::RecordedSocket same_boot;
  same_boot.cookie = 5;
  same_boot.boot = 3;
  same_boot.netns = 7;
  same_boot.opened_us = at(2).wall_us;
  model::RecordedSocket earlier_boot = same_boot;
  earlier_boot.boot = 2;
  auto recorder = make({.sockets = {same_boot, earlier_boot}, .processes = {}}, at(4).wall_us);
  recorder.resync(inventory({socket(5, 22, model::SocketState::kListen)}), at(10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(batch.closed[0].boot, 2U);
  EXPECT_TRUE(batch.closed[0].close_unseen);
  EXPECT_EQ(recorder.open_sockets(), 1U);
  ASSERT_EQ(batch.gaps.size(), 1U);
  EXPECT_EQ(batch.gaps[0].kind, "not-recording");
  EXPECT_EQ(batch.gaps[0].from_us, at(4).wall_us);
  EXPECT_EQ(batch.gaps[0].until_us, at(10).wall_us);
}

TEST_F(RecorderTest, EveryKindOfLossIsAGapOfItsOwn) {
  auto recorder = make();
  recorder.set_clock(at(12));
  recorder.lost({.ring_full = 5, .recursion_misses = 2, .storage_full = 0}, at(10).wall_us,
                at(12).wall_us);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.gaps.size(), 2U);
  EXPECT_EQ(batch.gaps[0].kind, "ring-full");
  EXPECT_EQ(batch.gaps[0].lost, 5U);
  EXPECT_EQ(batch.gaps[0].from_us, at(10).wall_us);
  EXPECT_EQ(batch.gaps[0].until_us, at(12).wall_us);
  EXPECT_EQ(batch.gaps[1].kind, "recursion");
}

TEST_F(RecorderTest, AStepOfTheWallClockIsKeptAndLaterTimesFollowIt) {
  auto recorder = make();
  auto jumped = at(12);
  jumped.wall_us += 3'600'000'000;
  recorder.set_clock(jumped);
  recorder.take(event(SocketEventKind::kConnectFailed, 1, 11));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.gaps.size(), 1U);
  EXPECT_EQ(batch.gaps[0].kind, "clock-set");
  EXPECT_EQ(batch.closed[0].opened_us, at(11).wall_us + 3'600'000'000);
  EXPECT_EQ(batch.closed[0].opened_boot_us, 11'000'000);
  ASSERT_EQ(batch.clock_steps.size(), 2U);  // how the clock stood at first, and how it was set
  EXPECT_EQ(batch.clock_steps[0].wall_minus_boot_us, kEpochUs);
  EXPECT_EQ(batch.clock_steps[1].wall_minus_boot_us, kEpochUs + 3'600'000'000);
}

TEST_F(RecorderTest, ALifeHasItsTrueLengthWhenTheClockIsSetBackWithinIt) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kConnected, 1, 10));
  auto back = at(15);
  back.wall_us -= 3'600'000'000;
  recorder.set_clock(back);
  recorder.take(event(SocketEventKind::kClosed, 1, 14));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  const auto& row = batch.closed[0];
  EXPECT_EQ(*row.closed_boot_us - row.opened_boot_us, 4'000'000);
  EXPECT_EQ(row.opened_us, at(10).wall_us);
  EXPECT_EQ(*row.closed_us, at(14).wall_us - 3'600'000'000);
}

TEST_F(RecorderTest, AFlushWithinADrainPromisesOnlyWhatTheDrainBeforeItTook) {
  auto recorder = make();
  recorder.set_clock(at(12));
  recorder.set_clock(at(14));
  recorder.take(event(SocketEventKind::kConnectFailed, 1, 13));
  EXPECT_EQ(recorder.waiting_rows(), 1U);
  const auto batch = recorder.flush(false);
  EXPECT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(batch.recorded_until_us, at(12).wall_us);
  EXPECT_EQ(recorder.waiting_rows(), 0U);
  EXPECT_EQ(recorder.flush().recorded_until_us, at(14).wall_us);
}

TEST_F(RecorderTest, ASocketThatOpensAgainUnderItsCookieIsWrittenOnce) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kBound, 1, 9));
  recorder.take(event(SocketEventKind::kClosed, 1, 10));
  recorder.take(event(SocketEventKind::kBound, 1, 10));
  const auto batch = recorder.flush();
  EXPECT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(batch.opened.size(), 1U);
}

TEST_F(RecorderTest, AnOpenSocketIsWrittenAgainOnlyWhenItChanged) {
  auto recorder = make();
  recorder.take(event(SocketEventKind::kBound, 1, 9));
  EXPECT_EQ(recorder.flush().opened.size(), 1U);
  EXPECT_EQ(recorder.flush().opened.size(), 0U);
  recorder.take(event(SocketEventKind::kListening, 1, 10));
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.opened.size(), 1U);
  EXPECT_EQ(batch.opened[0].role, SocketRole::kListener);
  EXPECT_EQ(batch.opened[0].opened_us, at(9).wall_us);
}

TEST_F(RecorderTest, AResetSentForAClosedPortIsARowOfItsOwn) {
  auto recorder = make();
  model::ResetEvent reset;
  reset.time_ns = 10 * kSecond;
  reset.local.port = 1744;
  recorder.take(reset);
  const auto batch = recorder.flush();
  ASSERT_EQ(batch.closed.size(), 1U);
  EXPECT_EQ(batch.closed[0].role, SocketRole::kRefused);
  EXPECT_EQ(batch.closed[0].owner, 0);
}

}  // namespace
