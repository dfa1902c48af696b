#include "host/bind_trial.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "testkit/private_network.h"

namespace {

using model::BindOutcome;
using model::Family;
using model::IpAddress;

constexpr uint16_t kPort = 1744;

/// A socket of IPv4's loopback address, or of all of IPv6 alone, that has taken the port.
base::Fd take(Family family, bool listening, bool reuse = false) {
  const bool is_v6 = family == Family::kIpv6;
  base::Fd fd(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (reuse) EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
  if (is_v6) {
    EXPECT_EQ(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(kPort);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  if (listening) EXPECT_EQ(::listen(fd.get(), 1), 0);
  return fd;
}

BindOutcome outcome(Family family, uint16_t port = kPort) {
  return host::try_bind({IpAddress::any(family), port}).outcome;
}

void in_private_network(const std::function<void()>& work) {
  if (!testkit::run_in_private_network(work)) GTEST_SKIP() << "needs rights to make namespaces";
}

TEST(BindTrial, APortThatNobodyHasIsFreeAndLeftFree) {
  in_private_network([] {
    for (int times = 0; times < 2; ++times) {
      EXPECT_EQ(outcome(Family::kIpv4), BindOutcome::kFree);
      EXPECT_EQ(outcome(Family::kIpv6), BindOutcome::kFree);
    }
  });
}

TEST(BindTrial, AListenerAtOneAddressKeepsOthersOffAllOfItsFamilyOnly) {
  in_private_network([] {
    const base::Fd held = take(Family::kIpv4, true, true);
    const auto trial = host::try_bind({IpAddress::any(Family::kIpv4), kPort});
    EXPECT_EQ(trial.outcome, BindOutcome::kInUse);
    EXPECT_EQ(trial.error_number, EADDRINUSE);
    EXPECT_EQ(outcome(Family::kIpv6), BindOutcome::kFree);
    IpAddress other = IpAddress::any(Family::kIpv4);
    other.bytes = {127, 0, 0, 2};
    EXPECT_EQ(host::try_bind({other, kPort}).outcome, BindOutcome::kFree);
  });
}

TEST(BindTrial, AListenerOnIpv6AloneLeavesIpv4Free) {
  in_private_network([] {
    const base::Fd held = take(Family::kIpv6, true);
    EXPECT_EQ(outcome(Family::kIpv6), BindOutcome::kInUse);
    EXPECT_EQ(outcome(Family::kIpv4), BindOutcome::kFree);
  });
}

TEST(BindTrial, WhatIsOnlyBoundTakesThePortUnlessItAllowsReuse) {
  in_private_network([] {
    {
      const base::Fd held = take(Family::kIpv4, false, false);
      EXPECT_EQ(outcome(Family::kIpv4), BindOutcome::kInUse);
    }
    const base::Fd held = take(Family::kIpv4, false, true);
    EXPECT_EQ(outcome(Family::kIpv4), BindOutcome::kFreeWithReuse);
  });
}

TEST(BindTrial, AnAddressOfAnotherMachineCannotBeTaken) {
  in_private_network([] {
    IpAddress other = IpAddress::any(Family::kIpv4);
    other.bytes = {192, 0, 2, 1};
    EXPECT_EQ(host::try_bind({other, kPort}).outcome, BindOutcome::kNoAddress);
  });
}

TEST(BindTrial, AnOrdinaryUserMayNotTakeAPrivilegedPort) {
  in_private_network([] {
    const std::string found = testkit::run_in_child([]() -> std::string {
      if (!testkit::become_nobody()) return "cannot become nobody";
      return std::string(model::bind_outcome_name(outcome(Family::kIpv4, 443)));
    });
    EXPECT_EQ(found, "denied");
  });
}

}  // namespace
