#include "ports/nft_walk.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/text.h"
#include "format/xt_extension.h"
#include "ports/nft_choices.h"
#include "ports/nft_traffic.h"

namespace ports {
namespace {

using format::NftRule;
using model::Family;
using model::IpAddress;
using model::PortRange;

constexpr int kDeepestJump = 32;            // the kernel's own limit is 16
constexpr size_t kMostPublished = 100'000;  // more is an attack or a mistake of ours
constexpr uint32_t kMostTargets = 8;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

/// Where a destination NAT sends packets.
struct NatTarget {
  std::optional<IpAddress> first_address;  ///< nothing = unchanged
  std::optional<IpAddress> last_address;
  std::optional<PortRange> ports;  ///< nothing = unchanged
};

std::string chain_label(uint8_t family, const std::string& table, const std::string& chain) {
  return std::string(nft_family_name(family)) + " " + table + " " + chain;
}

class Walk {
 public:
  Walk(const format::NftRuleset& ruleset, uint32_t netns, uint32_t step_limit);
  model::PublishedPorts run();

 private:
  using Key = std::tuple<uint8_t, std::string_view, std::string_view>;

  /// One rule met by one kind of traffic.
  struct Encounter {
    const NftRule& rule;
    const Traffic& entry;
    int depth;
    ProtocolPorts taken;     ///< what certainly does not go on to the next rule
    ProtocolPorts returned;  ///< what may go back to the chain that jumped here
  };

  ProtocolPorts walk_chain(const Key& chain, Traffic traffic, int depth);
  void follow(Encounter& encounter, size_t at, NftPath path);
  bool step(Encounter& encounter, const format::NftExpression& expression, NftPath& path);
  void compare(NftPath& path, const format::NftCompare& compare);
  void choose(Encounter& encounter, size_t at, const NftPath& path,
              const format::NftLookup& lookup);
  void conclude(Encounter& encounter, const NftPath& path, const format::NftVerdict& verdict);
  void demand_match(NftPath& path, const format::NftExtension& match);
  void translate(Encounter& encounter, const NftPath& path, const format::NftNat& nat);
  void redirect(Encounter& encounter, const NftPath& path, const format::NftRedirect& redirect);
  bool hit_target(Encounter& encounter, const NftPath& path, const format::NftExtension& target);
  std::optional<PortRange> constant_ports(const NftPath& path, uint8_t min, uint8_t max,
                                          bool& known);
  void take(Encounter& encounter, const Traffic& traffic);
  void publish(Encounter& encounter, const Traffic& traffic, const NatTarget& target);
  void publish_to(const NftRule& rule, const Traffic& traffic, Family family,
                  const IpAddress& address, PortRange target_ports);
  void add(model::PublishedPort port);
  void count_unclear(const NftRule& rule);
  std::vector<std::string> blind_spots() const;

