#include "ports/hand_checks.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace {

using model::Protocol;
using ports::hand_checks;

bool has(const std::vector<ports::HandCheck>& checks, std::string_view system,
         std::string_view command) {
  return std::ranges::any_of(checks, [&](const ports::HandCheck& check) {
    return check.system == system && check.command == command;
  });
}

TEST(HandChecks, FillInThePortForEachSystem) {
  const auto checks = hand_checks({1744, 1744}, std::nullopt);
  EXPECT_TRUE(has(checks, "Linux", "sudo ss -tulnp 'sport = :1744'"));
  EXPECT_TRUE(has(checks, "Linux", "sudo ss -tuanp '( sport = :1744 ) or ( dport = :1744 )'"));
  EXPECT_TRUE(has(checks, "Linux", "sudo lsof -nP -i :1744"));
  EXPECT_TRUE(has(checks, "macOS", "sudo lsof -nP -i :1744"));
  EXPECT_TRUE(has(checks, "Windows", "netstat -ano | findstr /C:\":1744 \""));
  EXPECT_TRUE(has(checks, "Windows",
                  "Get-Process -Id (Get-NetTCPConnection -LocalPort 1744).OwningProcess"));
}

TEST(HandChecks, AskForTheTransportThatWasNamed) {
  const auto tcp = hand_checks({22, 22}, Protocol::kTcp);
  EXPECT_TRUE(has(tcp, "Linux", "sudo ss -tlnp 'sport = :22'"));
  EXPECT_TRUE(has(tcp, "macOS", "sudo lsof -nP -iTCP:22"));
  const auto udp = hand_checks({53, 53}, Protocol::kUdp);
  EXPECT_TRUE(has(udp, "Linux", "sudo ss -ulnp 'sport = :53'"));
  EXPECT_TRUE(
      has(udp, "Windows", "Get-Process -Id (Get-NetUDPEndpoint -LocalPort 53).OwningProcess"));
}

TEST(HandChecks, CoverARange) {
  const auto checks = hand_checks({1743, 1844}, Protocol::kTcp);
  EXPECT_TRUE(has(checks, "Linux", "sudo ss -tlnp 'sport >= :1743 and sport <= :1844'"));
  EXPECT_TRUE(has(checks, "Windows",
                  "Get-NetTCPConnection | Where-Object { $_.LocalPort -in 1743..1844 }"));
}

TEST(HandChecks, PortZeroCannotBeChecked) {
  EXPECT_TRUE(hand_checks({0, 0}, std::nullopt).empty());
}

TEST(HandChecks, FitEightyColumnsWithTheirLabel) {
  for (const auto& check : hand_checks({65535, 65535}, std::nullopt)) {
    EXPECT_LE(check.command.size(), 70U) << check.command;
  }
}

}  // namespace
