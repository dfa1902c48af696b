#include "ports/learn.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "format/expectation_toml.h"
#include "format/toml_subset.h"
#include "ports/safety.h"
#include "ports/verdict.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::Expectation;
using model::PortRange;
using model::Presence;
using model::Protocol;

constexpr PortRange kAllPorts{1, 65535};
constexpr PortRange kUserPorts{1024, 65535};
// Restarts and upgrades take it away for moments.
constexpr double kAlwaysShare = 0.95;

// A service keeps its name; scopes (log-ins) and transient services (systemd-run) do not.
bool names_a_service(std::string_view unit) {
  return unit.ends_with(".service") && !unit.starts_with("run-") && !unit.starts_with("user@") &&
         format::can_be_written(unit);
}

bool is_session(std::string_view unit) {
  return unit.starts_with("session-") && unit.ends_with(".scope");
}

std::string scope_of(const Subject& subject) {
  for (const std::string_view scope : {"loopback", "any"}) {
    if (within(subject, {*format::parse_scope(scope)}) &&
        (scope == "loopback" || subject.local.address.is_any())) {
      return std::string(scope);
    }
  }
  return to_string(subject.local.address.unmapped());
}

std::vector<model::Scope> scopes_of(const std::set<std::string>& texts) {
  if (texts.contains("any")) return {model::Scope{}};
  std::vector<model::Scope> out;
  for (const std::string& text : texts) {
    // Every other scope includes loopback.
    if (text == "loopback" && texts.size() > 1) continue;
    if (const auto scope = format::parse_scope(text)) out.push_back(*scope);
  }
  if (out.size() > format::kTomlMaxListItems) return {model::Scope{}};
  return out;
}

// Neighbours become ranges only where they would not fit one by one: a range need not be open.
std::vector<std::vector<PortRange>> lists_of(const std::vector<uint16_t>& ports) {
  std::vector<std::vector<PortRange>> out;
  for (const uint16_t port : ports) {
    if (out.empty() || out.back().size() == format::kTomlMaxListItems) out.emplace_back();
    out.back().push_back({port, port});
  }
  return out;
}

std::vector<std::string> remarks_on(const SubjectHolder& holder, const model::HolderRule& rule) {
  std::vector<std::string> out;
  if (!holder.exe) return out;
  if (odd_place(*holder.exe) != OddPlace::kNone) {
    out.emplace_back("Look at this one: its program lies where programs should not.");
  }
  if (is_relay(*holder.exe)) {
    out.emplace_back("Look at this one: its program passes data on to somewhere else.");
  }
  if (is_interpreter(*holder.exe) && rule.units.empty() && rule.containers.empty()) {
    out.emplace_back("This allows any script of this user.");
  }
  return out;
}

// Two transports of one service are one expectation.
void join_transports(std::vector<LearnedExpectation>& all) {
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = i + 1; j < all.size();) {
      Expectation other = all[j].expectation;
      const auto protocols = other.protocols;
      other.protocols = all[i].expectation.protocols;
      other.why = all[i].expectation.why;
      if (!same_meaning(all[i].expectation, other)) {
        ++j;
        continue;
      }
      std::ranges::copy(protocols, std::back_inserter(all[i].expectation.protocols));
      all.erase(all.begin() + static_cast<ptrdiff_t>(j));
    }
  }
}

}  // namespace

bool Learner::is_meant(const Subject& subject) const {
  if (subject.protocol == Protocol::kRaw || subject.local.port == 0) return false;
  if (subject.own_namespace) return true;
  return options_.other_namespaces && !subject.netns.empty() &&
         format::can_be_written(subject.netns);
}

std::optional<Learner::HolderKey> Learner::key_of(const SubjectHolder& holder, bool with_unit) {
  Holder found;
  model::HolderRule& rule = found.rule;
  if (holder.kernel) {
    rule.exes = {model::kKernelExe};
  } else {
    if (holder.exe && !holder.exe_as_called && format::can_be_written(*holder.exe)) {
      rule.exes = {*holder.exe};
    }
    if (!holder.container.empty() && format::can_be_written(holder.container)) {
      rule.containers = {holder.container};
    }
    for (const std::string& unit : holder.units) {
      found.in_session |= is_session(unit);
      if (with_unit && names_a_service(unit)) rule.units = {unit};
    }
    if (holder.uid) {
      const bool named = !holder.user.empty() && format::can_be_written(holder.user);
      rule.users = {named ? holder.user : std::to_string(*holder.uid)};
    }
  }
  // A user alone would take in whatever that user starts; a file of another tree needs its tree.
  if ((rule.exes.empty() && rule.units.empty()) ||
      (holder.exe_elsewhere && rule.containers.empty())) {
    ++unnamed_;
    return std::nullopt;
  }
  HolderKey key;
  for (const auto* names : {&rule.exes, &rule.containers, &rule.units, &rule.users}) {
    key.push_back(names->empty() ? std::string() : names->front());
  }
  found.example = holder;
  holders_.try_emplace(key, std::move(found));
  return key;
}

