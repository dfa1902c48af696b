// explain: everything known about one port, as plain values and whole sentences: a pure function of
// what was read. The stages are files of their own: holds.h (who), port_facts.h (what the number
// is), safety.h (is it safe), absence.h (why one meets a port that nobody holds), hand_checks.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/inventory.h"
#include "model/registry_entry.h"
#include "ports/absence.h"
#include "ports/ghost.h"
#include "ports/hand_checks.h"
#include "ports/holds.h"
#include "ports/known_uses.h"
#include "ports/port_facts.h"
#include "ports/port_query.h"
#include "ports/safety.h"
#include "ports/verdict.h"

namespace ports {

/// One registered service, with all transports for which IANA lists it alike.
struct Registration {
  model::RegistryEntry entry;  ///< of the first transport
  std::vector<model::Protocol> protocols;
  GhostJudgement ghost;
};

struct ExplainInput {
  const model::Inventory& inventory;  ///< processes with packages, published ports included
  const KnownUses& known_uses;
  /// Registry rows that cover the port, most specific first.
  std::span<const model::RegistryEntry> entries;
  /// Addresses of this machine; empty = not known. Tells a foreign address in the question.
  std::span<const model::IpAddress> local_addresses;
  SafetyContext safety;
  const Judge* judge = nullptr;  ///< nullptr: there are no expectations
};

/// Views inside it live as long as the registry and the known uses they came from.
struct Explanation {
  uint16_t port = 0;
  std::optional<model::Protocol> protocol;  ///< nothing: all transports
  std::optional<model::IpAddress> address;

  std::string understood;  ///< how the question was read, where that is not plain; "" = it is
  std::string headline;    ///< who holds it, in one sentence
  std::string summary;     ///< what it is and who uses it, in one sentence
  model::Verdict verdict;  ///< by what is expected
  bool expectations_loaded = false;
  Assessment assessment;

  std::vector<Hold> holds;
  std::vector<model::PublishedPort> published;
  /// Where `published` sends callers, when a listener of that port stands in another namespace of
  /// this machine: one of these may be what answers.
  std::vector<Hold> behind_published;
  /// Where an address was asked for at which nobody holds the port: who does at others.
  std::vector<Hold> at_other_addresses;
  bool somebody_holds = false;  ///< any hold but connections *to* the port elsewhere
  bool everything_seen = true;  ///< else "nobody" means no more than nobody that we can see
  Absence absence;              ///< empty when somebody holds it or a rule forwards it

  PortFacts facts;
  std::vector<Registration> registrations;
  std::vector<const model::KnownUse*> uses;
  std::vector<HandCheck> checks;

  model::CollectorReport report;
  std::vector<std::string> gaps;  ///< what could not be seen of this port, in whole sentences

  /// Exit code 1: a holder that could not be seen, a sign that asks for a look, or a finding by
  /// what is expected.
  [[nodiscard]] bool needs_attention() const {
    return assessment.level != Level::kNoConcern || verdict.is_finding();
  }
};

/// The one rule of `who` and `explain` for what was out of sight. It asks for attention where a
/// holder of this very port cannot be named, or where nobody is in sight who holds it and somebody
/// may have escaped us. Where every holder found is named, it is no matter what else is hidden.
bool has_holder(const Explanation& of);  ///< anybody, nameable or not, whose hold is not over
bool has_unnamed_holder(const Explanation& of);

/// `query` has one port, given as `port`.
Explanation explain(const PortQuery& query, uint16_t port, const ExplainInput& input);

/// The rows of a port as a person would count them: the same service on several transports is one.
std::vector<Registration> gather_registrations(std::span<const model::RegistryEntry> entries,
                                               std::optional<model::Protocol> protocol,
                                               const KnownUses& known_uses);

/// "10.0.0.5 is not an address of this machine, ...": how the question was read, or "".
std::string understood_in_words(const PortQuery& query,
                                std::span<const model::IpAddress> local_addresses);

/// Who holds the ports of `query`: one for each that somebody holds or a rule forwards, by port.
/// Only holds, rules and headline are filled in.
std::vector<Explanation> explain_holders(const PortQuery& query, const model::Inventory& inventory);

/// What of the network namespaces could not be read, in whole sentences.
std::vector<std::string> find_gaps(const model::Inventory& inventory);

/// Whether somebody who holds a port could not have escaped us. Blind spots that every look has do
/// not count; namespaces and processes that were kept from this one do.
bool sees_everything(const model::Inventory& inventory);

/// Packet filter rules of our namespace that forward callers of one of these ports.
std::vector<model::PublishedPort> find_published(const model::Inventory& inventory,
                                                 model::PortRange ports,
                                                 std::optional<model::Protocol> protocol,
                                                 const std::optional<model::IpAddress>& address);

}  // namespace ports
