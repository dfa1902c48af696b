#include "apps/cmd_record.h"

#include <gtest/gtest.h>

#include "apps/machine_twin.h"

namespace apps {
namespace {

class Record : public ::testing::Test {
 protected:
  Record() {
    twin.events.described.why = "Events are played back.";
    twin.events.described.blind_spots = {"What nobody puts in is not seen."};
  }

  void connection(uint64_t cookie) {
    model::SocketEvent event;
    event.kind = model::SocketEventKind::kConnected;
    event.cookie = cookie;
    event.time_ns = event.created_ns = twin.boot_ns;
    event.local = {*model::parse_ip_address("10.0.0.5"), 56744};
    event.remote = {*model::parse_ip_address("10.9.9.9"), 443};
    event.actor.pid = 20;
    event.actor.command = {'c', 'u', 'r', 'l'};
    twin.events.waiting.emplace_back(event);
    event.kind = model::SocketEventKind::kClosed;
    twin.events.waiting.emplace_back(event);
  }

  MachineTwin twin;
};

TEST_F(Record, RecordsForAGivenTimeAndSumsUp) {
  connection(1);
  const auto answer = twin.run({"record", "--for", "10s", "--state", "/s"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.err, "");
  EXPECT_EQ(answer.out,
            "Recording into /s; 0 sockets are open already. Events are played back.\n"
            "  - What nobody puts in is not seen.\n"
            "Recorded 2 events in 10 seconds: 1 socket ended, 0 are open. Nothing was lost.\n");
  EXPECT_EQ(twin.timeline_directory, "/s");
  EXPECT_EQ(twin.asked_ring_bytes, 8U << 20U);
  const auto rows = twin.timeline.find({})->rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].owner->command, "curl");
}

TEST_F(Record, WritesTheRestWhenThePersonEndsIt) {
  int waits = 0;
  twin.on_wait = [&] {
    if (++waits == 3) connection(1);
    return waits == 3;
  };
  const auto answer = twin.run({"record"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_NE(answer.out.find("Ctrl-C ends it."), std::string::npos);
  EXPECT_EQ(twin.timeline.find({})->rows.size(), 1U);
}

TEST_F(Record, ALossIsToldAndAsksForAttention) {
  twin.on_wait = [&] {
    twin.events.lost.ring_full = 7;
    return false;
  };
  const auto answer = twin.run({"record", "--for", "3s", "--no-alerts"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.out.find("Lost: 7 events\nbecause the ring was full (try a larger --ring)."),
            std::string::npos)
      << answer.out;
}

TEST_F(Record, WithoutBpfItLooksEverySecondAndTheTimelineSaysSo) {
  twin.events.described.kind = model::CollectorKind::kSockDiag;
  auto answer = twin.run({"record", "--for", "5s", "--json"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.out.find("\"looks\":6"), std::string::npos) << answer.out;
  const auto gaps = twin.timeline.find({})->gaps;
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].kind, "no-bpf");
  EXPECT_EQ(gaps[0].until_us - gaps[0].from_us, 5'000'000);
  EXPECT_EQ(twin.asked_events, std::nullopt);
  answer = twin.run({"record", "--for", "1s", "--collector", "sock_diag"});
  EXPECT_EQ(answer.code, 0) << "it was asked for";
  EXPECT_EQ(twin.asked_events, model::CollectorKind::kSockDiag);
}

TEST_F(Record, TroubleWithTheDiskIsToldOnceAndRecordingGoesOn) {
  int waits = 0;
  twin.on_wait = [&] {
    ++waits;
    if (waits == 2) connection(1);
    if (waits > 1 && waits < 250)
      twin.timeline.error = base::Error{base::ErrorKind::kIo, "the disk is full"};
    return false;
  };
  const auto answer = twin.run({"record", "--for", "30s"});
  EXPECT_EQ(answer.code, 1) << "it is an event that asks for a look, though nothing was lost";
  EXPECT_EQ(answer.err, "twinport: warning: the disk is full; recording goes on\n");
  EXPECT_EQ(twin.timeline.find({})->rows.size(), 1U);
}

TEST_F(Record, AnEndThatCannotBeWrittenIsAFailure) {
  int waits = 0;
  twin.on_wait = [&] {
    if (++waits > 1) twin.timeline.error = base::Error{base::ErrorKind::kIo, "the disk is full"};
    return false;
  };
  const auto answer = twin.run({"record", "--for", "1s"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_EQ(answer.err, "twinport: the disk is full\n");
  EXPECT_NE(answer.out.find("Recorded 0 events"), std::string::npos);
}

TEST_F(Record, SaysWhyItCannotBegin) {
  twin.no_events =
      base::Error{base::ErrorKind::kPermission, "load BPF programs: CAP_BPF is missing"};
  auto answer = twin.run({"record"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_EQ(answer.err, "twinport: load BPF programs: CAP_BPF is missing\n");
  EXPECT_EQ(answer.out, "");
  twin.no_timeline = base::Error{base::ErrorKind::kIo, "another recorder (pid 7) is at work there"};
  twin.asked_ring_bytes = 0;
  answer = twin.run({"record"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_EQ(answer.err, "twinport: another recorder (pid 7) is at work there\n");
  EXPECT_EQ(twin.asked_ring_bytes, 0U) << "nothing is loaded into the kernel for a second recorder";
}

TEST_F(Record, RefusesOptionsThatItCannotTake) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"record", "--for", "10"},
                                                {"record", "--keep", "0s"},
                                                {"record", "--keep", "soon"},
                                                {"record", "--max-size", "much"},
                                                {"record", "--look", "1ms"},
                                                {"record", "--look", "often"},
                                                {"record", "--ring", "1K"},
                                                {"record", "--ring", "2GiB"}}) {
    const auto answer = twin.run(words);
    EXPECT_EQ(answer.code, 2) << words.back();
    EXPECT_NE(answer.err.find(words.back()), std::string::npos) << answer.err;
  }
}

TEST_F(Record, LooksAsOftenAsAsked) {
  const auto looks = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"record", "--for", "10s", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const std::string out = twin.run(words).out;
    const size_t at = out.find("\"looks\":");
    return at == std::string::npos ? -1 : std::stoi(out.substr(at + 8));
  };
  EXPECT_EQ(looks({}), 1);
  EXPECT_GE(looks({"--look", "1s"}), 9);
}

TEST_F(Record, TheRingIsRoundedUpToAPowerOfTwo) {
  twin.run({"record", "--for", "1s", "--ring", "3MiB"});
  EXPECT_EQ(twin.asked_ring_bytes, 4U << 20U);
}

TEST_F(Record, TellsOfATimelineThatHadToBeSetAside) {
  twin.timeline_notices = {"the timeline was damaged and set aside"};
  const auto answer = twin.run({"record", "--for", "1s"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.err, "twinport: warning: the timeline was damaged and set aside\n");
}

TEST_F(Record, ShowsEachBatchToThoseWhoWatch) {
  twin.audience.is_watched = true;
  int waits = 0;
  twin.on_wait = [&] {
    if (++waits == 2) connection(1);
    return false;
  };
  EXPECT_EQ(twin.run({"record", "--for", "1s", "--state", "/s"}).code, 0);
  EXPECT_EQ(twin.socket_path, "/s/recorder.sock");
  ASSERT_FALSE(twin.audience.batches.empty()) << "flushed twice a second while somebody watches";
  ASSERT_EQ(twin.audience.batches[0].rows.size(), 1U);
  EXPECT_EQ(twin.audience.batches[0].rows[0].owner->command, "curl");
  EXPECT_EQ(twin.audience.status.pid, 999'999);
  EXPECT_EQ(twin.audience.status.totals.events, 2U);
}

TEST_F(Record, WithoutASocketItRecordsAllTheSame) {
  twin.no_socket = base::Error{base::ErrorKind::kIo, "listen at /x: read-only file system"};
  connection(1);
  const auto answer = twin.run({"record", "--for", "1s"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_NE(answer.err.find("read-only file system; `watch` and other users cannot ask"),
            std::string::npos);
  EXPECT_EQ(twin.timeline.find({})->rows.size(), 1U);
}

TEST_F(Record, PrintsOneDocumentAsJson) {
  connection(1);
  twin.events.lost.recursion_misses = 2;
  const auto answer = twin.run({"record", "--for", "2s", "--state", "/s", "--json"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_TRUE(
      answer.out.starts_with("{\"schema\":\"twinport/1\",\"command\":\"record\","
                             "\"state\":\"/s\",\"begun\":\"2023-11-14T23:13:20.000000Z\""))
      << answer.out;
  EXPECT_NE(answer.out.find("\"events\":2,\"sockets_ended\":1,\"looks\":2"), std::string::npos);
  EXPECT_NE(answer.out.find("\"recursion_misses\":2"), std::string::npos);
}

}  // namespace
}  // namespace apps