  const format::NftRuleset& ruleset_;
  uint32_t netns_;
  uint32_t steps_left_;
  bool overrun_ = false;
  bool outgoing_ = false;
  std::map<Key, std::vector<const NftRule*>> rules_;
  std::map<Key, const format::NftSet*> sets_;
  std::map<std::string, std::set<const NftRule*>> unclear_;  ///< by chain
  std::set<std::string> known_;                              ///< what was published already
  std::vector<model::PublishedPort> published_;
};

Walk::Walk(const format::NftRuleset& ruleset, uint32_t netns, uint32_t step_limit)
    : ruleset_(ruleset), netns_(netns), steps_left_(step_limit) {
  for (const auto& rule : ruleset.rules) {
    rules_[Key(rule.family, rule.table, rule.chain)].push_back(&rule);
  }
  for (const auto& set : ruleset.sets) sets_[Key(set.family, set.table, set.name)] = &set;
}

model::PublishedPorts Walk::run() {
  std::vector<const format::NftChain*> bases;
  for (const auto& chain : ruleset_.chains) {
    const bool dormant = std::ranges::any_of(ruleset_.tables, [&](const format::NftTable& table) {
      return table.dormant && table.family == chain.family && table.name == chain.table;
    });
    const bool translates = chain.type == "nat" &&
                            (chain.hook == NF_INET_PRE_ROUTING || chain.hook == NF_INET_LOCAL_OUT);
    if (translates && !dormant) bases.push_back(&chain);
  }
  // What comes from outside first: the same rules usually serve both, and then say no more.
  std::ranges::sort(bases, {}, [](const format::NftChain* chain) {
    return std::tuple(chain->hook, chain->priority, chain->family, chain->table, chain->name);
  });
  for (const auto* base : bases) {
    outgoing_ = base->hook == NF_INET_LOCAL_OUT;
    Traffic traffic;
    if (base->family == NFPROTO_IPV4) traffic.family = Family::kIpv4;
    if (base->family == NFPROTO_IPV6) traffic.family = Family::kIpv6;
    walk_chain(Key(base->family, base->table, base->name), std::move(traffic), 0);
  }
  return {.ports = std::move(published_), .blind_spots = blind_spots()};
}

// Answers what may come back to the caller.
ProtocolPorts Walk::walk_chain(const Key& chain, Traffic traffic, int depth) {
  ProtocolPorts returned;
  const auto rules = rules_.find(chain);
  if (depth > kDeepestJump) overrun_ = true;
  if (rules == rules_.end() || depth > kDeepestJump) return traffic.ports;
  for (const NftRule* rule : rules->second) {
    if (traffic.ports.empty() || overrun_) break;
    Encounter encounter{
        .rule = *rule, .entry = traffic, .depth = depth, .taken = {}, .returned = {}};
    follow(encounter, 0, NftPath(traffic));
    returned = returned.united_with(encounter.returned);
    traffic.ports = traffic.ports.without(encounter.taken);
  }
  return returned.united_with(traffic.ports);
}

void Walk::follow(Encounter& encounter, size_t at, NftPath path) {
  const auto& expressions = encounter.rule.expressions;
  for (; at < expressions.size() && !path.traffic.ports.empty(); ++at) {
    if (steps_left_ == 0) {
      overrun_ = true;
      return;
    }
    --steps_left_;
    if (const auto* lookup = std::get_if<format::NftLookup>(&expressions[at])) {
      choose(encounter, at + 1, path, *lookup);
      return;
    }
    if (!step(encounter, expressions[at], path)) return;
  }
}

// Applies one expression; false when the packets' way through the rule ends with it.
bool Walk::step(Encounter& encounter, const format::NftExpression& expression, NftPath& path) {
  return std::visit(
      Overloaded{
          [&](const format::NftPayload& load) { return path.load(load), true; },
          [&](const format::NftMeta& load) { return path.load(load), true; },
          [&](const format::NftFib& load) { return path.load(load), true; },
          [&](const format::NftLoad& load) { return path.load(load), true; },
          [&](const format::NftBitwise& bitwise) { return path.load(bitwise), true; },
          [&](const format::NftCompare& comparison) { return compare(path, comparison), true; },
          [&](const format::NftRange& range) {
            if (range.operation == NFT_RANGE_EQ) {
              path.demand(range.from, range.first, range.last);
            } else {
              path.demand_not(range.from, range.first, range.last);
            }
            return true;
          },
          [&](const format::NftLookup&) { return true; },
          [&](const format::NftImmediate& immediate) {
            if (immediate.data.verdict) {
              conclude(encounter, path, *immediate.data.verdict);
              return false;
            }
            path.set_constant(immediate.to, immediate.data.bytes);
            return true;
          },
          [&](const format::NftNat& nat) { return translate(encounter, path, nat), false; },
          [&](const format::NftRedirect& to) { return redirect(encounter, path, to), false; },
          [&](const format::NftCondition& condition) {
            path.traffic.add_condition(condition.name);
            return true;
          },
          [&](const format::NftExtension& extension) {
            if (extension.is_target) return hit_target(encounter, path, extension);
            demand_match(path, extension);
            return true;
          },
          [&](const format::NftUnknown& unknown) {
            path.forget_registers(unknown.name);
            path.traffic.add_condition(unknown.name);
            return true;
          },
      },
      expression);
}

void Walk::compare(NftPath& path, const format::NftCompare& compare) {
  const std::string& bytes = compare.bytes;
  const std::string least(bytes.size(), '\0');
  const std::string most(bytes.size(), '\xFF');
  const bool alone = path.is_port_alone(compare.from, bytes.size());
  if (compare.operation == NFT_CMP_EQ) {
    path.demand(compare.from, bytes, bytes);
  } else if (compare.operation == NFT_CMP_NEQ) {
    path.demand_not(compare.from, bytes, bytes);
  } else if (alone && compare.operation == NFT_CMP_LTE) {
    path.demand(compare.from, least, bytes);
  } else if (alone && compare.operation == NFT_CMP_GT) {
    path.demand_not(compare.from, least, bytes);
  } else if (alone && compare.operation == NFT_CMP_GTE) {
    path.demand(compare.from, bytes, most);
  } else if (alone && compare.operation == NFT_CMP_LT) {
    path.demand_not(compare.from, bytes, most);
  } else {
    path.demand_something(compare.from, bytes.size());
  }
}

// A look-up in a set or map: packets may go on in as many ways as it has elements.
void Walk::choose(Encounter& encounter, size_t at, const NftPath& path,
                  const format::NftLookup& lookup) {
  const auto found = sets_.find(Key(encounter.rule.family, encounter.rule.table, lookup.set));
  if (found == sets_.end()) {
    NftPath blind = path;
    blind.traffic.unclear = true;
    follow(encounter, at, std::move(blind));
    return;
  }
  const std::vector<NftChoice> choices = nft_choices(*found->second);
  steps_left_ -= std::min(steps_left_, static_cast<uint32_t>(choices.size()));
  const bool is_map = (found->second->flags & (NFT_SET_MAP | NFT_SET_OBJECT)) != 0;
  size_t size = 0;
  for (const NftChoice& choice : choices) size = std::max(size, choice.first.size());
  const bool alone =
      path.is_port_alone(lookup.from, size) || path.is_protocol_alone(lookup.from, size);
  // What none of the elements takes: the rest of an inverted look-up, and of a catch-all.
  NftPath rest = path;
  for (const NftChoice& choice : choices) {
    if (alone && !choice.catchall) rest.demand_not(lookup.from, choice.first, choice.last);
  }
  if (!alone) rest.demand_something(lookup.from, size);
  if (lookup.inverted) {
    follow(encounter, at, std::move(rest));
    return;
  }
  if (!is_map && path.is_port_alone(lookup.from, size)) {
    // One way for all ports together.
    NftPath together = path;
    for (size_t i = 0; i < together.traffic.ports.sets.size(); ++i) {
      PortSet& set = together.traffic.ports.sets[i];
      set = set.without(rest.traffic.ports.sets[i]);
    }
    follow(encounter, at, std::move(together));
    return;
  }
  if (!is_map && !path.matters(lookup.from, size)) {
    follow(encounter, at, std::move(rest));
    return;
  }
  for (const NftChoice& choice : choices) {
    NftPath one = choice.catchall ? rest : path;
    if (!choice.catchall) one.demand(lookup.from, choice.first, choice.last);
    if (one.traffic.ports.empty() || overrun_) continue;
    if (choice.data->verdict) {
      conclude(encounter, one, *choice.data->verdict);
      continue;
    }
    if (lookup.to != format::kNoRegister) one.set_constant(lookup.to, choice.data->bytes);
    follow(encounter, at, std::move(one));
  }
}

void Walk::conclude(Encounter& encounter, const NftPath& path, const format::NftVerdict& verdict) {
  const Traffic& traffic = path.traffic;
  const bool certain = traffic.is_all_of_its_ports_in(encounter.entry);
  ProtocolPorts back;
  switch (verdict.code) {
    case NFT_CONTINUE:
    case NFT_BREAK:
      return;
    case NFT_RETURN:
      back = traffic.ports;
      encounter.returned = encounter.returned.united_with(back);
      break;
    case NFT_GOTO:
    case NFT_JUMP: {
      const Key target(encounter.rule.family, encounter.rule.table, verdict.chain);
      back = walk_chain(target, traffic, encounter.depth + 1);
      if (verdict.code == NFT_GOTO) {
        encounter.returned = encounter.returned.united_with(back);
      } else if (certain) {
        encounter.taken = encounter.taken.united_with(traffic.ports.without(back));
      }
      if (verdict.code == NFT_JUMP) return;
      break;
    }
    default:
      break;
  }
  if (certain) encounter.taken = encounter.taken.united_with(traffic.ports);
}

void Walk::demand_match(NftPath& path, const format::NftExtension& extension) {
  const format::XtMatch match = format::decode_xt_match(extension);
  Traffic& traffic = path.traffic;
  traffic.unclear = traffic.unclear || match.unclear;
  if (match.protocol) traffic.keep_protocols({static_cast<uint8_t>(*match.protocol)});
  if (match.ports) {
    const PortSet set(*match.ports);
    traffic.keep_ports(match.inverted ? set.complement() : set);
  }
  if (match.conditional) traffic.add_condition("match " + extension.name);
}

// The ports that two registers hold. `known` becomes false when they hold something else.
std::optional<PortRange> Walk::constant_ports(const NftPath& path, uint8_t min, uint8_t max,
                                              bool& known) {
  if (min == format::kNoRegister) return std::nullopt;
  const auto first = path.constant(min, 2);
  const auto last = path.constant(max == format::kNoRegister ? min : max, 2);
  if (!first || !last) {
    known = false;
    return std::nullopt;
  }
  const auto number = [](const std::string& bytes) {
    return static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) << 8U |
                                 static_cast<uint8_t>(bytes[1]));
  };
  const PortRange out{number(*first), number(*last)};
  known = known && out.first <= out.last;
  return out;
}

