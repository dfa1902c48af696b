#include "ports/verdict.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ports/holder_fit.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::Expectation;
using model::Scope;
using model::ScopeKind;
using model::Verdict;
using model::VerdictKind;

// include/net/flow.h: LOOPBACK_IFINDEX, in every network namespace.
constexpr uint32_t kLoopbackInterface = 1;

uint32_t port_key(model::Protocol protocol, uint16_t port) {
  return uint32_t{static_cast<uint8_t>(protocol)} << 16U | port;
}

std::string port_of(const Subject& subject) {
  return port_in_words({subject.local.port, subject.local.port}, subject.protocol);
}

std::string peer_of(const Subject& subject) {
  return to_string(model::Endpoint{subject.remote.address.unmapped(), subject.remote.port}) + "/" +
         std::string(protocol_name(subject.protocol));
}

// "", or " for "Remote log-in"".
std::string purpose(const Expectation& one) {
  return one.why.empty() ? std::string() : " for \"" + one.why + "\"";
}

std::string scopes_in_words(const std::vector<Scope>& scopes) {
  return listed(each_in_words(scopes, [](const Scope& scope) { return to_string(scope); }), "or");
}

std::string reach_in_words(const Subject& subject) {
  if (subject.local.address.is_any()) return "to every address of this machine";
  return "on " + to_string(subject.local.address);
}

std::string holders_in_words(const Subject& subject) {
  if (subject.holders.empty()) return "nobody that we can see";
  return listed_briefly(
      each_in_words(subject.holders, [](const SubjectHolder& one) { return one.words; }), 2);
}

bool covers_family(const std::vector<Scope>& scopes, model::Family family) {
  return std::ranges::any_of(scopes, [family](const Scope& scope) {
    return scope.kind == ScopeKind::kAny ||
           (scope.kind == ScopeKind::kNetwork && scope.bits == 0 && scope.network.family == family);
  });
}

bool covers(const std::vector<Scope>& scopes, const model::IpAddress& address) {
  return std::ranges::any_of(scopes, [&](const Scope& scope) { return scope.covers(address); });
}

// What one process' holding comes to, by the expectation that is kindest to it.
struct HolderVerdict {
  VerdictKind kind = VerdictKind::kImpostor;
  std::optional<size_t> expectation;
  std::string obstacle;
  int kindness = -1;
};

// Of the verdicts on a socket's processes the worst counts.
int badness(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kImpostor:
      return 3;
    case VerdictKind::kUnknown:
      return 2;
    case VerdictKind::kWider:
      return 1;
    default:
      return 0;
  }
}

// Where a rule may allow it as it stands, "wider" would claim to know that none does.
int kindness_of(VerdictKind kind, bool inside) {
  switch (kind) {
    case VerdictKind::kExpected:
      return 4;
    case VerdictKind::kUnknown:
      return inside ? 3 : 1;
    case VerdictKind::kWider:
      return 2;
    default:
      return 0;
  }
}

HolderVerdict judge_by(const Expectation& one, const SubjectHolder& holder, bool inside) {
  HolderVerdict out;
  if (one.published && one.holder.anybody()) {
    out.obstacle = "holds it, where only the packet filter may send it elsewhere";
  } else {
    HolderFit fit = fit_holder(one.holder, holder);
    out.obstacle = std::move(fit.obstacle);
    if (fit.fit == Fit::kYes) out.kind = inside ? VerdictKind::kExpected : VerdictKind::kWider;
    if (fit.fit == Fit::kUnknown) out.kind = VerdictKind::kUnknown;
  }
  out.kindness = kindness_of(out.kind, inside);
  return out;
}

HolderVerdict judge_holder(const SubjectHolder& holder, const std::vector<Expectation>& all,
                           const std::vector<size_t>& naming, const Subject& subject) {
  HolderVerdict best;
  for (const size_t i : naming) {
    HolderVerdict found = judge_by(all[i], holder, within(subject, all[i].scopes));
    if (found.kindness <= best.kindness) continue;
    best = std::move(found);
    best.expectation = i;
  }
  return best;
}

}  // namespace

