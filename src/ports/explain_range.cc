#include "ports/explain_range.h"

#include <algorithm>
#include <bitset>
#include <iterator>
#include <map>
#include <utility>

#include "ports/words.h"

namespace ports {
namespace {

using model::PortRange;
using PortSet = std::bitset<65536>;

PortSet to_set(const std::vector<PortRange>& ranges) {
  PortSet out;
  for (const PortRange range : ranges) {
    for (uint32_t port = range.first; port <= range.last; ++port) out.set(port);
  }
  return out;
}

bool touches(PortRange left, PortRange right) {
  return left.first <= right.last && right.first <= left.last;
}

void count_classes(RangeExplanation& out, const PortSet& ports, const model::PortPolicy& policy) {
  for (uint32_t i = 0; i < ports.size(); ++i) {
    if (!ports[i]) continue;
    const auto port = static_cast<uint16_t>(i);
    ++out.size;
    switch (model::port_class(port)) {
      case model::PortClass::kSystem:
        ++out.system;
        break;
      case model::PortClass::kUser:
        ++out.user;
        break;
      case model::PortClass::kDynamic:
        ++out.dynamic;
        break;
    }
    if (policy.hands_out(port)) ++out.ephemeral;
  }
}

void count_registrations(RangeExplanation& out, const PortSet& ports) {
  PortSet registered;
  PortSet documented;
  for (const Registration& one : out.registrations) {
    if (one.entry.service.empty()) continue;
    for (uint32_t port = one.entry.ports.first; port <= one.entry.ports.last; ++port) {
      registered.set(port);
      if (!one.ghost.ghost) documented.set(port);
    }
  }
  out.registered = static_cast<uint32_t>((registered & ports).count());
  out.ghosts = static_cast<uint32_t>((registered & ~documented & ports).count());
}

std::vector<HeldPort> find_held(const PortQuery& query, const std::vector<PortRange>& ranges,
                                const ExplainInput& input) {
  std::map<uint16_t, HeldPort> held;
  for (const PortRange range : ranges) {
    const PortFilter filter{
        .ports = range, .protocol = query.protocol, .address = query.address, .without_peer = true};
    for (Hold& hold : find_holds(input.inventory, filter)) {
      held[hold.port].holds.push_back(std::move(hold));
    }
    const auto published = find_published(input.inventory, range, query.protocol, query.address);
    for (const auto& rule : published) {
      const uint32_t last = std::min(rule.ports.last, range.last);
      for (uint32_t port = std::max(rule.ports.first, range.first); port <= last; ++port) {
        held[static_cast<uint16_t>(port)].published.push_back(rule);
      }
    }
  }
  std::vector<HeldPort> out;
  for (auto& [port, one] : held) {
    one.port = port;
    const PortFacts facts = gather_port_facts(port, input.inventory);
    const auto uses = input.known_uses.find(port, query.protocol);
    one.assessment = assess({one.holds, {}, one.published, uses, facts}, input.safety);
    out.push_back(std::move(one));
  }
  return out;
}

std::string range_headline(const RangeExplanation& of) {
  const std::string ports = counted(of.size, "port");
  const auto open = static_cast<uint64_t>(std::ranges::count_if(of.held, &HeldPort::is_open));
  const uint64_t taken = of.held.size() - open;
  const std::string also_taken = taken == 0 ? std::string()
                                            : "; " + grouped(taken) +
                                                  (taken == 1 ? " more is" : " more are") +
                                                  " taken without listening";
  if (open == 0) {
    const std::string but =
        taken == 0 ? std::string()
                   : "; " + grouped(taken) + (taken == 1 ? " is" : " are") + " taken all the same";
    if (!of.everything_seen) {
      return "Nobody that we can see listens on any of these " + ports + but +
             "; not all of this machine could be read.";
    }
    return "Nobody listens on any of these " + ports + " on this machine now" + but + ".";
  }
  const auto worst = std::ranges::max_element(
      of.held, {}, [](const HeldPort& held) { return held.assessment.level; });
  const std::string out = (of.everything_seen ? "" : "At least ") + counted(open, "port") + " of " +
                          ports + (open == 1 ? " is" : " are") + " open on this machine" +
                          also_taken;
  if (worst->assessment.level == Level::kNoConcern) {
    const bool weaker_signs = std::ranges::any_of(of.held, [](const HeldPort& held) {
      return std::ranges::any_of(held.assessment.evidence, [](const Evidence& evidence) {
        return evidence.leaning == Leaning::kAgainst;
      });
    });
    return out +
           (weaker_signs ? "; no clear sign against " : "; nothing looked at speaks against ") +
           (of.held.size() == 1 ? "it" : "them") +
           (weaker_signs ? ", weaker ones are listed below." : ".");
  }
  const auto asking = std::ranges::count_if(
      of.held, [](const HeldPort& held) { return held.assessment.level != Level::kNoConcern; });
  return out + ", and " +
         counted(static_cast<uint64_t>(asking), "of them asks for a look",
                 "of them ask for a look") +
         ".";
}

}  // namespace

std::vector<PortRange> merge_ranges(std::vector<PortRange> ranges) {
  std::ranges::sort(ranges, {}, &PortRange::first);
  std::vector<PortRange> out;
  for (const PortRange range : ranges) {
    if (!out.empty() && range.first <= uint32_t{out.back().last} + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

bool HeldPort::is_open() const {
  return !published.empty() || std::ranges::any_of(holds, &Hold::answers);
}

bool RangeExplanation::needs_attention() const {
  const bool some_without_holder = held.size() < size;
  return (some_without_holder && !everything_seen) ||
         std::ranges::any_of(
             held, [](const HeldPort& one) { return one.assessment.level != Level::kNoConcern; });
}

RangeExplanation explain_range(const PortQuery& query, const ExplainInput& input) {
  RangeExplanation out;
  out.ports = merge_ranges(query.ports);
  out.protocol = query.protocol;
  out.understood = understood_in_words(query, input.local_addresses);
  const PortSet ports = to_set(out.ports);
  model::PortPolicy policy;
  for (const auto& netns : input.inventory.namespaces) {
    if (netns.own) policy = netns.policy;
  }
  count_classes(out, ports, policy);
  out.held = find_held(query, out.ports, input);
  out.registrations = gather_registrations(input.entries, query.protocol, input.known_uses);
  count_registrations(out, ports);
  for (const model::KnownUse& use : input.known_uses.all()) {
    const bool here = std::ranges::any_of(use.ports, [&](PortRange mine) {
      return std::ranges::any_of(out.ports, [&](PortRange asked) { return touches(mine, asked); });
    });
    const bool same_transport =
        !query.protocol || use.protocols.empty() ||
        std::ranges::find(use.protocols, *query.protocol) != use.protocols.end();
    if (here && same_transport) out.uses.push_back(&use);
  }
  for (const PortRange range : out.ports) {
    std::ranges::move(hand_checks(range, query.protocol), std::back_inserter(out.checks));
  }
  out.report = input.inventory.report;
  out.gaps = find_gaps(input.inventory);
  out.everything_seen = sees_everything(input.inventory);
  out.headline = range_headline(out);
  return out;
}

}  // namespace ports
