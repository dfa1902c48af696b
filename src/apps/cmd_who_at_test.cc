// `who --at` and `explain --at` over a timeline held in memory.
#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "apps/past_page.h"
#include "base/text.h"
#include "testkit/recorded_hour.h"

namespace apps {
namespace {

using testkit::kSecondUs;
using testkit::kWallUs;

class WhoAt : public ::testing::Test {
 protected:
  WhoAt() {
    setenv("TZ", "UTC", 1);
    tzset();
    twin.published = model::PublishedPorts{};
    twin.now_unix_s = kWallUs / kSecondUs + 3600;
    testkit::record_hour(twin.timeline);
  }

  void write(const ports::TimelineBatch& batch) { ASSERT_TRUE(twin.timeline.write(batch)); }

  MachineTwin::Answer check(const std::string& name, int code,
                            const std::vector<std::string>& words) {
    auto answer = twin.run(words);
    EXPECT_EQ(answer.err, "");
    EXPECT_EQ(answer.code, code);
    EXPECT_GOLDEN("cli/" + name, answer.out);
    std::string_view rest = answer.out;
    while (!rest.empty() && !name.ends_with(".json")) {
      const auto line = base::take_until(rest, '\n');
      EXPECT_LE(base::display_width(line), 80U) << line;
    }
    return answer;
  }

