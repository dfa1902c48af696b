#include "ports/explain.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "ports/explain_range.h"
#include "ports/headline.h"
#include "ports/inventory_verdict.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::Protocol;
using model::PublishedPort;
using model::RegistryEntry;

// The ports of the target that callers of this port may get. A target range of the same size is
// mapped one to one; any other choice is the kernel's.
model::PortRange target_of(const PublishedPort& rule, uint16_t port) {
  if (rule.target_ports.first == 0) return {port, port};
  if (rule.target_ports.size() != rule.ports.size()) return rule.target_ports;
  const auto target = static_cast<uint16_t>(rule.target_ports.first + (port - rule.ports.first));
  return {target, target};
}

// What answers at the target of a rule, for all its ports.
std::vector<Hold> find_answering(const model::Inventory& inventory, const PublishedPort& rule) {
  const model::PortRange targets = rule.target_ports.first == 0 ? rule.ports : rule.target_ports;
  auto out =
      find_holds(inventory, {.ports = targets, .protocol = rule.protocol, .answering_only = true});
  // Sent to another address: what answers is in another namespace or on another machine.
  const bool elsewhere = !rule.target.is_any() && !rule.target.is_loopback();
  std::erase_if(out, [&](const Hold& hold) { return hold.own_namespace == elsewhere; });
  return out;
}

void add_behind(const PublishedPort& rule, const std::vector<Hold>& answering, Explanation& out) {
  const model::PortRange targets = target_of(rule, out.port);
  std::ranges::copy_if(answering, std::back_inserter(out.behind_published),
                       [&](const Hold& hold) { return targets.contains(hold.port); });
}