bool within(const Subject& subject, const std::vector<Scope>& scopes) {
  if (subject.interface == kLoopbackInterface) return !scopes.empty();
  const model::IpAddress& address = subject.local.address;
  if (!address.is_any()) return covers(scopes, address);
  if (!covers_family(scopes, address.family)) return false;
  return address.family == model::Family::kIpv4 || !subject.takes_both_families ||
         covers_family(scopes, model::Family::kIpv4);
}

Judge::Judge(const std::vector<Expectation>& expectations, bool loaded)
    : expectations_(expectations), loaded_(loaded) {
  for (size_t i = 0; i < expectations_.size(); ++i) {
    const Expectation& one = expectations_[i];
    judges_outgoing_ |= one.outgoing;
    if (one.outgoing) continue;
    bool has_range = false;
    for (const model::PortRange ports : one.ports) {
      has_range |= !ports.single();
      if (!ports.single()) continue;
      for (const auto protocol : one.protocols) {
        by_port_[port_key(protocol, ports.first)].push_back(i);
      }
    }
    if (has_range) ranges_.push_back(i);
  }
}

bool Judge::needs_packages() const {
  return std::ranges::any_of(expectations_,
                             [](const auto& one) { return !one.holder.packages.empty(); });
}

bool Judge::speaks_of(bool own_namespace, const std::string& netns) const {
  return own_namespace || std::ranges::any_of(expectations_, [&](const Expectation& one) {
           return !one.netns.empty() && one.netns == netns;
         });
}

std::vector<size_t> Judge::naming(model::Protocol protocol, uint16_t port, bool own_namespace,
                                  const std::string& netns) const {
  std::vector<size_t> out;
  const auto add = [&](size_t i) {
    const Expectation& one = expectations_[i];
    const bool here = one.netns.empty() ? own_namespace : one.netns == netns;
    if (here && std::ranges::find(out, i) == out.end()) out.push_back(i);
  };
  if (const auto found = by_port_.find(port_key(protocol, port)); found != by_port_.end()) {
    std::ranges::for_each(found->second, add);
  }
  for (const size_t i : ranges_) {
    if (expectations_[i].covers(protocol, port)) add(i);
  }
  return out;
}

bool Judge::allows(const Expectation& expectation, const SubjectHolder& holder) {
  return !(expectation.published && expectation.holder.anybody()) &&
         fit_holder(expectation.holder, holder).fit == Fit::kYes;
}

Verdict Judge::judge(const Subject& subject) const {
  if (!loaded_) return {VerdictKind::kUnjudged, "no expectations are loaded", {}};
  if (subject.protocol == model::Protocol::kRaw) {
    return {VerdictKind::kUnjudged, "a raw socket has no port", {}};
  }
  if (!speaks_of(subject.own_namespace, subject.netns)) {
    return {VerdictKind::kUnjudged, "no expectation names its network namespace", {}};
  }
  if (subject.local.port == 0) return {VerdictKind::kUnjudged, "it has no port", {}};
  switch (subject.role) {
    case SubjectRole::kNotInUse:
      return {VerdictKind::kUnjudged, subject.unseen, {}};
    case SubjectRole::kServed:
      return {VerdictKind::kUnjudged, "it came in through a listener, which is judged for it", {}};
    case SubjectRole::kOutgoing:
      return judge_outgoing(subject);
    case SubjectRole::kUdpMaybe:
      return judge_udp(subject);
    case SubjectRole::kBoundOnly:
      return judge_bound(subject);
    case SubjectRole::kOpen:
      break;
  }
  return judge_open(subject);
}

