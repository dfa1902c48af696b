#include "ports/ephemeral_history.h"

#include <gtest/gtest.h>

#include "testkit/recorded.h"

namespace ports {
namespace {

using testkit::kSecondUs;
using testkit::kWallUs;

constexpr int64_t kLongAgo = 0;
constexpr model::TimeWindow kHour{kWallUs, kWallUs + testkit::kHourUs};

model::PortPolicy policy(uint16_t first = 32768, uint16_t last = 60999) {
  model::PortPolicy out;
  out.ephemeral = {first, last};
  out.known = true;
  return out;
}

/// From 10.0.0.5:`port` to 10.9.9.9:443, opened and closed so long after the hour's beginning.
model::RecordedSocket connection(uint16_t port, int64_t opened_s, std::optional<int64_t> closed_s) {
  model::RecordedSocket out = testkit::connection(1, port, opened_s * kSecondUs);
  if (closed_s) out = testkit::closed(out, *closed_s * kSecondUs);
  return out;
}

TEST(EphemeralHistory, CountsAPortUntilItHasRested) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  meter.add(connection(40000, 0, 60), nullptr);
  meter.add(connection(40001, 90, 600), nullptr);  // while the first one rests
  meter.add(connection(40002, 1800, 1900), nullptr);
  const EphemeralHistory history = meter.measure();
  EXPECT_EQ(history.connections, 3U);
  ASSERT_EQ(history.destinations.size(), 1U);
  const DestinationHistory& one = history.destinations[0];
  EXPECT_EQ(one.connections, 3U);
  EXPECT_EQ(one.peak, 2U);
  EXPECT_EQ(one.peak_open, 1U);
  EXPECT_EQ(one.peak_us, kWallUs + 90 * kSecondUs);
  EXPECT_EQ(one.use[0], 1U);  // one part is a minute
  EXPECT_EQ(one.use[1], 2U);
  EXPECT_EQ(one.use[10], 1U);  // it rests
  EXPECT_EQ(one.use[20], 0U);
  EXPECT_EQ(one.use[30], 1U);
  EXPECT_EQ(one.use[59], 0U);
}

TEST(EphemeralHistory, AnAttemptHasItsPortUntilItFails) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  auto attempt = connection(40000, 60, 179);
  attempt.role = model::SocketRole::kConnectFailed;
  meter.add(attempt, nullptr);
  const auto one = meter.measure().destinations.at(0);
  EXPECT_EQ(one.peak, 1U);
  EXPECT_EQ(one.use[0], 0U);
  EXPECT_EQ(one.use[2], 1U);
  EXPECT_EQ(one.use[3], 0U);  // nothing of it rests
}

TEST(EphemeralHistory, WhatIsOpenStillCountsToTheEnd) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  meter.add(connection(40000, 600, std::nullopt), nullptr);
  auto before = connection(40001, -600, std::nullopt);
  meter.add(before, nullptr);
  const auto one = meter.measure().destinations.at(0);
  EXPECT_EQ(one.connections, 1U);
  EXPECT_EQ(one.use[0], 1U);
  EXPECT_EQ(one.use[59], 2U);
}

TEST(EphemeralHistory, TellsDestinationsApartAndTheBusiestFirst) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  for (uint16_t i = 0; i < 5; ++i) meter.add(connection(40000 + i, i, 1000), nullptr);
  auto other = connection(40000, 0, 10);
  other.remote.port = 80;
  meter.add(other, nullptr);
  auto mapped = connection(40007, 1, 1000);
  mapped.local.address = testkit::address("::ffff:10.0.0.5");
  mapped.remote.address = testkit::address("::ffff:10.9.9.9");
  meter.add(mapped, nullptr);
  const auto history = meter.measure();
  ASSERT_EQ(history.destinations.size(), 2U);
  EXPECT_EQ(history.destinations[0].destination.port, 443);
  EXPECT_EQ(history.destinations[0].peak, 6U);
}