  MachineTwin twin;
};

TEST_F(WhoAt, NamesWhoMadeAConnectionThatWasGoneAtOnce) {
  check("who-at-56744.txt", 0, {"who", "56744", "--at", "2026-09-21 14:23:20", "--state", "/s"});
  EXPECT_EQ(twin.timeline_directory, "/s");
}

TEST_F(WhoAt, NamesEveryHolderOfABusyPort) {
  check("who-at-443.txt", 0, {"who", "443/tcp", "--at", "2026-09-21 14:23:40"});
}

TEST_F(WhoAt, TellsWhoAskedForAClosedPort) {
  check("who-at-23.txt", 0, {"who", "23", "--at", "2026-09-21T14:23:25Z"});
}

TEST_F(WhoAt, CallsAGapNotRecordedAndNeverNobody) {
  check("who-at-gap.txt", 1, {"who", "1744", "--at", "2026-09-21 14:35:00"});
}

TEST_F(WhoAt, WhoWasLastSeenBeforeTheRecordEndedIsNoHolderOfLater) {
  twin.now_unix_s += 100;
  check("who-at-after-the-end.txt", 1, {"who", "443", "--at", "-5s"});
  check("who-at-after-the-end.json", 1, {"who", "443", "--at", "-5s", "--json"});
  const auto explained = twin.run({"explain", "443", "--at", "-5s"});
  EXPECT_TRUE(explained.out.starts_with("Not recorded: who held port 443 between"))
      << explained.out;
}

TEST_F(WhoAt, TellsHoldersInOtherNetworkNamespacesApart) {
  auto batch = testkit::batch(3601 * kSecondUs);
  batch.processes = {testkit::process(11, 1677, "python3"), testkit::process(12, 28399, "python3")};
  for (const int64_t owner : {11, 12}) {
    auto row = testkit::connection(static_cast<uint64_t>(40 + owner), 46592, 3000 * kSecondUs);
    row.owner = owner;
    if (owner == 12) row.netns = 4026539999;
    batch.closed.push_back(testkit::closed(row, 3010 * kSecondUs));
  }
  write(batch);
  check("who-at-namespaces.txt", 0, {"who", "46592", "--at", "2026-09-21 15:03:25"});
}

TEST_F(WhoAt, CallsATimeBeforeTheRecorderNotRecorded) {
  const auto answer = twin.run({"who", "1744", "--at", "2026-09-21 12:00:00"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_TRUE(answer.out.starts_with("Not recorded: who held port 1744 between")) << answer.out;
  EXPECT_EQ(answer.out.find("Nobody"), std::string::npos);
}

TEST_F(WhoAt, SaysNobodyOnlyWhereItIsKnown) {
  const auto answer = twin.run({"who", "1744", "--at", "-20m"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.out, "Nobody held port 1744 between 14:53:19 and 14:53:21 UTC on 2026-09-21.\n");
}

TEST_F(WhoAt, AMachineWithoutATimelineIsNotRecorded) {
  twin.no_timeline = base::Error{base::ErrorKind::kNotFound, "there is none"};
  check("who-at-no-timeline.txt", 1, {"who", "56744", "--at", "2026-09-21 14:23:20"});
}

TEST_F(WhoAt, ATimelineThatMayNotBeReadIsAFailure) {
  twin.no_timeline = base::Error{base::ErrorKind::kPermission, "open it: permission denied"};
  const auto answer = twin.run({"who", "56744", "--at", "now"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_TRUE(
      answer.err.starts_with("twinport: open it: permission denied; and no recorder listens at "))
      << answer.err;
}

TEST_F(WhoAt, AnOrdinaryUserAsksTheRecorderAndSeesHisOwn) {
  twin.no_timeline = base::Error{base::ErrorKind::kPermission, "open it: permission denied"};
  twin.recorder.emplace();
  twin.recorder->sees_all = false;
  twin.recorder->uid = 1000;
  const auto own = twin.run({"who", "56744", "--at", "2026-09-21 14:23:20", "--state", "/s"});
  EXPECT_EQ(own.code, 1) << "others may have held it too";
  EXPECT_TRUE(own.out.starts_with("curl (pid 4711) held port 56744")) << own.out;
  EXPECT_NE(own.out.find("shown to root only"), std::string::npos);
  EXPECT_EQ(twin.socket_path, "/s/recorder.sock");
  const auto others = twin.run({"who", "443", "--at", "2026-09-21 14:23:40"});
  EXPECT_EQ(others.code, 1);
  EXPECT_TRUE(others.out.starts_with("No program of yours held port 443 between")) << others.out;
  EXPECT_EQ(others.out.find("nginx"), std::string::npos);
}

TEST_F(WhoAt, TheSocketIsThatOfTheStateElseThatOfTheMachine) {
  twin.no_timeline = base::Error{base::ErrorKind::kNotFound, "there is none"};
  const auto asked = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"who", "1", "--at", "now"};
    words.insert(words.end(), more.begin(), more.end());
    twin.run(words);
    return twin.socket_path;
  };
  EXPECT_EQ(asked({}), "/run/twinport/recorder.sock");
  EXPECT_EQ(asked({"--state", "/s"}), "/s/recorder.sock");
  twin.variables["TWINPORT_STATE"] = "/t";
  EXPECT_EQ(asked({}), "/t/recorder.sock");
  twin.variables["TWINPORT_SOCKET"] = "/u.sock";
  EXPECT_EQ(asked({}), "/u.sock");
}

TEST_F(WhoAt, RefusesATimeItCannotReadAndOptionsOfThePresent) {
  const auto time = twin.run({"who", "56744", "--at", "noonish"});
  EXPECT_EQ(time.code, 2);
  EXPECT_NE(time.err.find("\"noonish\" is not a time"), std::string::npos);
  EXPECT_EQ(twin.run({"who", "22", "--at", "now", "--verify"}).code, 2);
  EXPECT_EQ(twin.run({"who", "22", "--at", "now", "--collector", "proc"}).code, 2);
}

TEST_F(WhoAt, NarrowsToOnePeer) {
  const auto answer =
      twin.run({"who", "443", "--at", "2026-09-21 14:23:40", "--peer", "10.0.0.9:50003"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_NE(answer.out.find("served a connection on port 443/tcp from 10.0.0.9:50003."),
            std::string::npos)
      << answer.out;
  EXPECT_EQ(answer.out.find("50004"), std::string::npos);
}

TEST_F(WhoAt, NamesFromOutsideStayHarmless) {
  auto batch = testkit::batch(3601 * kSecondUs);
  batch.processes = {testkit::process(10, 666, "\x1b[31mevil\n")};
  auto row = testkit::connection(30, 6666, 3000 * kSecondUs);
  row.owner = 10;
  batch.closed = {testkit::closed(row, 3000 * kSecondUs)};
  write(batch);
  const auto answer = twin.run({"who", "6666", "--at", "2026-09-21 15:03:20"});
  EXPECT_EQ(answer.out.find('\x1b'), std::string::npos);
  EXPECT_NE(answer.out.find("\\x1b[31mevil\\n"), std::string::npos) << answer.out;
}

TEST_F(WhoAt, WritesTheSameAsJson) {
  check("who-at-56744.json", 0, {"who", "56744", "--at", "2026-09-21 14:23:20", "--json"});
  check("who-at-gap.json", 1, {"who", "1744", "--at", "2026-09-21 14:35:00", "--json"});
}

TEST_F(WhoAt, ExplainSaysFirstWhoHeldItThen) {
  const auto answer = twin.run({"explain", "56744", "--at", "2026-09-21 14:23:20"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_TRUE(answer.out.starts_with("curl (pid 4711) held port 56744 between")) << answer.out;
  EXPECT_NE(answer.out.find("Who held it then\n  - curl (pid 4711) was connected"),
            std::string::npos);
  EXPECT_NE(answer.out.find("dynamic port"), std::string::npos);
  const auto json = twin.run({"explain", "56744", "--at", "2026-09-21 14:35:00", "--json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_NE(json.out.find("\"then\":{\"needs_attention\":true,\"windows\":"), std::string::npos);
}

TEST(Lifetime, IsToldInTheUnitThatFits) {
  EXPECT_EQ(lifetime_in_words(0), "0 µs");
  EXPECT_EQ(lifetime_in_words(520), "520 µs");
  EXPECT_EQ(lifetime_in_words(1'500), "1.5 ms");
  EXPECT_EQ(lifetime_in_words(2'000'000), "2 s");
  EXPECT_EQ(lifetime_in_words(59'999'999), "59.9 s");
  EXPECT_EQ(lifetime_in_words(int64_t{7200} * 1'000'000), "2 hours");
}

}  // namespace
}  // namespace apps
