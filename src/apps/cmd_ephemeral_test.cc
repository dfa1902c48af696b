// Whole answers of `twinport ephemeral` about what was recorded. (What is in use now is in
// explain_golden_test.cc.)
#include "apps/cmd_ephemeral.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "base/text.h"
#include "testkit/recorded.h"

namespace apps {
namespace {

using testkit::kSecondUs;
using testkit::kWallUs;

class EphemeralCommand : public ::testing::Test {
 protected:
  EphemeralCommand() {
    setenv("TZ", "UTC", 1);
    tzset();
    twin.now_unix_s = kWallUs / kSecondUs + 7200;
    auto& netns = twin.sockets.raw.namespaces[0];
    netns.policy.ephemeral = {40000, 41999};
    netns.policy.known = true;
    static_cast<void>(twin.timeline.begin_boot("boot", kWallUs));
    EXPECT_TRUE(twin.timeline.write(testkit::batch(kSecondUs)));
  }

  /// Two hours: a crawler with ever more connections open, curl that asks another server once a
  /// second for most of the second hour, and a resolver.
  void record() {
    auto batch = testkit::batch(7200 * kSecondUs);
    batch.processes = {testkit::process(7, 4711, "crawler"), testkit::process(8, 4712, "curl", 0),
                       testkit::process(9, 4713, "resolver", 33)};
    uint64_t cookie = 0;
    for (int i = 0; i < 700; ++i) {
      auto one =
          testkit::connection(++cookie, static_cast<uint16_t>(40000 + i), i * 10 * kSecondUs);
      one.owner = 7;
      batch.opened.push_back(one);
    }
    for (int i = 0; i < 3000; ++i) {
      const int64_t opened_us = (4000 + i) * kSecondUs + 300'000;
      auto one =
          testkit::connection(++cookie, static_cast<uint16_t>(40700 + 2 * i % 300), opened_us);
      one.remote = {testkit::address("192.0.2.1"), 80};
      one.owner = 8;
      batch.closed.push_back(testkit::closed(one, opened_us + 20'000));
    }
    for (int i = 0; i < 50; ++i) {
      auto one = testkit::connection(++cookie, static_cast<uint16_t>(40000 + i * i * 37 % 1000),
                                     (5000 + i) * kSecondUs);
      one.protocol = model::Protocol::kUdp;
      one.remote = {testkit::address("192.0.2.53"), 53};
      one.owner = 9;
      batch.closed.push_back(testkit::closed(one, (5000 + i) * kSecondUs + 2'000'000));
    }
    ASSERT_TRUE(twin.timeline.write(batch));
  }

  MachineTwin twin;
};

TEST_F(EphemeralCommand, TellsOfTheLastHour) {
  record();
  const auto answer = twin.run({"ephemeral"});
  EXPECT_EQ(answer.err, "");
  EXPECT_GOLDEN("cli/ephemeral-hour.txt", answer.out);
  EXPECT_EQ(answer.code, 0);
  std::string_view rest = answer.out;
  while (!rest.empty()) {
    const auto line = base::take_until(rest, '\n');
    EXPECT_LE(base::display_width(line), 80U) << line;
  }
  EXPECT_GOLDEN("cli/ephemeral-hour.json", twin.run({"ephemeral", "--json", "--top", "1"}).out);
}

TEST_F(EphemeralCommand, LooksBackAsFarAsAsked) {
  record();
  const auto minutes = twin.run({"ephemeral", "--json", "--since", "-5m"}).out;
  EXPECT_NE(minutes.find(R"("burners_total":2,)"), std::string::npos) << minutes;
  EXPECT_NE(minutes.find(R"("trend":"too-short")"), std::string::npos) << minutes;
  const auto all = twin.run({"ephemeral", "--json", "--since", "-3h"}).out;
  EXPECT_NE(all.find(R"("tcp_connections":3699)"), std::string::npos) << all;
  EXPECT_NE(all.find(R"("not_recorded_s":0)"), std::string::npos) << all;
}

TEST_F(EphemeralCommand, WarnsOfAnEndWithinTheHour) {
  auto batch = testkit::batch(7200 * kSecondUs);
  batch.processes = {testkit::process(7, 4711, "crawler")};
  for (int i = 0; i < 1700; ++i) {
    auto one = testkit::connection(static_cast<uint64_t>(i + 1), static_cast<uint16_t>(40000 + i),
                                   (3600 + i * 2) * kSecondUs);
    one.owner = 7;
    batch.opened.push_back(one);
  }
  ASSERT_TRUE(twin.timeline.write(batch));
  const auto answer = twin.run({"ephemeral"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.out.find("if it goes on, none is left in"), std::string::npos) << answer.out;
  const auto json = twin.run({"ephemeral", "--json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_NE(json.out.find(R"("needs_attention":true)"), std::string::npos);
}

TEST_F(EphemeralCommand, SaysWhenNothingWasRecordedThen) {
  const auto answer = twin.run({"ephemeral", "--json"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_NE(answer.out.find(R"("history":null)"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("Nothing was recorded since 2026-09-21 15:13:20 UTC"),
            std::string::npos)
      << answer.out;
}

TEST_F(EphemeralCommand, ATimelineThatCannotBeReadStopsOnlyWhoAsksForIt) {
  twin.no_timeline = base::Error{base::ErrorKind::kCorrupt, "the timeline is damaged"};
  const auto answer = twin.run({"ephemeral"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_NE(answer.out.find("the timeline is damaged"), std::string::npos);
  EXPECT_EQ(twin.run({"ephemeral", "--since", "-1h"}).code, 3);
}

TEST_F(EphemeralCommand, RefusesTimesThatItCannotTake) {
  EXPECT_EQ(twin.run({"ephemeral", "--since", "yesterday-ish"}).code, 2);
  EXPECT_EQ(twin.run({"ephemeral", "--since", "2199-01-01 00:00:00"}).code, 2);
}

}  // namespace
}  // namespace apps