void Walk::translate(Encounter& encounter, const NftPath& path, const format::NftNat& nat) {
  if (nat.type != NFT_NAT_DNAT) return take(encounter, path.traffic);
  Traffic traffic = path.traffic;
  // In a table of both families, packets of the other one pass by.
  if (nat.family == NFPROTO_IPV4) traffic.keep_family(Family::kIpv4);
  if (nat.family == NFPROTO_IPV6) traffic.keep_family(Family::kIpv6);
  NatTarget target;
  bool known = (nat.flags & (NF_NAT_RANGE_NETMAP | NF_NAT_RANGE_PROTO_OFFSET)) == 0;
  target.ports = constant_ports(path, nat.port_min, nat.port_max, known);
  if (nat.address_min != format::kNoRegister) {
    const bool is_v4 = nat.family == NFPROTO_IPV4;
    const auto read = [&](uint8_t from) -> std::optional<IpAddress> {
      const auto bytes = path.constant(from, is_v4 ? 4 : 16);
      if (!bytes) return std::nullopt;
      IpAddress out = IpAddress::any(is_v4 ? Family::kIpv4 : Family::kIpv6);
      std::ranges::copy(*bytes, out.bytes.begin());
      return out;
    };
    target.first_address = read(nat.address_min);
    target.last_address =
        read(nat.address_max == format::kNoRegister ? nat.address_min : nat.address_max);
    known = known && target.first_address && target.last_address;
  }
  if (known) {
    publish(encounter, traffic, target);
  } else {
    count_unclear(encounter.rule);
  }
  take(encounter, traffic);
}

