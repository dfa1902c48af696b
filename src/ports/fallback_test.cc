#include "ports/fallback.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "model/endpoints.h"
#include "testkit/small_world.h"

namespace {

using model::BindOutcome;
using model::BindTrial;
using model::Family;
using model::IpAddress;
using model::Protocol;
using ports::PassedOver;

class FallbackPorts : public ::testing::Test {
 protected:
  FallbackPorts() {
    policy.known = true;
    for (uint32_t port = model::kFallbackPorts.first; port <= model::kFallbackPorts.last; ++port) {
      for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        BindTrial trial;
        trial.at = {IpAddress::any(family), static_cast<uint16_t>(port)};
        trial.outcome = BindOutcome::kFree;
        trials.push_back(trial);
      }
    }
  }

  ports::Fallback find(model::PortRange range = model::kFallbackPorts) {
    const model::Inventory inventory = world.look();
    const ports::Judge judge(expectations, expectations_loaded);
    return ports::find_fallback(range, trials, inventory, policy, ports::KnownUses::built_in(),
                                judge);
  }

  static const ports::PassedOverPort* why(const ports::Fallback& fallback, uint16_t port) {
    const auto found = std::ranges::find(fallback.passed_over, port, &ports::PassedOverPort::port);
    return found == fallback.passed_over.end() ? nullptr : &*found;
  }

  testkit::SmallWorld world;
  std::vector<BindTrial> trials;
  model::PortPolicy policy;
  std::vector<model::Expectation> expectations;
  bool expectations_loaded = false;
};

TEST_F(FallbackPorts, BareRegistrationsAndRangesOfOthersDoNotCount) {
  const auto found = find();
  EXPECT_EQ(found.first(), 1745);
  EXPECT_EQ(found.free.size() + found.passed_over.size(), 100U);
  EXPECT_GT(found.free.size(), 80U);
}

TEST_F(FallbackPorts, WhatOthersReallyUseIsPassedOver) {
  const auto found = find();
  for (const uint16_t port : std::initializer_list<uint16_t>{1801, 1812, 1813}) {
    ASSERT_NE(why(found, port), nullptr) << port;
    EXPECT_EQ(why(found, port)->kind, PassedOver::kUsed);
  }
}

TEST_F(FallbackPorts, TheWindowsProfileHasFive) {
  const auto found = find(model::kFallbackPortsWindowsProfile);
  EXPECT_EQ(found.free, (std::vector<uint16_t>{1745, 1746, 1747, 1748, 1749}));
}

TEST_F(FallbackPorts, ATakenPortNamesItsHolder) {
  trials[0].outcome = BindOutcome::kInUse;
  world.processes.add(700, "webd");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:1745");
  world.sockets.hold(700, 3);
  const auto found = find();
  EXPECT_EQ(found.first(), 1746);
  ASSERT_NE(why(found, 1745), nullptr);
  EXPECT_EQ(why(found, 1745)->kind, PassedOver::kTaken);
  EXPECT_EQ(why(found, 1745)->why, "webd (pid 700)");
}

TEST_F(FallbackPorts, WithoutIpv6TheOtherFamilyDecides) {
  for (BindTrial& trial : trials) {
    if (trial.at.address.family == Family::kIpv6) trial.outcome = BindOutcome::kNoAddress;
  }
  EXPECT_EQ(find().first(), 1745);
  for (BindTrial& trial : trials) trial.outcome = BindOutcome::kNoAddress;
  EXPECT_FALSE(find().first());
}

TEST_F(FallbackPorts, TheHostsOwnExpectationsAndReservationsAreKept) {
  model::Expectation others;
  others.protocols = {Protocol::kTcp};
  others.ports = {{1745, 1746}};
  others.holder.exes = {"/usr/sbin/webd"};
  model::Expectation ours = others;
  ours.ports = {{1747, 1747}};
  ours.holder.exes = {"/usr/bin/twinport"};
  expectations = {others, ours};
  expectations_loaded = true;
  policy.reserved = {{1748, 1748}};
  const auto found = find();
  EXPECT_EQ(found.first(), 1747);
  EXPECT_EQ(why(found, 1745)->kind, PassedOver::kExpected);
  ASSERT_NE(why(found, 1748), nullptr);
  EXPECT_EQ(why(found, 1748)->kind, PassedOver::kReserved);
  policy.reserved = {{1743, 1844}};
  EXPECT_EQ(why(find(), 1748), nullptr) << "a reservation of 1744 too is our own";
}

}  // namespace