TEST(EphemeralHistory, LeavesOutWhatHasNothingToDoWithTheRange) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  meter.add(connection(1024, 0, 1), nullptr);
  auto served = connection(40000, 0, 1);
  served.role = model::SocketRole::kIncoming;
  meter.add(served, nullptr);
  auto failed = connection(40000, 0, 1);
  failed.role = model::SocketRole::kBindFailed;
  meter.add(failed, nullptr);
  EXPECT_TRUE(meter.measure().destinations.empty());
  EXPECT_TRUE(meter.measure().burners.empty());
}

TEST(EphemeralHistory, TellsWhoUsesThePortsUp) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  const auto curl = testkit::process(1, 10, "curl");
  auto nameless = testkit::process(2, 11, "gone");
  nameless.exe.clear();
  for (uint16_t i = 0; i < 3; ++i) meter.add(connection(40000 + i, i, i + 1), &curl);
  meter.add(connection(40010, 1, 2), &nameless);
  meter.add(connection(40011, 1, 2), nullptr);
  auto udp = connection(40012, 1, 2);
  udp.protocol = model::Protocol::kUdp;
  meter.add(udp, &nameless);
  const auto history = meter.measure();
  ASSERT_EQ(history.burners.size(), 3U);
  EXPECT_EQ(history.burners[0].program, "/usr/bin/curl");
  EXPECT_EQ(history.burners[0].ports, 3U);
  EXPECT_EQ(history.burners[1].program, "gone");
  EXPECT_EQ(history.burners[1].ports, 2U);
  EXPECT_EQ(history.burners[2].program, "");
  EXPECT_EQ(history.udp_ports, 1U);
  EXPECT_EQ(history.connections, 5U);
}

TEST(EphemeralHistory, NeverCountsMorePortsThanThereAre) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy(40000, 40009));
  // Ten ports, each used again and again while it rests (net.ipv4.tcp_tw_reuse).
  for (int i = 0; i < 100; ++i) {
    meter.add(connection(static_cast<uint16_t>(40000 + i % 10), i, i + 1), nullptr);
  }
  EXPECT_EQ(meter.measure().destinations.at(0).peak, 10U);
}

TEST(EphemeralHistory, CountsAPortOnceThatIsUsedAgainWhileItRests) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  meter.add(connection(40000, 0, 1), nullptr);
  meter.add(connection(40000, 5, 6), nullptr);
  meter.add(connection(40000, 10, std::nullopt), nullptr);  // its closing was lost
  meter.add(connection(40000, 20, 30), nullptr);
  const auto one = meter.measure().destinations.at(0);
  EXPECT_EQ(one.connections, 4U);
  EXPECT_EQ(one.peak, 1U);
  EXPECT_EQ(one.use[1], 1U);  // it rests until second 90
  EXPECT_EQ(one.use[2], 0U);
}

TEST(EphemeralHistory, CountsWhatRestsFromBeforeTheWindow) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  meter.add(connection(40000, -100, -30), nullptr);
  auto rested = connection(40001, -100, -70);
  rested.remote.port = 80;
  meter.add(rested, nullptr);
  const auto history = meter.measure();
  ASSERT_EQ(history.destinations.size(), 1U);
  EXPECT_EQ(history.destinations[0].peak, 1U);
  EXPECT_EQ(history.destinations[0].peak_open, 0U);
  EXPECT_EQ(history.destinations[0].use[1], 0U);
  EXPECT_EQ(history.connections, 0U);
  EXPECT_TRUE(history.burners.empty());
}

TEST(EphemeralHistory, TellsShortLivesApart) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  const auto curl = testkit::process(1, 10, "curl");
  meter.add(connection(40000, 0, 1), &curl);
  meter.add(connection(40001, 0, 2), &curl);
  meter.add(connection(40002, 0, std::nullopt), &curl);
  const auto burner = meter.measure().burners.at(0);
  EXPECT_EQ(burner.ports, 3U);
  EXPECT_EQ(burner.short_lived, 1U);
}

