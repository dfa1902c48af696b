#include "apps/cmd_timeline.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "base/text.h"
#include "testkit/recorded_hour.h"

namespace apps {
namespace {

using testkit::kSecondUs;
using testkit::kWallUs;

class TimelineCommand : public ::testing::Test {
 protected:
  TimelineCommand() {
    setenv("TZ", "UTC", 1);
    tzset();
    twin.now_unix_s = kWallUs / kSecondUs + 3600;
    testkit::record_hour(twin.timeline);
  }
  size_t rows(const std::vector<std::string>& more) {
    std::vector<std::string> words{"timeline", "--no-header"};
    words.insert(words.end(), more.begin(), more.end());
    const auto answer = twin.run(words);
    EXPECT_TRUE(answer.code == 0 || answer.code == 1) << answer.err;
    size_t lines = 0;
    for (const char c : answer.out) lines += c == '\n' ? 1 : 0;
    return lines;
  }

  MachineTwin twin;
};

TEST_F(TimelineCommand, ListsTheNewestFirstWithGapsInTheirPlace) {
  auto batch = testkit::batch(3600 * kSecondUs + 1);
  auto late = testkit::connection(50, 50123, 3000 * kSecondUs);
  late.owner = 7;
  late.proof = model::OwnerProof::kInherited;
  batch.closed = {testkit::closed(late, 3000 * kSecondUs + 2'500'000)};
  ASSERT_TRUE(twin.timeline.write(batch));
  twin.columns = 80;
  twin.variables["NO_COLOR"] = "1";
  const auto answer = twin.run({"timeline"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_GOLDEN("cli/timeline.txt", answer.out);
  EXPECT_EQ(answer.err,
            "The timeline reaches from 2026-09-21 14:13:21 UTC to 2026-09-21 15:13:20 UTC.\n");
  std::string_view rest = answer.out;
  while (!rest.empty()) EXPECT_LE(base::display_width(base::take_until(rest, '\n')), 80U);
}

TEST_F(TimelineCommand, SaysHowLongAConnectTookToFail) {
  auto batch = testkit::batch(3600 * kSecondUs + 1);
  auto failed = testkit::connection(50, 50123, 3000 * kSecondUs);
  failed.role = model::SocketRole::kConnectFailed;
  batch.closed = {testkit::closed(failed, 3000 * kSecondUs + 2'500'000)};
  ASSERT_TRUE(twin.timeline.write(batch));
  const auto answer = twin.run({"timeline", "50123", "--no-header"});
  EXPECT_NE(answer.out.find(" 2.5 s  tcp failed "), std::string::npos) << answer.out;
  const auto page = twin.run({"who", "50123", "--at", "2026-09-21 15:03:21"});
  EXPECT_NE(page.out.find(", failed after 2.5 s"), std::string::npos) << page.out;
  // Who was refused at once has no length.
  const auto refused = twin.run({"timeline", "23", "--no-header"});
  EXPECT_NE(refused.out.find(" -  tcp refused "), std::string::npos) << refused.out;
}

TEST_F(TimelineCommand, WritesWholeTimesWithoutATerminal) {
  const auto answer = twin.run({"timeline", "56744", "--no-header"});
  EXPECT_EQ(answer.out,
            "2026-09-21 14:23:20.250  520 µs  tcp out  10.0.0.5:56744  10.9.9.9:443  4711  "
            "curl\n");
}

TEST_F(TimelineCommand, NarrowsByFilterProcessPeerRoleAndTime) {
  EXPECT_EQ(rows({"port = 443 and command = curl"}), 1U);
  EXPECT_EQ(rows({"--process", "curl"}), 1U);
  EXPECT_EQ(rows({"--process", "900", "--role", "incoming"}), 10U);
  EXPECT_EQ(rows({"--peer", "10.0.0.9"}), 10U);
  EXPECT_EQ(rows({"--peer", "10.0.0.9:50003"}), 1U);
  EXPECT_EQ(rows({"--role", "refused"}), 1U);
  // The first caller came at 14:23:21; the listener lives on, and curl is asked for within a second
  // either side.
  EXPECT_EQ(rows({"--until", "2026-09-21 14:23:20"}), 3U);
  EXPECT_EQ(rows({"--since", "2026-09-21 14:24:01"}), 2U);
}

TEST_F(TimelineCommand, SaysWhatWasCut) {
  const auto answer = twin.run({"timeline", "--limit", "2", "--no-header"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_TRUE(
      answer.err.starts_with("These are the newest 2; --limit shows more, --until older ones."))
      << answer.err;
  const auto json = twin.run({"timeline", "--limit", "2", "--json"});
  EXPECT_NE(json.out.find("\"more\":true,\"cut_short\":false"), std::string::npos);
}

TEST_F(TimelineCommand, FindsAMatchThatLiesFarBack) {
  auto batch = testkit::batch(3600 * kSecondUs + 1);
  for (uint64_t i = 0; i < 9000; ++i) {
    auto row = testkit::connection(1000 + i, 40000, 2000 * kSecondUs + static_cast<int64_t>(i));
    row.owner = 8;
    batch.closed.push_back(testkit::closed(row, row.opened_boot_us));
  }
  ASSERT_TRUE(twin.timeline.write(batch));
  EXPECT_EQ(rows({"user = user1000"}), 1U);
}

TEST_F(TimelineCommand, ATimeThatWasNotRecordedAsksForAttention) {
  const auto gap = twin.run({"timeline", "--since", "2026-09-21 14:30:00"});
  EXPECT_EQ(gap.code, 1);
  EXPECT_NE(gap.err.find("no recorder"), std::string::npos);
  EXPECT_EQ(twin.run({"timeline", "--since", "2026-09-21 15:00:00"}).code, 0);
  EXPECT_EQ(twin.run({"timeline", "--since", "2026-09-21 13:00:00"}).code, 1);
}

TEST_F(TimelineCommand, WithoutATimelineItSaysSo) {
  twin.no_timeline = base::Error{base::ErrorKind::kNotFound, "there is none"};
  const auto answer = twin.run({"timeline"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.out, "");
  EXPECT_EQ(
      answer.err,
      "No socket that was recorded matches. Nothing was ever recorded; see `twinport\nrecord`.\n");
  twin.no_timeline = base::Error{base::ErrorKind::kCorrupt, "it is damaged"};
  EXPECT_EQ(twin.run({"timeline"}).code, 3);
}

TEST_F(TimelineCommand, RefusesWhatItCannotTake) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--limit", "0"},
                                                {"--role", "waiter"},
                                                {"--since", "soon"},
                                                {"--since", "-1h", "--until", "-2h"},
                                                {"recvq > 0"},
                                                {"--peer", "example.org"}}) {
    std::vector<std::string> all{"timeline"};
    all.insert(all.end(), words.begin(), words.end());
    EXPECT_EQ(twin.run(all).code, 2) << words.front();
  }
}

TEST_F(TimelineCommand, WritesRowsAndGapsAsJson) {
  const auto answer =
      twin.run({"timeline", "23 or 56744", "--since", "2026-09-21 14:14:00", "--json"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_GOLDEN("cli/timeline.json", answer.out);
}

}  // namespace
}  // namespace apps