bool is_sent_on(const model::IpAddress& address, const PublishedPort& rule) {
  const model::IpAddress asked = address.unmapped();
  const model::IpAddress destination = rule.destination.unmapped();
  if (rule.destination_bits == 0 || asked.is_any()) return true;
  if (asked.family != destination.family) return false;
  for (size_t bit = 0; bit < rule.destination_bits; ++bit) {
    const unsigned mask = 0x80U >> (bit % 8);
    if ((asked.bytes[bit / 8] & mask) != (destination.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

bool is_local(const model::IpAddress& address, std::span<const model::IpAddress> local_addresses) {
  return address.is_any() || address.is_loopback() || address.is_multicast() ||
         std::ranges::any_of(local_addresses, [&](const model::IpAddress& local) {
           return local.unmapped() == address.unmapped();
         });
}

// A nameable holder in each other namespace, to enter it by; a few are enough to check by hand.
std::vector<int32_t> pids_elsewhere(const Explanation& of) {
  constexpr size_t kNamespacesEntered = 3;
  std::vector<uint32_t> entered;
  std::vector<int32_t> out;
  const auto add = [&](const Hold& hold) {
    if (hold.own_namespace || hold.programs.empty() || out.size() == kNamespacesEntered) return;
    if (std::ranges::find(entered, hold.netns) != entered.end()) return;
    entered.push_back(hold.netns);
    out.push_back(hold.programs.front().process.pid);
  };
  for (const Hold& hold : of.holds) add(hold);
  return out;
}

// That nobody was found says little when not everybody could be seen.
void judge_unseen(Explanation& out, bool caller_is_root) {
  if (out.everything_seen || out.port == 0 || has_holder(out)) return;
  if (out.assessment.level >= Level::kCannotTell) return;
  // The tables of our own namespace were read (judge_unread answers where they were not).
  const std::string why =
      out.gaps.empty()
          ? "On this command's own network nobody holds it" +
                std::string(out.address ? " at that address" : "") +
                "; a process out of our "
                "sight may have a network of its own, as containers do, and hold it there."
          : out.gaps.front();
  out.assessment.level = Level::kCannotTell;
  out.assessment.sentence = "Cannot tell. " + why;
  out.assessment.evidence.insert(
      out.assessment.evidence.begin(),
      Evidence{"view-incomplete", Leaning::kMissing, Level::kCannotTell, "", why});
  if (caller_is_root) return;
  out.assessment.next_steps.insert(
      out.assessment.next_steps.begin(),
      NextStep{"Run it again as root.", "sudo twinport explain " + std::to_string(out.port)});
}

void judge_unread(Explanation& out, const model::Inventory& inventory) {
  const bool own_unread = std::ranges::any_of(
      inventory.namespaces,
      [](const model::NetNamespace& netns) { return netns.own && !netns.tables_read; });
  if (!own_unread || out.somebody_holds) return;
  out.headline = "Cannot tell who holds port " + std::to_string(out.port) +
                 ": this machine's socket tables could not be read.";
  out.assessment.level = Level::kCannotTell;
  out.assessment.sentence = out.gaps.empty() ? out.headline : "Cannot tell. " + out.gaps.front();
  out.absence = {};
}

}  // namespace

bool has_holder(const Explanation& of) {
  return !of.behind_published.empty() || std::ranges::any_of(of.holds, [](const Hold& hold) {
    const bool over = hold.holding == model::Holding::kTimeWait ||
                      hold.holding == model::Holding::kOrphaned ||
                      hold.holding == model::Holding::kVanished;
    return hold.role != HoldRole::kRemote && !over;
  });
}

bool has_unnamed_holder(const Explanation& of) {
  const auto unnamed = [](const Hold& hold) {
    return hold.holding == model::Holding::kHidden || hold.holding == model::Holding::kUnknown ||
           hold.holding == model::Holding::kNoDescriptor;
  };
  return std::ranges::any_of(of.holds, unnamed) ||
         std::ranges::any_of(of.behind_published, unnamed);
}

std::vector<PublishedPort> find_published(const model::Inventory& inventory, model::PortRange ports,
                                          std::optional<Protocol> protocol,
                                          const std::optional<model::IpAddress>& address) {
  std::vector<PublishedPort> out;
  for (const PublishedPort& rule : inventory.published) {
    if (rule.ports.last < ports.first || ports.last < rule.ports.first) continue;
    if (protocol && rule.protocol != *protocol) continue;
    if (address && !is_sent_on(*address, rule)) continue;
    // What another namespace does with its own callers publishes nothing here.
    const auto* netns = inventory.find_namespace(rule.netns);
    if (netns != nullptr && !netns->own) continue;
    out.push_back(rule);
  }
  return out;
}

std::vector<Explanation> explain_holders(const PortQuery& query,
                                         const model::Inventory& inventory) {
  std::map<uint16_t, Explanation> ports;
  const auto add_rule = [&](const PublishedPort& rule, model::PortRange range) {
    const auto answering = find_answering(inventory, rule);
    const uint32_t last = std::min(rule.ports.last, range.last);
    for (uint32_t port = std::max(rule.ports.first, range.first); port <= last; ++port) {
      Explanation& one = ports[static_cast<uint16_t>(port)];
      one.port = static_cast<uint16_t>(port);
      one.published.push_back(rule);
      add_behind(rule, answering, one);
    }
  };
  for (const model::PortRange range : merge_ranges(query.ports)) {
    for (Hold& hold : find_holds(inventory, {range, query.protocol, query.address})) {
      Explanation& one = ports[hold.port];
      one.port = hold.port;
      one.holds.push_back(std::move(hold));
    }
    for (const PublishedPort& rule :
         find_published(inventory, range, query.protocol, query.address)) {
      add_rule(rule, range);
    }
  }
  const bool everything_seen = sees_everything(inventory);
  std::vector<Explanation> out;
  for (auto& [port, one] : ports) {
    one.protocol = query.protocol;
    one.address = query.address;
    one.everything_seen = everything_seen;
    one.headline = headline(one);
    out.push_back(std::move(one));
  }
  return out;
}

// What the collector could not see and what it means for this port. Blind spots that have nothing
// to do with one port stay in the report.
std::vector<std::string> find_gaps(const model::Inventory& inventory) {
  std::vector<std::string> out;
  size_t unread = 0;
  std::string why;
  for (const auto& netns : inventory.namespaces) {
    if (netns.tables_read) continue;
    if (netns.own) {
      out.push_back("The socket tables of this network namespace could not be read" +
                    (netns.why.empty() ? std::string(".") : ": " + netns.why + "."));
      continue;
    }
    ++unread;
    if (why.empty()) why = netns.why;
  }
  if (unread > 0) {
    out.push_back(counted(unread, "other network namespace") + " could be seen only in part" +
                  (why.empty() ? "." : " (" + why + ")."));
  }
  return out;
}

bool sees_everything(const model::Inventory& inventory) {
  return inventory.report.complete && inventory.report.processes_hidden == 0 &&
         !inventory.report.outsiders_unseen &&
         std::ranges::all_of(inventory.namespaces, &model::NetNamespace::tables_read);
}

std::vector<Registration> gather_registrations(std::span<const RegistryEntry> entries,
                                               std::optional<Protocol> protocol,
                                               const KnownUses& known_uses) {
  const auto alike = [](const RegistryEntry& left, const RegistryEntry& right) {
    return left.ports == right.ports && left.service == right.service &&
           left.description == right.description && left.assignee == right.assignee;
  };
  std::vector<Registration> out;
  for (const RegistryEntry& entry : entries) {
    if (protocol && entry.protocol != *protocol) continue;
    const auto found =
        std::ranges::find_if(out, [&](const Registration& one) { return alike(one.entry, entry); });
    if (found != out.end()) {
      found->protocols.push_back(entry.protocol);
      continue;
    }
    out.push_back({entry, {entry.protocol}, judge_ghost(entry, known_uses)});
  }
  return out;
}

std::string understood_in_words(const PortQuery& query,
                                std::span<const model::IpAddress> local_addresses) {
  std::string out;
  const auto sentence = [&](const std::string& text) { out += (out.empty() ? "" : " ") + text; };
  if (!query.ignored.empty() && !query.ports.empty()) {
    const auto words = each_in_words(query.ignored, name_in_words);
    sentence("Read as " + std::string(query.ports.front().single() ? "port " : "ports ") +
             port_in_words(query.ports.front(), query.protocol) + "; passed over " +
             listed_briefly(words, 5) + ".");
  } else if (!query.name.empty()) {
    const auto ports =
        each_in_words(query.ports, [](model::PortRange range) { return model::to_string(range); });
    sentence(name_in_words(query.name) + " is " + (ports.size() == 1 ? "port " : "ports ") +
             listed_briefly(ports, 8) + ".");
  }
  if (query.address && !local_addresses.empty() && !is_local(*query.address, local_addresses)) {
    sentence(model::to_string(*query.address) +
             " is not an address of this machine: who holds its ports can be asked only there. "
             "What follows is what this machine has to do with it.");
  }
  return out;
}

Explanation explain(const PortQuery& query, uint16_t port, const ExplainInput& input) {
  Explanation out;
  out.port = port;
  out.protocol = query.protocol;
  out.address = query.address;
  out.understood = understood_in_words(query, input.local_addresses);

  if (port != 0) {
    out.holds = find_holds(input.inventory, {{port, port}, query.protocol, query.address});
    out.published = find_published(input.inventory, {port, port}, query.protocol, query.address);
    for (const PublishedPort& rule : out.published) {
      add_behind(rule, find_answering(input.inventory, rule), out);
    }
  }
  const auto is_held = [](const Hold& hold) { return hold.role != HoldRole::kRemote; };
  out.somebody_holds = std::ranges::any_of(out.holds, is_held);
  if (query.address && !out.somebody_holds) {
    out.at_other_addresses = find_holds(input.inventory, {{port, port}, query.protocol, {}});
    std::erase_if(out.at_other_addresses,
                  [&](const Hold& hold) { return !hold.own_namespace || !is_held(hold); });
  }

  out.facts = gather_port_facts(port, input.inventory);
  out.registrations = gather_registrations(input.entries, query.protocol, input.known_uses);
  if (port != 0) out.uses = input.known_uses.find(port, query.protocol);
  out.checks = hand_checks({port, port}, query.protocol, pids_elsewhere(out));
  out.report = input.inventory.report;
  out.gaps = find_gaps(input.inventory);
  out.everything_seen = sees_everything(input.inventory);

  out.assessment =
      assess({out.holds, out.behind_published, out.published, out.uses, out.facts}, input.safety);
  out.headline = headline(out);
  out.summary = summary(out);
  // A rule of the packet filter is explanation enough.
  if (!out.somebody_holds && out.published.empty()) {
    std::string_view registered;
    for (const Registration& one : out.registrations) {
      if (registered.empty()) registered = one.entry.service;
    }
    out.absence = explain_absence(out.facts, out.uses, registered);
  }
  judge_unseen(out, input.safety.caller_is_root);
  judge_unread(out, input.inventory);
  static const std::vector<model::Expectation> kNone;
  const Judge nothing(kNone, false);
  const Judge& judge = input.judge == nullptr ? nothing : *input.judge;
  out.expectations_loaded = judge.loaded();
  const auto verdicts = judge_inventory(judge, input.inventory, input.safety.packages_known);
  out.verdict = judge_port(judge, input.inventory, verdicts, port, query.protocol);
  return out;
}

}  // namespace ports