void Learner::add(const Subject& subject, const std::optional<model::TimeWindow>& life) {
  if (!is_meant(subject)) return;
  const bool outgoing =
      subject.role == SubjectRole::kOutgoing || subject.role == SubjectRole::kUdpMaybe;
  // The kernel's own UDP sockets (WireGuard, VXLAN) are servers, whatever their port.
  const bool kernels = !subject.holders.empty() && subject.holders.front().kernel;
  if (outgoing && !kernels) {
    const bool to_itself = subject.remote.address.is_loopback() ||
                           (subject.remote.port != 0 &&
                            subject.remote.address.unmapped() == subject.local.address.unmapped());
    if (!options_.outgoing || to_itself) return;
  } else if (subject.role != SubjectRole::kOpen && !kernels) {
    return;
  }
  if (!subject.unseen.empty() || subject.holders.empty()) {
    ++unseen_;
    return;
  }
  for (const SubjectHolder& holder : subject.holders) {
    const auto key = key_of(holder, !outgoing || kernels);
    if (!key) continue;
    const OpenKey at{subject.own_namespace ? std::string() : subject.netns, *key, subject.protocol};
    if (outgoing && !kernels) {
      outgoing_[at].insert(subject.remote.port);
      continue;
    }
    PortUse& use = open_[at][subject.local.port];
    use.scopes.insert(scope_of(subject));
    if (life) {
      use.lives.push_back(*life);
    } else {
      use.open_now = true;
    }
  }
}

void Learner::add_open(const Subject& subject) { add(subject, std::nullopt); }

void Learner::add_life(const Subject& subject, int64_t opened_us,
                       std::optional<int64_t> closed_us) {
  add(subject, model::TimeWindow{std::max(opened_us, options_.window.from_us),
                                 closed_us.value_or(options_.window.until_us)});
}

void Learner::add_published(const model::PublishedPort& published,
                            const model::NetNamespace* netns) {
  if (netns != nullptr && !netns->own) return;
  LearnedExpectation out;
  Expectation& one = out.expectation;
  one.protocols = {published.protocol};
  one.ports = {{std::max<uint16_t>(published.ports.first, 1), published.ports.last}};
  one.presence = Presence::kSometimes;
  one.published = true;
  one.scopes = {model::Scope{}};
  if (published.outgoing_only) {
    one.scopes = {model::Scope{.kind = model::ScopeKind::kLoopback, .network = {}, .bits = 0}};
  } else if (published.destination_bits != 0) {
    const auto scope = format::parse_scope(to_string(published.destination) + "/" +
                                           std::to_string(published.destination_bits));
    if (scope) one.scopes = {*scope};
  }
  if (format::can_be_written(published.rule) &&
      published.rule.size() < format::kExpectationMaxText / 2) {
    one.why = "Sent elsewhere by " + published.rule;
  }
  const auto same = [&](const LearnedExpectation& other) {
    return same_meaning(other.expectation, one);
  };
  if (std::ranges::none_of(published_, same)) published_.push_back(std::move(out));
}

// Whether some of these ports were open one after another: then they are chosen anew each time.
bool Learner::varies(const std::vector<const PortUse*>& ports) {
  int64_t first_end_us = INT64_MAX;
  int64_t last_begin_us = INT64_MIN;
  for (const PortUse* use : ports) {
    int64_t from_us = INT64_MAX;
    int64_t until_us = INT64_MIN;
    for (const model::TimeWindow life : use->lives) {
      from_us = std::min(from_us, life.from_us);
      until_us = std::max(until_us, life.until_us);
    }
    if (use->lives.empty()) continue;
    first_end_us = std::min(first_end_us, until_us);
    last_begin_us = std::max(last_begin_us, from_us);
  }
  return first_end_us < last_begin_us;
}

std::optional<PortRange> Learner::chosen_from(const std::map<uint16_t, PortUse>& ports) const {
  std::vector<const PortUse*> ephemeral;
  std::vector<const PortUse*> other;
  for (const auto& [port, use] : ports) {
    if (port >= kUserPorts.first) {
      (options_.policy.hands_out(port) ? ephemeral : other).push_back(&use);
    }
  }
  if (other.size() > kOpenPortsNamed && varies(other)) return kUserPorts;
  if (varies(ephemeral)) return options_.policy.ephemeral;
  return std::nullopt;
}

bool Learner::is_always_there(const PortUse& use, const Holder& holder) const {
  if (!use.open_now || holder.in_session) return false;
  if (use.lives.empty()) return true;
  std::vector<model::TimeWindow> lives = use.lives;
  std::ranges::sort(lives, {}, &model::TimeWindow::from_us);
  int64_t open_us = 0;
  int64_t until_us = lives.front().from_us;
  for (const model::TimeWindow life : lives) {
    const int64_t from_us = std::max(life.from_us, until_us);
    if (life.until_us <= from_us) continue;
    open_us += life.until_us - from_us;
    until_us = life.until_us;
  }
  const int64_t known_us = options_.window.until_us - lives.front().from_us;
  return static_cast<double>(open_us) >= kAlwaysShare * static_cast<double>(known_us);
}

