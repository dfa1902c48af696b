#include "ports/past.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "testkit/memory_timeline.h"
#include "testkit/recorded.h"

namespace {

using model::OwnerProof;
using model::SocketRole;
using ports::PastRelation;
using testkit::kSecondUs;
using testkit::kWallUs;

/// A timeline of an hour, asked about a time ten minutes before its end.
class PastTest : public testing::Test {
 protected:
  PastTest() {
    setenv("TZ", "UTC", 1);
    tzset();
    static_cast<void>(store.begin_boot("boot", kWallUs));
    write(testkit::batch(kSecondUs));  // the record begins
    batch = testkit::batch(kEndUs);
    batch.processes = {testkit::process(7, 700, "curl"), testkit::process(8, 800, "nginx", 33),
                       testkit::process(9, 900, "worker", 33)};
  }

  void write(const ports::TimelineBatch& one) { ASSERT_TRUE(store.write(one)); }

  /// A connection from 10.0.0.5:56744 to 10.9.9.9:443 by curl, in the middle of the window.
  model::RecordedSocket& add(SocketRole role, int64_t owner = 7) {
    auto socket = testkit::connection(++cookie_, 56744, kThenUs);
    socket.role = role;
    socket.owner = owner;
    batch.closed.push_back(testkit::closed(socket, kThenUs + 500));
    return batch.closed.back();
  }

  static void open_between(model::RecordedSocket& socket, int64_t from_us, int64_t until_us) {
    socket.opened_boot_us = from_us;
    socket.opened_us = kWallUs + from_us;
    socket.closed_boot_us = until_us;
    socket.closed_us = kWallUs + until_us;
  }

  void gap(const std::string& kind, int64_t from_us, int64_t until_us) {
    model::RecordedGap gap;
    gap.boot = 1;
    gap.kind = kind;
    gap.lost = kind == "ring-full" ? 1 : 0;
    gap.from_us = kWallUs + from_us;
    gap.until_us = kWallUs + until_us;
    batch.gaps = {gap};
  }

  ports::PastAnswer ask(const std::string& port, std::optional<ports::PeerFilter> peer = {},
                        int64_t then_us = kThenUs) {
    write(batch);
    ports::PastQuestion question;
    question.port = ports::parse_port_query(port).value();
    question.peer = peer;
    question.windows = {{kWallUs + then_us - kSecondUs, kWallUs + then_us + 2 * kSecondUs}};
    std::vector<ports::TimelineAnswer> answers;
    for (const auto& query : ports::past_queries(question)) {
      answers.push_back(store.find(query).value());
    }
    return ports::past_answer(std::move(question), std::move(answers), kWallUs + kEndUs);
  }

  static constexpr int64_t kEndUs = 3600 * kSecondUs;
  static constexpr int64_t kThenUs = 3000 * kSecondUs;
  testkit::MemoryTimeline store;
  ports::TimelineBatch batch;