Verdict Judge::judge_open(const Subject& subject) const {
  const std::string port = port_of(subject);
  const auto naming =
      this->naming(subject.protocol, subject.local.port, subject.own_namespace, subject.netns);
  if (naming.empty()) {
    return {VerdictKind::kUnexpected,
            "no expectation names " + port + ", which " + holders_in_words(subject) +
                (subject.holders.size() > 1 ? " hold open " : " holds open ") +
                reach_in_words(subject),
            {}};
  }
  HolderVerdict worst{
      .kind = VerdictKind::kExpected, .expectation = naming.front(), .obstacle = {}};
  const SubjectHolder* culprit = nullptr;
  for (const SubjectHolder& holder : subject.holders) {
    HolderVerdict one = judge_holder(holder, expectations_, naming, subject);
    if (culprit != nullptr && badness(one.kind) <= badness(worst.kind)) continue;
    worst = std::move(one);
    culprit = &holder;
  }
  const bool unseen = culprit == nullptr || !subject.unseen.empty();
  if (unseen && worst.kind != VerdictKind::kImpostor) {
    return {VerdictKind::kUnknown,
            port + " is expected, but " +
                (subject.unseen.empty() ? "who holds it could not be seen" : subject.unseen),
            worst.expectation};
  }
  const Expectation& rule = expectations_[*worst.expectation];
  switch (worst.kind) {
    case VerdictKind::kImpostor:
      return {
          worst.kind,
          port + " is expected" + purpose(rule) + ", but " + culprit->words + " " + worst.obstacle,
          worst.expectation};
    case VerdictKind::kUnknown:
      return {worst.kind, port + " is expected, but of " + culprit->words + ": " + worst.obstacle,
              worst.expectation};
    case VerdictKind::kWider:
      return {worst.kind,
              holders_in_words(subject) + " may hold " + port + " for " +
                  scopes_in_words(rule.scopes) + ", and holds it open " + reach_in_words(subject),
              worst.expectation};
    default:
      return {VerdictKind::kExpected,
              holders_in_words(subject) + " may hold " + port + purpose(rule), worst.expectation};
  }
}

// It takes no calls, so by itself it opens nothing; but it may keep the rightful holder away.
Verdict Judge::judge_bound(const Subject& subject) const {
  if (naming(subject.protocol, subject.local.port, subject.own_namespace, subject.netns).empty()) {
    return {VerdictKind::kUnjudged, "it is bound and takes no calls", {}};
  }
  Subject on_loopback = subject;  // nobody reaches it, whatever it is bound to
  on_loopback.interface = kLoopbackInterface;
  return judge_open(on_loopback);
}

Verdict Judge::judge_udp(const Subject& subject) const {
  const auto naming =
      this->naming(subject.protocol, subject.local.port, subject.own_namespace, subject.netns);
  const bool named_by_number = std::ranges::any_of(naming, [&](size_t i) {
    return std::ranges::any_of(expectations_[i].ports, [&](model::PortRange ports) {
      return ports.single() && ports.first == subject.local.port;
    });
  });
  if (!naming.empty()) {
    Verdict as_open = judge_open(subject);
    if (named_by_number || as_open.kind == VerdictKind::kExpected) return as_open;
  }
  return judge_outgoing(subject);
}

Verdict Judge::judge_outgoing(const Subject& subject) const {
  const bool has_peer = subject.remote.port != 0;
  const bool to_itself =
      has_peer && (subject.remote.address.is_loopback() ||
                   subject.remote.address.unmapped() == subject.local.address.unmapped());
  if (to_itself) return {VerdictKind::kTransient, "it talks with this machine itself", {}};
  if (!judges_outgoing_) {
    return {VerdictKind::kUnjudged, "no expectation says who may talk to others", {}};
  }
  if (!subject.unseen.empty() || subject.holders.empty()) {
    return {VerdictKind::kUnknown,
            subject.unseen.empty() ? "who holds it could not be seen" : subject.unseen,
            {}};
  }
  const std::string where = has_peer ? peer_of(subject) : std::string("others by UDP");
  std::optional<size_t> rule;
  std::string not_seen;
  for (const SubjectHolder& holder : subject.holders) {
    const OutgoingFit fit = fit_outgoing(subject, holder);
    if (fit.rule) {
      rule = fit.rule;
    } else if (!fit.obstacle.empty()) {
      not_seen = "of " + holder.words + ": " + fit.obstacle;
    } else {
      return {VerdictKind::kUnexpected,
              fit.elsewhere ? holder.words + " may talk to others, but not to " + where
                            : "no expectation lets " + holder.words + " talk to " + where,
              {}};
    }
  }
  if (!not_seen.empty()) return {VerdictKind::kUnknown, not_seen, {}};
  return {VerdictKind::kTransient,
          holders_in_words(subject) + " may talk to " + where + purpose(expectations_[*rule]),
          rule};
}