void Walk::redirect(Encounter& encounter, const NftPath& path,
                    const format::NftRedirect& redirect) {
  NatTarget target;
  bool known = true;
  target.ports = constant_ports(path, redirect.port_min, redirect.port_max, known);
  if (known) {
    publish(encounter, path.traffic, target);
  } else {
    count_unclear(encounter.rule);
  }
  take(encounter, path.traffic);
}

// False when the target takes the packets; other targets than NAT let them pass as far as we know.
bool Walk::hit_target(Encounter& encounter, const NftPath& path,
                      const format::NftExtension& extension) {
  const format::XtTarget target = format::decode_xt_target(extension, encounter.rule.family);
  if (target.kind == format::XtTarget::Kind::kOther) return true;
  if (target.kind == format::XtTarget::Kind::kUnclear) {
    count_unclear(encounter.rule);
  } else {
    publish(encounter, path.traffic,
            {.first_address = target.first_address,
             .last_address = target.last_address,
             .ports = target.ports});
  }
  take(encounter, path.traffic);
  return false;
}

void Walk::take(Encounter& encounter, const Traffic& traffic) {
  if (!traffic.is_all_of_its_ports_in(encounter.entry)) return;
  encounter.taken = encounter.taken.united_with(traffic.ports);
}

void Walk::publish(Encounter& encounter, const Traffic& traffic, const NatTarget& target) {
  if (traffic.unclear) return count_unclear(encounter.rule);
  const PortRange ports = target.ports.value_or(PortRange{0, 0});
  if (!target.first_address) {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      if (traffic.family.value_or(family) != family) continue;
      publish_to(encounter.rule, traffic, family, IpAddress::any(family), ports);
    }
    return;
  }
  const IpAddress& first = *target.first_address;
  if (traffic.family.value_or(first.family) != first.family) return;
  // A short range of addresses takes turns.
  IpAddress address = first;
  const IpAddress& last = target.last_address.value_or(first);
  std::vector<IpAddress> addresses{address};
  const size_t final_byte = first.family == Family::kIpv4 ? 3 : 15;
  while (address != last && addresses.size() <= kMostTargets && address.bytes[final_byte] < 0xFF) {
    ++address.bytes[final_byte];
    addresses.push_back(address);
  }
  if (address != last || addresses.size() > kMostTargets) return count_unclear(encounter.rule);
  for (const IpAddress& each : addresses) {
    publish_to(encounter.rule, traffic, first.family, each, ports);
  }
}

