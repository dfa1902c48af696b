#include "ports/recording.h"

#include <memory>

#include <gtest/gtest.h>

#include "testkit/fake_event_source.h"
#include "testkit/fake_process_source.h"
#include "testkit/fake_socket_source.h"
#include "testkit/memory_timeline.h"

namespace {

using model::SocketEventKind;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr int64_t kEpochUs = 1'700'000'000'000'000;

/// A store that can be full, or found damaged: then it is another one afterwards.
class ShakyTimeline final : public ports::TimelineWriter {
 public:
  base::Result<Boot> begin_boot(const std::string& boot_id, int64_t boot_time_us) override {
    ++boots_begun;
    return store->begin_boot(boot_id, boot_time_us);
  }
  base::Result<ports::LeftOpen> open_sockets() override { return store->open_sockets(); }
  base::Result<void> write(const ports::TimelineBatch& batch) override {
    if (full) return base::fail(base::ErrorKind::kIo, "write to the timeline: no space left");
    if (std::exchange(damaged, false)) {
      store = std::make_unique<testkit::MemoryTimeline>();
      return base::fail(base::ErrorKind::kCorrupt, "the timeline is damaged and was set aside");
    }
    return store->write(batch);
  }
  base::Result<bool> retain(const ports::RetentionPolicy&, int64_t) override {
    ++retained;
    return retained < 10;
  }

  std::unique_ptr<testkit::MemoryTimeline> store = std::make_unique<testkit::MemoryTimeline>();
  bool full = false;
  bool damaged = false;
  int boots_begun = 0;
  int retained = 0;
};

class RecordingTest : public testing::Test {
 protected:
  RecordingTest() : recording_(make()) {}

  ports::Recording make(ports::RecordingOptions options = {}, std::string boot_id = "boot-a") {
    return {{.events = events_,
             .sockets = sockets_,
             .processes = processes_,
             .store = store_,
             .clock = [this] { return now_; },
             .policy = [this] { return policy_; },
             .boot_id = std::move(boot_id)},
            options};
  }

  void pass(uint64_t seconds) {
    now_.boot_ns += seconds * kSecond;
    now_.wall_us += static_cast<int64_t>(seconds) * 1'000'000;
  }

  /// A connection that curl opens, and closes at once, at this moment.
  void connection(uint64_t cookie, uint16_t port) {
    model::SocketEvent event;
    event.kind = SocketEventKind::kConnected;
    event.cookie = cookie;
    event.time_ns = event.created_ns = now_.boot_ns;
    event.local = {*model::parse_ip_address("10.0.0.5"), port};
    event.remote = {*model::parse_ip_address("10.9.9.9"), 443};
    event.netns = 4026531840;
    event.actor.pid = 20;
    event.actor.start_time_ns = kSecond;
    event.actor.command = {'c', 'u', 'r', 'l'};
    event.creator = event.actor;
    events_.waiting.emplace_back(event);
    event.kind = SocketEventKind::kClosed;
    events_.waiting.emplace_back(event);
  }

  ports::TimelineAnswer all() { return store_.store->find({}).value(); }
  static std::vector<std::string> kinds(const ports::TimelineAnswer& answer) {
    std::vector<std::string> out;
    for (const auto& gap : answer.gaps) out.push_back(gap.kind);
    return out;
  }

