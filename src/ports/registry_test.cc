#include "ports/registry.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ports {
namespace {

using model::Protocol;
using model::RegistryEntry;

/// "22/tcp=ssh 22/udp=ssh", in the order of the answer.
std::string told(const std::vector<RegistryEntry>& entries) {
  std::string out;
  for (const auto& entry : entries) {
    if (!out.empty()) out += ' ';
    out += to_string(entry.ports) + '/' + std::string(protocol_name(entry.protocol)) + '=' +
           std::string(entry.service);
  }
  return out;
}

RegistryEntry only(const std::vector<RegistryEntry>& entries) {
  EXPECT_EQ(entries.size(), 1U) << told(entries);
  return entries.empty() ? RegistryEntry{} : entries.front();
}

TEST(BuiltInRegistry, HasEveryRowOfTheRegistry) {
  const Registry registry = Registry::built_in();
  std::map<Protocol, size_t> rows;
  std::map<Protocol, size_t> named;
  for (const auto& entry : registry.all()) {
    ++rows[entry.protocol];
    named[entry.protocol] += entry.service.empty() ? 0 : 1;
  }
  EXPECT_EQ(registry.size(), 14349U);
  EXPECT_EQ(rows[Protocol::kTcp], 7128U);
  EXPECT_EQ(rows[Protocol::kUdp], 7120U);
  EXPECT_EQ(rows[Protocol::kSctp], 91U);
  EXPECT_EQ(rows[Protocol::kDccp], 10U);
  EXPECT_GT(named[Protocol::kTcp], 5900U);
  EXPECT_GT(named[Protocol::kUdp], 5500U);
}

TEST(BuiltInRegistry, ListsRowsByFirstPort) {
  const auto rows = Registry::built_in().all();
  EXPECT_TRUE(std::ranges::is_sorted(rows, {},
                                     [](const RegistryEntry& entry) { return entry.ports.first; }));
}

TEST(BuiltInRegistry, KnowsWellKnownPorts) {
  const Registry registry = Registry::built_in();
  EXPECT_EQ(told(registry.find(22)), "22/tcp=ssh 22/udp=ssh 22/sctp=ssh");
  const RegistryEntry ssh = only(registry.find(22, Protocol::kTcp));
  EXPECT_EQ(ssh.description, "The Secure Shell (SSH) Protocol");
  EXPECT_EQ(ssh.reference, "[RFC4251]");
  EXPECT_EQ(told(registry.find(443, Protocol::kTcp)), "443/tcp=https");
}

TEST(BuiltInRegistry, KnowsThePortsOfTheTwoChannels) {
  const Registry registry = Registry::built_in();
  EXPECT_EQ(told(registry.find(1743)), "1743/tcp=cinegrfx-lm 1743/udp=cinegrfx-lm");
  EXPECT_EQ(only(registry.find(1743, Protocol::kTcp)).description,
            "Cinema Graphics License Manager");
  EXPECT_EQ(told(registry.find(1744)), "1744/tcp=ncpm-ft 1744/udp=ncpm-ft");
  EXPECT_EQ(only(registry.find(1744, Protocol::kUdp)).assignee, "[Ken_Hearn]");
}

TEST(BuiltInRegistry, HasAllOfTheFallbackRangeAssignedBut1783) {
  const Registry registry = Registry::built_in();
  std::string unassigned;
  for (uint16_t port = 1745; port <= 1844; ++port) {
    const auto rows = registry.find(port, Protocol::kTcp);
    if (std::ranges::all_of(rows, [](const auto& row) { return row.service.empty(); })) {
      unassigned += std::to_string(port) + ' ';
    }
  }
  EXPECT_EQ(unassigned, "1783 ");
  EXPECT_EQ(told(registry.find(1783)), "1783/tcp= 1783/udp=");
  EXPECT_EQ(only(registry.find(1783, Protocol::kTcp)).description,
            "Decomissioned Port 04/14/00, ms");
}

TEST(BuiltInRegistry, ShowsAliasesInIanasOrder) {
  EXPECT_EQ(told(Registry::built_in().find(80)),
            "80/tcp=http 80/tcp=www 80/tcp=www-http 80/udp=http 80/udp=www 80/udp=www-http "
            "80/sctp=http");
}

TEST(BuiltInRegistry, FindsRangesFromAnyPortInside) {
  const Registry registry = Registry::built_in();
  for (const uint16_t port : std::to_array<uint16_t>({6000, 6001, 6063})) {
    EXPECT_EQ(told(registry.find(port)), "6000-6063/tcp=x11 6000-6063/udp=x11") << port;
  }
  EXPECT_EQ(told(registry.find(6064)), "6064/tcp=ndl-ahp-svc 6064/udp=ndl-ahp-svc");
  EXPECT_EQ(only(registry.find(27005, Protocol::kTcp)).service, "flex-lm");
}

TEST(BuiltInRegistry, KnowsTheEdges) {
  const Registry registry = Registry::built_in();
  EXPECT_EQ(only(registry.find(0, Protocol::kTcp)).description, "Reserved");
  EXPECT_EQ(told(registry.find(48556)), "48556/tcp=com-bardac-dw 48556/udp=com-bardac-dw");
  EXPECT_EQ(told(registry.find(48557)), "48557-48618/tcp= 48557-48618/udp=");
  EXPECT_EQ(told(registry.find(49150)), "49150/tcp=inspider 49150/udp=");
  EXPECT_EQ(only(registry.find(49151, Protocol::kUdp)).description, "IANA Reserved");
  EXPECT_TRUE(registry.find(49152).empty());
  EXPECT_TRUE(registry.find(65535).empty());
}

TEST(BuiltInRegistry, CoversEveryPortBelowTheDynamicOnesButTwo) {
  const Registry registry = Registry::built_in();
  std::string missing;
  for (uint32_t port = 0; port < 49152; ++port) {
    if (registry.find(static_cast<uint16_t>(port)).empty()) missing += std::to_string(port) + ' ';
  }
  EXPECT_EQ(missing, "757 11023 ") << "of which IANA's own file says nothing";
}

TEST(BuiltInRegistry, TakesTheNewerNameWhereItsSourcesDiffer) {
  const Registry registry = Registry::built_in();
  const RegistryEntry renamed = only(registry.find(4307, Protocol::kTcp));
  EXPECT_EQ(renamed.service, "trueconf");
  EXPECT_EQ(renamed.assignee, "") << "the old assignee was another's";
  EXPECT_EQ(renamed.modified, "after 2015-07-24");
  EXPECT_EQ(told(registry.find(2, Protocol::kTcp)), "2/tcp=") << "compressnet was given back";
  const RegistryEntry recent = only(registry.find(27017, Protocol::kTcp));
  EXPECT_EQ(recent.service, "mongodb");
  EXPECT_EQ(recent.registered, "after 2015-07-24");
}

TEST(BuiltInRegistry, KeepsANameBesideWhichANewerOneWasAdded) {
  const Registry registry = Registry::built_in();
  EXPECT_EQ(told(registry.find(631, Protocol::kTcp)), "631/tcp=ipp 631/tcp=ipps");
  EXPECT_EQ(told(registry.find(465, Protocol::kTcp)), "465/tcp=urd 465/tcp=submissions");
}

TEST(BuiltInRegistry, HasNoStaleUnassignedRangeOverAPortAssignedSince) {
  const Registry registry = Registry::built_in();
  for (uint32_t port = 0; port < 49152; ++port) {
    const auto rows = registry.find(static_cast<uint16_t>(port), Protocol::kTcp);
    const bool named = std::ranges::any_of(rows, [](auto& row) { return !row.service.empty(); });
    const bool unnamed = std::ranges::any_of(rows, [](auto& row) { return row.service.empty(); });
    EXPECT_FALSE(named && unnamed) << told(rows);
  }
}

TEST(BuiltInRegistry, FindsServicesByNameIgnoringCase) {
  const Registry registry = Registry::built_in();
  EXPECT_EQ(told(registry.find_service("SSH")), "22/tcp=ssh 22/udp=ssh 22/sctp=ssh");
  EXPECT_EQ(told(registry.find_service("ncpm-ft")), "1744/tcp=ncpm-ft 1744/udp=ncpm-ft");
  EXPECT_EQ(told(registry.find_service("x11")), "6000-6063/tcp=x11 6000-6063/udp=x11");
  EXPECT_TRUE(registry.find_service("").empty());
  EXPECT_TRUE(registry.find_service("no-such-service").empty());
  EXPECT_TRUE(registry.find_service("ss").empty()) << "a prefix is another name";
}

TEST(BuiltInRegistry, SearchesNamesDescriptionsAndAssignees) {
  const Registry registry = Registry::built_in();
  EXPECT_EQ(told(registry.search("cinema GRAPHICS")), "1743/tcp=cinegrfx-lm 1743/udp=cinegrfx-lm");
  EXPECT_EQ(told(registry.search("hearn ncpm-ft")), "1744/tcp=ncpm-ft 1744/udp=ncpm-ft");
  EXPECT_TRUE(registry.search("ncpm-ft nobody-has-this").empty());
  EXPECT_EQ(registry.search("").size(), registry.size());
}

TEST(BuiltInRegistry, SaysWhereItComesFrom) {
  EXPECT_EQ(Registry::built_in().origin(), "built in: IANA registry of 2026-09-17");
}

TEST(BuiltInRegistry, StaysGoodWhenItMoves) {
  Registry first = Registry::built_in();
  const Registry second = std::move(first);
  EXPECT_EQ(only(second.find(1744, Protocol::kTcp)).service, "ncpm-ft");
}

}  // namespace
}  // namespace ports