void Walk::publish_to(const NftRule& rule, const Traffic& traffic, Family family,
                      const IpAddress& address, PortRange target_ports) {
  std::string conditions;
  for (const std::string& condition : traffic.conditions) {
    if (!conditions.empty()) conditions += ", ";
    conditions += condition;
  }
  for (size_t i = 0; i < kPortProtocols.size(); ++i) {
    const bool is_usual =
        kPortProtocols[i] == model::Protocol::kTcp || kPortProtocols[i] == model::Protocol::kUdp;
    // A rule for every protocol is of interest for the two that every machine has.
    if (!traffic.protocol_known && !is_usual) continue;
    for (const PortRange range : traffic.ports.sets[i].ranges()) {
      model::PublishedPort port;
      port.netns = netns_;
      port.protocol = kPortProtocols[i];
      port.ports = range;
      port.destination =
          traffic.destination_bits == 0 ? IpAddress::any(family) : traffic.destination;
      port.destination_bits = traffic.destination_bits;
      port.target = address;
      port.target_ports = target_ports;
      port.outgoing_only = outgoing_;
      port.conditions = conditions;
      port.rule = chain_label(rule.family, rule.table, rule.chain);
      add(std::move(port));
    }
  }
}

void Walk::add(model::PublishedPort port) {
  if (published_.size() >= kMostPublished) {
    overrun_ = true;
    return;
  }
  const std::string key = std::string(model::protocol_name(port.protocol)) + " " +
                          to_string(port.ports) + " " + to_string(port.destination) + "/" +
                          std::to_string(port.destination_bits) + " " + to_string(port.target) +
                          " " + to_string(port.target_ports) + " " + port.rule;
  // Connections of our own that go the way of those from outside say nothing new.
  if (outgoing_ && known_.contains(key)) return;
  const bool is_new = known_.insert(key + "\n" + port.conditions).second;
  if (!outgoing_) known_.insert(key);
  if (is_new) published_.push_back(std::move(port));
}

void Walk::count_unclear(const NftRule& rule) {
  unclear_[chain_label(rule.family, rule.table, rule.chain)].insert(&rule);
}

std::vector<std::string> Walk::blind_spots() const {
  std::vector<std::string> out;
  for (const auto& [chain, rules] : unclear_) {
    std::string sentence = std::to_string(rules.size());
    sentence += rules.size() == 1 ? " destination NAT rule" : " destination NAT rules";
    sentence += " of chain ";
    sentence += base::escape_for_terminal(chain);
    sentence +=
        " could not be understood, so ports sent elsewhere may be missing here (nft list chain ";
    sentence += base::escape_for_terminal(chain);
    sentence += " shows the rules).";
    out.push_back(std::move(sentence));
  }
  if (overrun_) {
    out.emplace_back(
        "The packet filter has more ways through its rules than were followed, so ports sent "
        "elsewhere may be missing here (nft list ruleset shows the rules).");
  }
  return out;
}

}  // namespace

const char* nft_family_name(uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    default:
      return "other";
  }
}

model::PublishedPorts find_published_ports(const format::NftRuleset& ruleset, uint32_t netns,
                                           uint32_t step_limit) {
  return Walk(ruleset, netns, step_limit).run();
}

}  // namespace ports
