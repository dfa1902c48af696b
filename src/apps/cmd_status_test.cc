#include "apps/cmd_status.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "testkit/recorded_hour.h"

namespace apps {
namespace {

using testkit::kSecondUs;
using testkit::kWallUs;

class StatusCommand : public ::testing::Test {
 protected:
  StatusCommand() {
    setenv("TZ", "UTC", 1);
    tzset();
    twin.now_unix_s = kWallUs / kSecondUs + 3600;
    testkit::record_hour(twin.timeline);
    auto& recorder = twin.recorder.emplace();
    recorder.status.pid = 812;
    recorder.status.begun_us = kWallUs + 1800 * kSecondUs;
    recorder.status.collector.why = "because";
    recorder.status.collector.blind_spots = {"What nobody puts in is not seen."};
    recorder.status.totals = {.events = 31, .sockets = 12, .looks = 1, .lost = {}};
    recorder.status.sockets_open = 1;
  }
  MachineTwin twin;
};

TEST_F(StatusCommand, TellsOfTheRecorderTheTimelineAndItsGaps) {
  const auto answer = twin.run({"status", "--state", "/s"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.err, "");
  EXPECT_GOLDEN("cli/status.txt", answer.out);
}

TEST_F(StatusCommand, ALossOrTroubleAsksForAttention) {
  twin.recorder->status.totals.lost.ring_full = 7;
  twin.recorder->status.unwritten_rows = 3;
  twin.recorder->status.trouble = "the disk is full";
  const auto answer = twin.run({"status"});
  EXPECT_EQ(answer.code, 1);
  for (const char* words : {"Lost: 7 events because the ring was full", "3 rows wait in memory",
                            "Its last trouble: the disk is full"}) {
    EXPECT_NE(answer.out.find(words), std::string::npos) << answer.out;
  }
}

TEST_F(StatusCommand, WithoutARecorderItSaysHowFarAnswersReachAllTheSame) {
  twin.recorder.reset();
  const auto answer = twin.run({"status"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_TRUE(answer.out.starts_with("No recorder is at work.\n")) << answer.out;
  EXPECT_NE(answer.out.find("Reaches from 2026-09-21 14:13:21 UTC"), std::string::npos);
}

TEST_F(StatusCommand, WithoutAnythingItSaysWhy) {
  twin.recorder.reset();
  twin.no_timeline = base::Error{base::ErrorKind::kNotFound, "nothing has been recorded there"};
  const auto answer = twin.run({"status"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.out.find("Cannot be read: nothing has been recorded there"), std::string::npos);
}

TEST_F(StatusCommand, WritesTheSameAsJson) {
  const auto answer = twin.run({"status", "--json"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_GOLDEN("cli/status.json", answer.out);
}

}  // namespace
}  // namespace apps
