#include "ports/port_facts.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace {

using model::PortClass;
using ports::gather_port_facts;
using ports::PortFacts;

model::Inventory machine(model::PortPolicy policy) {
  model::Inventory out;
  model::NetNamespace own;
  own.inode = 1;
  own.own = true;
  own.policy = std::move(policy);
  own.policy.known = true;
  out.namespaces.push_back(std::move(own));
  return out;
}

std::string words(const PortFacts& facts) {
  std::string out;
  for (const std::string& sentence : ports::port_facts_in_words(facts)) out += sentence + "\n";
  return out;
}

bool says(const PortFacts& facts, std::string_view text) {
  return words(facts).find(text) != std::string::npos;
}

TEST(PortFacts, SaysBothTruthsOfAUserPortThatTheKernelLends) {
  const PortFacts facts = gather_port_facts(40000, machine({}));
  EXPECT_EQ(facts.rfc_class, PortClass::kUser);
  EXPECT_TRUE(facts.own.handed_out);
  EXPECT_TRUE(facts.rfc_and_kernel_differ());
  EXPECT_TRUE(says(facts, "A user port (1024-49151"));
  EXPECT_TRUE(says(facts, "Ephemeral on this host, whatever the RFC calls it"));
  EXPECT_TRUE(says(facts, "32768-60999 (28,232 ports)"));
}

TEST(PortFacts, SaysBothTruthsOfADynamicPortThatTheKernelDoesNotLend) {
  const PortFacts facts = gather_port_facts(65535, machine({}));
  EXPECT_EQ(facts.rfc_class, PortClass::kDynamic);
  EXPECT_FALSE(facts.own.handed_out);
  EXPECT_TRUE(facts.rfc_and_kernel_differ());
  EXPECT_TRUE(says(facts, "Not ephemeral on this host, whatever the RFC calls it"));
}

TEST(PortFacts, AgreesWhereBothCallItEphemeral) {
  const PortFacts facts = gather_port_facts(56744, machine({}));
  EXPECT_FALSE(facts.rfc_and_kernel_differ());
  EXPECT_TRUE(says(facts, "Ephemeral on this host too"));
}

TEST(PortFacts, TellsAReservedPortFromALentOne) {
  model::PortPolicy policy;
  policy.reserved = {{40000, 40010}};
  const PortFacts facts = gather_port_facts(40000, machine(policy));
  EXPECT_TRUE(facts.own.reserved);
  EXPECT_FALSE(facts.own.handed_out);
  EXPECT_TRUE(says(facts, "ip_local_reserved_ports keeps it back"));
}

TEST(PortFacts, ReadsPrivilegeFromTheKernelNotFromTheNumber) {
  EXPECT_TRUE(gather_port_facts(22, machine({})).own.privileged);
  model::PortPolicy lowered;
  lowered.unprivileged_start = 0;
  const PortFacts facts = gather_port_facts(22, machine(lowered));
  EXPECT_FALSE(facts.own.privileged);
  EXPECT_TRUE(says(facts, "unlike on most machines"));
  EXPECT_FALSE(gather_port_facts(1024, machine({})).own.privileged);
}

TEST(PortFacts, PortZeroIsAPlaceholder) {
  const PortFacts facts = gather_port_facts(0, machine({}));
  EXPECT_EQ(ports::port_facts_in_words(facts).size(), 1U);
  EXPECT_TRUE(says(facts, "means \"none\""));
}

TEST(PortFacts, NamesTheNamespacesThatAnswerDifferently) {
  auto inventory = machine({});
  model::NetNamespace other;
  other.inode = 77;
  other.name = "blue";
  other.policy.known = true;
  other.policy.ephemeral = {1024, 2000};
  inventory.namespaces.push_back(other);
  other.inode = 78;
  other.policy.ephemeral = {32768, 60999};
  inventory.namespaces.push_back(other);
  const PortFacts facts = gather_port_facts(1744, inventory);
  ASSERT_EQ(facts.differing.size(), 1U);
  EXPECT_EQ(facts.differing[0].netns, 77U);
  EXPECT_TRUE(says(facts, "In network namespace 77 (blue) the kernel hands it out"));
}

TEST(PortFacts, DoesNotClaimDefaultsAsThisKernels) {
  const PortFacts facts = gather_port_facts(40000, model::Inventory{});
  EXPECT_FALSE(facts.own.known);
  EXPECT_TRUE(says(facts, "Linux by default"));
  EXPECT_FALSE(says(facts, "the kernel lends"));
}

TEST(EphemeralSize, TakesOverlappingReservationsOffOnce) {
  model::PortPolicy policy;
  policy.ephemeral = {100, 199};
  policy.reserved = {{50, 109}, {105, 114}, {190, 300}, {400, 500}};
  EXPECT_EQ(ports::ephemeral_size(policy), 100U - 15 - 10);
}

}  // namespace
