#include "ports/absence.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace {

using ports::Absence;
using ports::explain_absence;
using ports::gather_port_facts;

model::Inventory machine() {
  model::Inventory out;
  model::NetNamespace own;
  own.own = true;
  own.policy.known = true;
  out.namespaces.push_back(std::move(own));
  return out;
}

Absence absence_of(uint16_t port, const std::vector<const model::KnownUse*>& uses = {},
                   std::string_view registered = "") {
  return explain_absence(gather_port_facts(port, machine()), uses, registered);
}

bool first_reason_says(const Absence& absence, std::string_view text) {
  return !absence.empty() && absence.reasons.front().find(text) != std::string::npos;
}

TEST(Absence, APortThatThisKernelLendsWasMostLikelyLent) {
  EXPECT_TRUE(first_reason_says(absence_of(56744), "This kernel lends each of 28,232 ports"));
}

TEST(Absence, APortThatOthersLendWasMostLikelyTheirs) {
  EXPECT_TRUE(first_reason_says(absence_of(65535), "Windows, macOS and the BSDs lend it"));
}

TEST(Absence, KnownSoftwareIsWhatScannersLookFor) {
  model::KnownUse use;
  use.software = "Unitrends";
  EXPECT_TRUE(first_reason_says(absence_of(1744, {&use}, "ncpm-ft"), "looked for Unitrends"));
}

TEST(Absence, AnEntryThatNamesNoSoftwareIsNotLookedFor) {
  model::KnownUse use;
  use.software = "Numbers chosen by hand";
  use.role = "unknown";
  EXPECT_FALSE(first_reason_says(absence_of(1337, {&use}), "Numbers"));
}

TEST(Absence, ARegisteredNameIsNotAFinding) {
  EXPECT_TRUE(first_reason_says(absence_of(2024, {}, "xinuexpansion4"),
                                "A scanner names it xinuexpansion4 because IANA lists that name"));
}

TEST(Absence, PortZeroHasItsOwnReasons) {
  const Absence absence = absence_of(0);
  EXPECT_TRUE(first_reason_says(absence, "fragments"));
  EXPECT_TRUE(absence.next_steps.empty());
}

TEST(Absence, EveryOtherPortHasANextStepThatCanBeTyped) {
  for (const uint16_t port : std::initializer_list<uint16_t>{1, 1744, 40000, 56744, 65535}) {
    const Absence absence = absence_of(port);
    EXPECT_TRUE(std::ranges::any_of(absence.next_steps, [&](const ports::NextStep& step) {
      return step.command == "sudo tcpdump -ni any port " + std::to_string(port);
    })) << port;
  }
}

}  // namespace