std::string Learner::purpose_of(Protocol protocol, uint16_t port, const Holder& holder) const {
  if (!holder.example.exe) return {};
  model::Process process;
  process.exe = *holder.example.exe;
  process.exe_elsewhere = holder.example.exe_elsewhere;
  process.package = holder.example.package.value_or("");
  for (const model::KnownUse* use : known_uses_.find(port, protocol)) {
    if (!is_usual_holder(*use, process)) continue;
    std::string out(use->software);
    if (!use->role.empty()) out.append(": ").append(use->role);
    return out;
  }
  return {};
}

std::vector<LearnedExpectation> Learner::finish_open() const {
  std::vector<LearnedExpectation> out;
  for (const auto& [open_key, ports] : open_) {
    const auto& key = open_key;
    const Holder& holder = holders_.at(key.holder);
    const auto emit = [&](std::vector<PortRange> ranges, const std::set<std::string>& scopes,
                          Presence presence, std::string why) {
      LearnedExpectation one;
      one.expectation.protocols = {key.protocol};
      one.expectation.ports = std::move(ranges);
      one.expectation.scopes = scopes_of(scopes);
      one.expectation.holder = holder.rule;
      one.expectation.presence = presence;
      one.expectation.netns = key.netns;
      one.expectation.why = std::move(why);
      one.remarks = remarks_on(holder.example, holder.rule);
      out.push_back(std::move(one));
    };
    const std::optional<PortRange> chosen = chosen_from(ports);
    std::set<std::string> chosen_scopes;
    std::map<std::tuple<std::set<std::string>, Presence, std::string>, std::vector<uint16_t>> alike;
    for (const auto& [port, use] : ports) {
      if (chosen && chosen->contains(port)) {
        chosen_scopes.insert(use.scopes.begin(), use.scopes.end());
        continue;
      }
      const Presence presence =
          is_always_there(use, holder) ? Presence::kAlways : Presence::kSometimes;
      alike[{use.scopes, presence, purpose_of(key.protocol, port, holder)}].push_back(port);
    }
    for (const auto& [what, same] : alike) {
      const auto& [scopes, presence, why] = what;
      for (auto& list : lists_of(same)) emit(std::move(list), scopes, presence, why);
    }
    if (chosen) {
      emit({*chosen}, chosen_scopes, Presence::kSometimes,
           *chosen == options_.policy.ephemeral ? "Ports that the kernel chooses"
                                                : "Ports that the program chooses");
    }
  }
  return out;
}

std::vector<LearnedExpectation> Learner::finish_outgoing() const {
  std::vector<LearnedExpectation> out;
  for (const auto& [key, ports] : outgoing_) {
    const Holder& holder = holders_.at(key.holder);
    LearnedExpectation one;
    one.expectation.outgoing = true;
    one.expectation.protocols = {key.protocol};
    one.expectation.scopes = {model::Scope{}};
    one.expectation.holder = holder.rule;
    one.expectation.presence = Presence::kSometimes;
    one.expectation.netns = key.netns;
    if (ports.contains(0) || ports.size() > kRemotePortsNamed) {
      one.expectation.ports = {kAllPorts};
    } else {
      for (const uint16_t port : ports) one.expectation.ports.push_back({port, port});
    }
    one.remarks = remarks_on(holder.example, holder.rule);
    out.push_back(std::move(one));
  }
  return out;
}

Learned Learner::finish() const {
  Learned out;
  std::vector<LearnedExpectation> open = finish_open();
  std::ranges::copy(published_, std::back_inserter(open));
  std::ranges::sort(open, {}, [](const LearnedExpectation& one) {
    const Expectation& it = one.expectation;
    return std::tie(it.ports.front().first, it.ports.front().last, it.protocols, it.netns,
                    it.holder.exes, it.holder.units, it.holder.containers, it.holder.users, it.why);
  });
  std::vector<LearnedExpectation> outgoing = finish_outgoing();
  join_transports(open);
  join_transports(outgoing);
  out.expectations = std::move(open);
  std::ranges::move(outgoing, std::back_inserter(out.expectations));
  if (unseen_ > 0) {
    out.left_out.push_back(counted(unseen_, "socket") + (unseen_ == 1 ? " was" : " were") +
                           " left out: who holds " + (unseen_ == 1 ? "it" : "them") +
                           " could not be seen.");
  }
  if (unnamed_ > 0) {
    out.left_out.push_back(
        counted(unnamed_, "holder") + (unnamed_ == 1 ? " was" : " were") +
        " left out: the file of the program could not be read, or cannot be written as text.");
  }
  return out;
}

}  // namespace ports