 private:
  uint64_t cookie_ = 0;
};

TEST_F(PastTest, NamesWhoHeldThePortThen) {
  add(SocketRole::kOutgoing);
  const auto answer = ask("56744");
  ASSERT_EQ(answer.groups.size(), 1U);
  EXPECT_EQ(answer.groups[0].relation, PastRelation::kHeld);
  EXPECT_EQ(answer.groups[0].first().owner->command, "curl");
  EXPECT_EQ(ports::past_headline(answer),
            "curl (pid 700) held port 56744 between 15:03:19 and 15:03:22 UTC on 2026-09-21.");
  EXPECT_FALSE(answer.needs_attention());
}

TEST_F(PastTest, ListsEveryHolderAndGathersWhatIsAlike) {
  for (int i = 0; i < 3; ++i) add(SocketRole::kIncoming, 9);
  add(SocketRole::kListener, 8);
  add(SocketRole::kIncoming, 8);
  const auto answer = ask("56744");
  ASSERT_EQ(answer.groups.size(), 3U);
  EXPECT_EQ(answer.groups[0].role, SocketRole::kListener);
  EXPECT_EQ(answer.groups[1].first().owner->command, "nginx");
  EXPECT_EQ(answer.groups[2].first().owner->command, "worker");
  EXPECT_EQ(answer.groups[2].rows.size(), 3U);
  EXPECT_TRUE(
      ports::past_headline(answer).starts_with("nginx (pid 800) and worker (pid 900) held"));
}

TEST_F(PastTest, TellsWhoTalkedToThePortApartFromWhoHeldIt) {
  add(SocketRole::kOutgoing);
  const auto answer = ask("443");
  ASSERT_EQ(answer.groups.size(), 1U);
  EXPECT_EQ(answer.groups[0].relation, PastRelation::kRemote);
  EXPECT_FALSE(answer.held());
  EXPECT_TRUE(ports::past_headline(answer).starts_with("Nobody held port 443 between"));
  EXPECT_FALSE(answer.needs_attention());
}

TEST_F(PastTest, NarrowsToAnAddressAtEitherEnd) {
  add(SocketRole::kOutgoing);
  EXPECT_EQ(ask("10.0.0.5:56744").groups.size(), 1U);
  EXPECT_EQ(ask("10.0.0.6:56744").groups.size(), 0U);
  EXPECT_EQ(ask("10.9.9.9:443").groups.size(), 1U);
  EXPECT_EQ(ask("10.9.9.8:443").groups.size(), 0U);
  EXPECT_EQ(ask("56744/udp").groups.size(), 0U);
}

TEST_F(PastTest, NarrowsToOnePeer) {
  add(SocketRole::kOutgoing);
  const auto peer = [](const char* address, uint16_t port) {
    return ports::PeerFilter{testkit::address(address), port};
  };
  EXPECT_EQ(ask("56744", peer("10.9.9.9", 0)).groups.size(), 1U);
  EXPECT_EQ(ask("56744", peer("10.9.9.9", 443)).groups.size(), 1U);
  EXPECT_EQ(ask("56744", peer("10.9.9.9", 444)).groups.size(), 0U);
  EXPECT_EQ(ask("56744", peer("10.9.9.8", 0)).groups.size(), 0U);
  EXPECT_EQ(ask("443", peer("10.9.9.9", 0)).groups.size(), 1U);
  EXPECT_EQ(ask("443", peer("10.9.9.9", 444)).groups.size(), 0U);
}

TEST_F(PastTest, AConnectionWithinOnePortIsToldOnce) {
  auto& ntp = add(SocketRole::kOutgoing);
  ntp.local.port = ntp.remote.port = 123;
  const auto answer = ask("123");
  ASSERT_EQ(answer.groups.size(), 1U);
  EXPECT_EQ(answer.groups[0].relation, PastRelation::kHeld);
}

TEST_F(PastTest, ARefusedCallerAndAFailedBindDoNotHoldThePort) {
  auto& refused = add(SocketRole::kRefused, 0);
  refused.proof = OwnerProof::kNone;
  add(SocketRole::kBindFailed).error = 98;
  const auto answer = ask("56744");
  ASSERT_EQ(answer.groups.size(), 2U);
  for (const auto& group : answer.groups) EXPECT_EQ(group.relation, PastRelation::kAttempt);
  EXPECT_TRUE(ports::past_headline(answer).starts_with("Nobody held"));
  EXPECT_FALSE(answer.needs_attention());
}

TEST_F(PastTest, AnOwnerThatIsNotCertainAsksForAttention) {
  auto& inherited = add(SocketRole::kIncoming, 8);
  inherited.proof = OwnerProof::kInherited;
  const auto answer = ask("56744");
  EXPECT_TRUE(answer.needs_attention());
  EXPECT_TRUE(ports::past_headline(answer).starts_with(
      "nginx (pid 800) or a process it passed it to held port 56744"))
      << ports::past_headline(answer);
}

TEST_F(PastTest, AnOwnerThatIsNotKnownAsksForAttentionAndTheKernelDoesNot) {
  auto& unknown = add(SocketRole::kBound, 0);
  unknown.proof = OwnerProof::kNone;
  unknown.owner_reason = "older-than-recorder";
  auto answer = ask("56744");
  EXPECT_TRUE(answer.needs_attention());
  EXPECT_TRUE(ports::past_headline(answer).starts_with("A program that cannot be named held"));
  batch.closed.clear();
  auto& kernel = add(SocketRole::kBound, 0);
  kernel.local.port = 2049;
  kernel.proof = OwnerProof::kNone;
  kernel.owner_reason = "kernel";
  answer = ask("2049");
  EXPECT_FALSE(answer.needs_attention());
  EXPECT_TRUE(ports::past_headline(answer).starts_with("The kernel itself held port 2049"));
}

TEST_F(PastTest, WhoHeldItWhenTheRecordEndedIsNotSaidToHaveHeldItLater) {
  auto socket = testkit::connection(77, 56744, kThenUs);
  socket.role = SocketRole::kListener;
  socket.owner = 8;
  batch.opened.push_back(socket);
  const auto within = ask("56744");
  EXPECT_TRUE(ports::past_headline(within).starts_with("nginx (pid 800) held port 56744"));
  // The record goes on until kEndUs and no further.
  const auto after = ask("56744", {}, kEndUs + 100 * kSecondUs);
  EXPECT_TRUE(ports::past_headline(after).starts_with("Not recorded: who held port 56744"))
      << ports::past_headline(after);
  EXPECT_TRUE(ports::past_headline(after).ends_with(
      " is not known. nginx (pid 800) was last seen holding it at 2026-09-21 15:13:20 UTC."))
      << ports::past_headline(after);
  EXPECT_TRUE(after.needs_attention());
  const auto both = ask("56744", {}, kEndUs - kSecondUs);
  EXPECT_TRUE(ports::past_headline(both).starts_with("nginx (pid 800) held port 56744"));
}

TEST_F(PastTest, WhoWasGoneWhenTheRecordWentOnIsNotSaidToHaveHeldItMeanwhile) {
  gap("not-recording", kThenUs - 20 * kSecondUs, kThenUs + 20 * kSecondUs);
  auto& socket = add(SocketRole::kListener);
  open_between(socket, kThenUs - 100 * kSecondUs, kThenUs + 20 * kSecondUs);
  socket.close_unseen = true;
  const auto meanwhile = ask("56744");
  EXPECT_TRUE(ports::past_headline(meanwhile).starts_with("Not recorded: who held port 56744"))
      << ports::past_headline(meanwhile);
  EXPECT_TRUE(ports::past_headline(meanwhile).ends_with(
      "curl (pid 700) was last seen holding it at 2026-09-21 15:02:59 UTC."))
      << ports::past_headline(meanwhile);
  const auto before = ask("56744", {}, kThenUs - 50 * kSecondUs);
  EXPECT_TRUE(ports::past_headline(before).starts_with("curl (pid 700) held port 56744"));
  const auto until_gap = ask("56744", {}, kThenUs - 20 * kSecondUs);
  EXPECT_TRUE(ports::past_headline(until_gap).starts_with("curl (pid 700) held port 56744"));
  EXPECT_TRUE(ports::past_headline(until_gap).ends_with("; part of that time was not recorded."));
  // The look that found it gone came a moment after the recorder did.
  batch.closed.back().closed_boot_us = kThenUs + 20 * kSecondUs + 100'000;
  batch.closed.back().closed_us = kWallUs + *batch.closed.back().closed_boot_us;
  const auto until_look = ask("56744", {}, kThenUs + 20 * kSecondUs);
  EXPECT_FALSE(ports::past_headline(until_look).contains("curl (pid 700) held"))
      << ports::past_headline(until_look);
}

TEST_F(PastTest, WhoIsSeenAgainAfterAGapHeldItThroughout) {
  gap("not-recording", kThenUs - 20 * kSecondUs, kThenUs + 20 * kSecondUs);
  auto& socket = add(SocketRole::kListener);
  open_between(socket, kThenUs - 100 * kSecondUs, kThenUs + 100 * kSecondUs);
  const auto answer = ask("56744");
  EXPECT_TRUE(ports::past_headline(answer).starts_with("curl (pid 700) held port 56744"))
      << ports::past_headline(answer);
  EXPECT_TRUE(answer.needs_attention());
}

TEST_F(PastTest, WhoseEndMayHaveBeenLostIsNotSaidToHaveHeldItAfterTheLoss) {
  gap("ring-full", kThenUs - 100'000, kThenUs + 100'000);
  auto& socket = add(SocketRole::kListener);
  open_between(socket, kThenUs - 100 * kSecondUs, kThenUs + kSecondUs);
  socket.close_unseen = true;
  open_between(add(SocketRole::kListener, 8), kThenUs + 200'000, kThenUs + 60 * kSecondUs);
  const auto before = ask("56744", {}, kThenUs - 10 * kSecondUs);
  EXPECT_TRUE(ports::past_headline(before).starts_with("curl (pid 700) held port 56744"));
  // A second after the loss the window holds no part of it, but the end of the one is not known.
  const auto after = ask("56744", {}, kThenUs + kSecondUs + 200'000);
  EXPECT_TRUE(ports::past_headline(after).starts_with("nginx (pid 800) held port 56744"))
      << ports::past_headline(after);
}

TEST_F(PastTest, WhoWasFoundGoneIsAskedForAttentionThoughAllWasRecorded) {
  auto& socket = add(SocketRole::kListener);
  open_between(socket, kThenUs - 100 * kSecondUs, kThenUs + kSecondUs);
  socket.close_unseen = true;
  const auto answer = ask("56744", {}, kThenUs + kSecondUs);
  EXPECT_TRUE(ports::past_headline(answer).starts_with("Who held port 56744"))
      << ports::past_headline(answer);
  EXPECT_TRUE(answer.needs_attention());
}

TEST_F(PastTest, AHolderInAnotherNetworkNamespaceIsToldApart) {
  add(SocketRole::kListener);
  auto& other = add(SocketRole::kListener, 8);
  other.netns = 4026539999;
  auto answer = ask("56744");
  answer.own_netns = 4026531840;
  const std::string when = " between 15:03:19 and 15:03:22 UTC on 2026-09-21";
  EXPECT_EQ(ports::past_headline(answer),
            "curl (pid 700) held port 56744" + when +
                ". In another network namespace nginx (pid 800) held it.");
  answer.own_netns = 5;
  EXPECT_EQ(ports::past_headline(answer),
            "Nobody held port 56744" + when +
                " in this network namespace. In another network namespace curl (pid 700) and "
                "nginx (pid 800) held it.");
  answer.own_netns = 0;
  EXPECT_TRUE(
      ports::past_headline(answer).starts_with("curl (pid 700) and nginx (pid 800) held port"));
}

TEST_F(PastTest, WhatWasNotRecordedIsNeverNobody) {
  const auto before = ask("56744", {}, -100 * kSecondUs);
  EXPECT_TRUE(ports::past_headline(before).starts_with("Not recorded: who held port 56744"));
  EXPECT_TRUE(before.needs_attention());
  gap("ring-full", kThenUs, kThenUs);
  const auto lossy = ask("56744");
  EXPECT_TRUE(ports::past_headline(lossy).ends_with("but not all of that time was recorded."));
  EXPECT_TRUE(lossy.needs_attention());
  const auto nowhere = ports::past_unknown(lossy.question);
  EXPECT_TRUE(ports::past_headline(nowhere).starts_with("Not recorded:"));
}

TEST_F(PastTest, TalkersCannotCrowdOutAHolderAndACutIsSaid) {
  add(SocketRole::kListener, 8).local.port = 443;
  for (int i = 0; i < 1500; ++i) add(SocketRole::kOutgoing);
  const auto answer = ask("443");
  EXPECT_EQ(answer.groups[0].role, SocketRole::kListener);
  EXPECT_TRUE(answer.more);
  EXPECT_TRUE(answer.needs_attention());
}

}  // namespace