TEST(EphemeralHistory, ForecastsFromWhatIsKnownOnly) {
  // Ever more are open, up to a minute before the end.
  const auto grow = [](EphemeralHistoryMeter& meter) {
    for (uint16_t i = 0; i < 58 * 4; ++i) meter.add(connection(40000 + i, i * 15, 3600), nullptr);
    return meter.measure().destinations.at(0).forecast;
  };
  EphemeralHistoryMeter whole(kHour, kLongAgo, policy(40000, 40299));
  const Forecast found = grow(whole);
  ASSERT_EQ(found.trend, Trend::kGrowing);
  EXPECT_NEAR(found.ports_per_hour, 240, 5);
  EXPECT_TRUE(whole.measure().full_soon());
  EphemeralHistoryMeter young(kHour, kHour.until_us - 300 * kSecondUs, policy());
  EXPECT_EQ(grow(young).trend, Trend::kTooShort);
  EphemeralHistoryMeter dark(kHour, kLongAgo, policy());
  dark.add_gap({kHour.from_us, kHour.until_us - 300 * kSecondUs}, 0, true);
  EXPECT_EQ(grow(dark).trend, Trend::kTooShort);
}

TEST(EphemeralHistory, ARecordingThatBeginsAmidSteadyUseForecastsNoGrowth) {
  // Ten ports a second, each closed at once: about 600 rest at any time. The rows begin late.
  EphemeralHistoryMeter meter(kHour, kHour.from_us + 1200 * kSecondUs, policy());
  for (int i = 12'000; i < 36'000; ++i) {
    auto one =
        testkit::connection(1, static_cast<uint16_t>(32768 + i % 28'000), i * kSecondUs / 10);
    meter.add(testkit::closed(one, i * kSecondUs / 10), nullptr);
  }
  EXPECT_EQ(meter.measure().destinations.at(0).forecast.trend, Trend::kUnclear);
}

TEST(EphemeralHistory, TellsWhatTheTimelineMisses) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  const auto gap = [](int64_t from_s, int64_t until_s) {
    return model::TimeWindow{kWallUs + from_s * kSecondUs, kWallUs + until_s * kSecondUs};
  };
  meter.add_gap(gap(-100, 60), 0, true);
  meter.add_gap(gap(30, 90), 0, true);
  meter.add_gap(gap(1000, 1001), 7, false);
  meter.add_gap(gap(-100, -50), 9, true);
  const auto history = meter.measure();
  EXPECT_EQ(history.not_recorded_s, 90);
  EXPECT_EQ(history.events_lost, 7U);
}

// ---- guessing -----------------------------------------------------------------------------------

PortGuessing guessing(auto port_of, int count, int destinations = 1) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  for (int i = 0; i < count; ++i) {
    auto one = connection(static_cast<uint16_t>(port_of(i)), i, i + 1);
    one.remote.port = static_cast<uint16_t>(1 + i % destinations);
    meter.add(one, nullptr);
  }
  return meter.measure().guessing;
}

TEST(EphemeralHistory, FollowsPortsTowardOneDestinationAroundTheEndOfTheRange) {
  const auto found = guessing([](int i) { return 32768 + (28'132 + 2 * i) % 28'232; }, 100);
  EXPECT_EQ(found.same_destination.pairs, 99U);
  EXPECT_EQ(found.same_destination.close, 99U);
  EXPECT_EQ(found.other_destination.pairs, 0U);
  EXPECT_EQ(found.pattern(), PortPattern::kPerDestination);
  EXPECT_EQ(found.even, 100U);
  EXPECT_TRUE(found.one_parity());
}

TEST(EphemeralHistory, TellsACounterForEachDestinationFromOneForAll) {
  EXPECT_EQ(guessing([](int i) { return 40000 + i; }, 300, 3).pattern(), PortPattern::kOneCounter);
  EXPECT_EQ(guessing([](int i) { return 40000 + i / 3 + i % 3 * 5000; }, 300, 3).pattern(),
            PortPattern::kPerDestination);
}

TEST(EphemeralHistory, TellsUdpByItself) {
  EphemeralHistoryMeter meter(kHour, kLongAgo, policy());
  for (uint16_t i = 0; i < 100; ++i) {
    auto one = connection(40000 + i, i, i + 1);
    one.protocol = model::Protocol::kUdp;
    meter.add(one, nullptr);
  }
  const auto found = meter.measure().guessing;
  EXPECT_EQ(found.udp.guessing(), Guessing::kEasy);
  EXPECT_EQ(found.pattern(), PortPattern::kTooFew);
}

}  // namespace
}  // namespace ports