  testkit::FakeEventSource events_;
  testkit::FakeSocketSource sockets_;
  testkit::FakeProcessSource processes_;
  ShakyTimeline store_;
  model::PortPolicy policy_;
  ports::ClockReading now_{1000 * kSecond, kEpochUs};
  ports::Recording recording_;
};

TEST_F(RecordingTest, BeginsWithWhatIsOpenAlready) {
  sockets_.listen(model::Protocol::kTcp, "0.0.0.0:22");
  sockets_.hold(700, 3);
  processes_.add(700, "sshd");
  ASSERT_TRUE(recording_.begin());
  const auto answer = all();
  ASSERT_EQ(answer.rows.size(), 1U);
  EXPECT_EQ(answer.rows[0].owner->command, "sshd");
  EXPECT_TRUE(answer.rows[0].socket.opened_before);
  EXPECT_TRUE(sockets_.asked->all_namespaces);
}

TEST_F(RecordingTest, WritesEveryTwoSecondsAndNotMoreOften) {
  ASSERT_TRUE(recording_.begin());
  connection(1, 56744);
  pass(1);
  ASSERT_TRUE(recording_.step());
  EXPECT_TRUE(all().rows.empty());
  pass(1);
  ASSERT_TRUE(recording_.step());
  const auto answer = all();
  ASSERT_EQ(answer.rows.size(), 1U);
  EXPECT_EQ(answer.rows[0].owner->command, "curl");
  EXPECT_EQ(answer.recorded_until_us, now_.wall_us);
  EXPECT_EQ(recording_.totals().sockets, 1U);
  EXPECT_EQ(recording_.totals().events, 2U);
}

TEST_F(RecordingTest, WritesInPiecesWhenMuchHappensAtOnce) {
  ports::RecordingOptions options;
  options.rows_at_once = 1000;
  ports::Recording recording = make(options);
  ASSERT_TRUE(recording.begin());
  const int64_t begun_us = now_.wall_us;
  for (uint64_t cookie = 1; cookie <= 5000; ++cookie) connection(cookie, 56744);
  pass(1);
  ASSERT_TRUE(recording.step());
  const auto early = all();
  EXPECT_GE(early.rows.size(), 1000U);
  EXPECT_LT(early.rows.size(), 5000U) << "the last piece is written when it is due";
  EXPECT_EQ(early.recorded_until_us, begun_us) << "not all that happened since is there";
  ASSERT_TRUE(recording.finish());
  EXPECT_EQ(all().rows.size(), 5000U);
  EXPECT_EQ(all().recorded_until_us, now_.wall_us);
}

TEST_F(RecordingTest, TriesAFullDiskWhenItIsDueAndNotWithEveryPiece) {
  ports::RecordingOptions options;
  options.rows_at_once = 1000;
  ports::Recording recording = make(options);
  ASSERT_TRUE(recording.begin());
  store_.full = true;
  for (uint64_t cookie = 1; cookie <= 20'000; ++cookie) connection(cookie, 56744);
  pass(1);
  ASSERT_FALSE(recording.step());
  EXPECT_EQ(recording.totals().writes_failed, 1U);
  store_.full = false;
  ASSERT_TRUE(recording.finish());
  EXPECT_EQ(all().rows.size(), 10'000U) << "as many as one answer has";
}

TEST_F(RecordingTest, WritesTheRestWhenItEnds) {
  ASSERT_TRUE(recording_.begin());
  connection(1, 56744);
  ASSERT_TRUE(recording_.finish());
  EXPECT_EQ(all().rows.size(), 1U);
}

TEST_F(RecordingTest, LooksAgainOnceAMinuteAndSoonAfterALoss) {
  ASSERT_TRUE(recording_.begin());
  pass(59);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(recording_.totals().looks, 1U);
  pass(1);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(recording_.totals().looks, 2U);
  events_.lost.ring_full = 7;
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(recording_.totals().looks, 2U) << "at most one look a second";
  pass(1);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(recording_.totals().looks, 3U);
  pass(2);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(recording_.totals().looks, 3U) << "nothing more was lost";
  const auto answer = all();
  ASSERT_EQ(kinds(answer), std::vector<std::string>{"ring-full"});
  EXPECT_EQ(answer.gaps[0].lost, 7U);
  EXPECT_EQ(recording_.totals().lost.ring_full, 7U);
}

TEST_F(RecordingTest, FindsByLookingWhatALossHid) {
  ASSERT_TRUE(recording_.begin());
  events_.lost.ring_full = 1;
  sockets_.listen(model::Protocol::kTcp, "0.0.0.0:22");
  pass(2);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(all().rows.size(), 1U);
}

TEST_F(RecordingTest, KeepsWhatAFullDiskRefusesAndWritesItLater) {
  ASSERT_TRUE(recording_.begin());
  store_.full = true;
  for (uint64_t cookie = 1; cookie <= 3; ++cookie) {
    connection(cookie, 56744);
    pass(2);
    const auto stepped = recording_.step();
    ASSERT_FALSE(stepped);
    EXPECT_EQ(stepped.error().kind, base::ErrorKind::kIo);
  }
  EXPECT_EQ(recording_.unwritten_rows(), 3U);
  store_.full = false;
  pass(2);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(all().rows.size(), 3U);
  EXPECT_TRUE(all().gaps.empty());
  EXPECT_EQ(recording_.unwritten_rows(), 0U);
  EXPECT_EQ(recording_.totals().rows_dropped, 0U);
}

TEST_F(RecordingTest, RowsOnTheirWayToAStoreThatTakesThemAreNotToldAsWaiting) {
  ASSERT_TRUE(recording_.begin());
  std::vector<size_t> told;
  recording_.on_batch([&](const ports::TimelineBatch&, const ports::Recorder&) {
    told.push_back(recording_.unwritten_rows());
  });
  for (uint64_t cookie = 1; cookie <= 2; ++cookie) {
    store_.full = cookie == 2;
    connection(cookie, 56744);
    pass(2);
    EXPECT_EQ(recording_.step().has_value(), cookie == 1);
  }
  store_.full = false;
  pass(2);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(told, (std::vector<size_t>{0, 0, 1}));
}

TEST_F(RecordingTest, WhatNoLongerFitsInMemoryIsAGapAndNoSocketStaysOpenForEver) {
  auto recording = make({.retention = {}, .unwritten_rows_max = 2});
  sockets_.listen(model::Protocol::kTcp, "0.0.0.0:22");
  ASSERT_TRUE(recording.begin());
  const int64_t written_us = now_.wall_us;
  store_.full = true;
  // The listener goes while nothing can be written, and so do three connections.
  sockets_.raw.listed.clear();
  for (uint64_t cookie = 1; cookie <= 3; ++cookie) {
    connection(cookie, 56744);
    pass(2);
    ASSERT_FALSE(recording.step());
  }
  EXPECT_EQ(recording.unwritten_rows(), 0U);
  EXPECT_EQ(recording.totals().rows_dropped, 3U);
  connection(4, 56745);  // while there is no recorder
  pass(1);
  ASSERT_TRUE(recording.step());
  store_.full = false;
  pass(1);
  ASSERT_TRUE(recording.step());
  connection(5, 56746);
  pass(2);
  ASSERT_TRUE(recording.step());
  const auto answer = all();
  ASSERT_EQ(kinds(answer), std::vector<std::string>{"not-written"});
  EXPECT_EQ(answer.gaps[0].from_us, written_us);
  EXPECT_EQ(answer.gaps[0].lost, 3U + 2U);
  ASSERT_EQ(answer.rows.size(), 2U);
  EXPECT_EQ(answer.rows[0].socket.local.port, 56746);
  EXPECT_EQ(answer.rows[1].socket.local.port, 22);
  EXPECT_TRUE(answer.rows[1].socket.close_unseen);
}

TEST_F(RecordingTest, GoesOnWithAFreshStoreWhenTheOldOneWasDamaged) {
  sockets_.listen(model::Protocol::kTcp, "0.0.0.0:22");
  sockets_.hold(700, 3);
  processes_.add(700, "sshd");
  ASSERT_TRUE(recording_.begin());
  store_.damaged = true;
  pass(2);
  const auto stepped = recording_.step();
  ASSERT_FALSE(stepped);
  EXPECT_EQ(stepped.error().kind, base::ErrorKind::kCorrupt);
  pass(2);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(store_.boots_begun, 2);
  EXPECT_EQ(recording_.totals().looks, 2U);
  const auto answer = all();
  EXPECT_EQ(kinds(answer), std::vector<std::string>{"store-damaged"});
  ASSERT_EQ(answer.rows.size(), 1U);
  EXPECT_EQ(answer.rows[0].owner->command, "sshd");
}

TEST_F(RecordingTest, ARestartIsAGapAndARebootEndsWhatWasOpen) {
  sockets_.listen(model::Protocol::kTcp, "0.0.0.0:22");
  ASSERT_TRUE(recording_.begin());
  const int64_t written_us = now_.wall_us;
  pass(10);
  auto restarted = make();
  ASSERT_TRUE(restarted.begin());
  auto answer = all();
  ASSERT_EQ(kinds(answer), std::vector<std::string>{"not-recording"});
  EXPECT_EQ(answer.gaps[0].from_us, written_us);
  EXPECT_EQ(answer.gaps[0].until_us, now_.wall_us);
  ASSERT_EQ(answer.rows.size(), 1U) << "the same socket goes on";
  pass(60);
  now_.boot_ns = 20 * kSecond;
  auto rebooted = make({}, "boot-b");
  ASSERT_TRUE(rebooted.begin());
  answer = all();
  ASSERT_EQ(answer.rows.size(), 2U);
  EXPECT_FALSE(answer.rows[0].socket.closed_us);
  EXPECT_TRUE(answer.rows[1].socket.close_unseen);
  EXPECT_EQ(answer.rows[1].socket.boot + 1, answer.rows[0].socket.boot);
}

TEST_F(RecordingTest, AnEventThatCannotBeReadStopsNothing) {
  ASSERT_TRUE(recording_.begin());
  connection(1, 56744);
  events_.error = base::Error{base::ErrorKind::kCorrupt, "an event record of 3 bytes"};
  pass(2);
  EXPECT_FALSE(recording_.step());
  EXPECT_EQ(all().rows.size(), 1U);
}

TEST_F(RecordingTest, SocketsThatCannotBeToldApartAreNotRecorded) {
  sockets_.raw.report.kind = model::CollectorKind::kProc;
  const auto begun = recording_.begin();
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().kind, base::ErrorKind::kUnsupported);
}

TEST_F(RecordingTest, ALookThatFailsStopsNothing) {
  ASSERT_TRUE(recording_.begin());
  connection(1, 56744);
  sockets_.error = base::Error{base::ErrorKind::kIo, "no more memory"};
  pass(60);
  EXPECT_FALSE(recording_.step());
  EXPECT_EQ(all().rows.size(), 1U);
}

TEST_F(RecordingTest, DropsOldRowsInPiecesUntilNoneIsDue) {
  ASSERT_TRUE(recording_.begin());
  pass(60);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(store_.retained, 4);
  ASSERT_TRUE(recording_.step());
  ASSERT_TRUE(recording_.step());
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(store_.retained, 10) << "the tenth piece was the last";
}

TEST_F(RecordingTest, WritesTheRulesByWhichPortsAreHandedOut) {
  policy_.known = true;
  ASSERT_TRUE(recording_.begin());
  policy_.ephemeral = {40000, 41000};
  pass(60);
  ASSERT_TRUE(recording_.step());
  const auto answer = all();
  ASSERT_EQ(answer.policies.size(), 2U);
  EXPECT_EQ(answer.policies[1].policy.ephemeral, (model::PortRange{40000, 41000}));
}

TEST_F(RecordingTest, ShowsEachBatchToItsListener) {
  ASSERT_TRUE(recording_.begin());
  std::vector<std::string> seen;
  recording_.on_batch([&](const ports::TimelineBatch& batch, const ports::Recorder& recorder) {
    for (const auto& row : batch.closed) seen.push_back(recorder.process(row.owner)->command);
  });
  recording_.flush_every(500);
  connection(1, 56744);
  pass(1);
  ASSERT_TRUE(recording_.step());
  EXPECT_EQ(seen, std::vector<std::string>{"curl"});
}

}  // namespace