Judge::OutgoingFit Judge::fit_outgoing(const Subject& subject, const SubjectHolder& holder) const {
  OutgoingFit out;
  for (size_t i = 0; i < expectations_.size(); ++i) {
    const Expectation& one = expectations_[i];
    const bool here = one.netns.empty() ? subject.own_namespace : one.netns == subject.netns;
    if (!one.outgoing || !here) continue;
    HolderFit fit = fit_holder(one.holder, holder);
    out.elsewhere |= fit.fit == Fit::kYes;
    const bool goes_there =
        subject.remote.port != 0
            ? one.covers(subject.protocol, subject.remote.port) &&
                  covers(one.scopes, subject.remote.address)
            : std::ranges::find(one.protocols, subject.protocol) != one.protocols.end();
    if (!goes_there || fit.fit == Fit::kNo) continue;
    if (fit.fit == Fit::kYes) {
      out.rule = i;
      return out;
    }
    if (out.obstacle.empty()) out.obstacle = std::move(fit.obstacle);
  }
  return out;
}

Verdict Judge::judge(const model::PublishedPort& published,
                     const model::NetNamespace* netns) const {
  if (!loaded_) return {VerdictKind::kUnjudged, "no expectations are loaded", {}};
  const bool own = netns == nullptr || netns->own;
  const std::string name = netns == nullptr ? std::string() : netns->name;
  if (!speaks_of(own, name)) {
    return {VerdictKind::kUnjudged, "no expectation names its network namespace", {}};
  }
  const std::string port = port_in_words(published.ports, published.protocol);
  const std::string sent = "the packet filter sends it elsewhere (" + published.rule + ")";
  std::optional<size_t> for_a_holder;
  std::optional<size_t> too_wide;
  for (const size_t i : naming(published.protocol, published.ports.first, own, name)) {
    const Expectation& one = expectations_[i];
    const bool whole = std::ranges::any_of(one.ports, [&](model::PortRange ports) {
      return ports.contains(published.ports.first) && ports.contains(published.ports.last);
    });
    if (!whole) continue;
    if (!one.published) {
      for_a_holder = for_a_holder.value_or(i);
      continue;
    }
    const bool inside = std::ranges::any_of(one.scopes, [&](const Scope& scope) {
      if (scope.kind == ScopeKind::kAny || published.outgoing_only) return true;
      return scope.kind == ScopeKind::kNetwork && scope.bits <= published.destination_bits &&
             published.destination_bits != 0 && scope.covers(published.destination);
    });
    if (inside)
      return {VerdictKind::kExpected,
              "the packet filter may send " + port + " elsewhere" + purpose(one), i};
    too_wide = too_wide.value_or(i);
  }
  if (too_wide) {
    return {VerdictKind::kWider,
            port + " may be sent elsewhere for " +
                scopes_in_words(expectations_[*too_wide].scopes) + ", and " + sent +
                " for more than that",
            too_wide};
  }
  if (for_a_holder) {
    return {VerdictKind::kImpostor,
            port + " is expected" + purpose(expectations_[*for_a_holder]) + ", but " + sent,
            for_a_holder};
  }
  return {VerdictKind::kUnexpected, "no expectation names " + port + ", and " + sent, {}};
}

}  // namespace ports
