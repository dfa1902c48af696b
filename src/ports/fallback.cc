#include "ports/fallback.h"

#include <algorithm>
#include <map>
#include <utility>

#include "model/endpoints.h"
#include "ports/explain.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::Protocol;

constexpr std::string_view kOwnName = "twinport";

// Ports of Twinport's own are no others'; what Windows alone has is not met on this system.
bool is_used_by_itself(const model::KnownUse& use, uint16_t port) {
  if (is_planned(use) || use.profile == "windows") return false;
  if (base_name(use.software) == "Twinport") return false;
  return std::ranges::any_of(
      use.ports, [&](model::PortRange range) { return range.single() && range.first == port; });
}

bool is_for_ourselves(const model::Expectation& expectation) {
  const auto& holder = expectation.holder;
  return std::ranges::any_of(holder.exes,
                             [](const std::string& exe) { return base_name(exe) == kOwnName; }) ||
         std::ranges::any_of(holder.packages,
                             [](const std::string& name) { return name == kOwnName; }) ||
         std::ranges::any_of(holder.units,
                             [](const std::string& unit) { return unit.starts_with(kOwnName); });
}

class Search {
 public:
  Search(const model::Inventory& inventory, const model::PortPolicy& policy,
         const KnownUses& known_uses, const Judge& judge, model::PortRange range)
      : policy_(policy), known_uses_(known_uses), judge_(judge) {
    PortQuery query;
    query.ports = {range};
    query.protocol = Protocol::kTcp;
    for (Explanation& one : explain_holders(query, inventory)) {
      const uint16_t port = one.port;
      held_.emplace(port, std::move(one));
    }
  }

  std::optional<PassedOverPort> why_not(uint16_t port, bool can_bind) const {
    const auto found = held_.find(port);
    const Explanation* held = found == held_.end() ? nullptr : &found->second;
    if (!can_bind) {
      return PassedOverPort{port, PassedOver::kTaken, held == nullptr ? "" : holders(*held)};
    }
    if (held != nullptr) {
      for (const model::PublishedPort& rule : held->published) {
        if (rule.outgoing_only) continue;
        return PassedOverPort{port, PassedOver::kForwarded, rule.rule};
      }
    }
    for (const model::KnownUse* use : known_uses_.find(port, Protocol::kTcp)) {
      if (!is_used_by_itself(*use, port)) continue;
      return PassedOverPort{port, PassedOver::kUsed, std::string(use->software)};
    }
    if (judge_.loaded()) {
      for (const size_t index : judge_.naming(Protocol::kTcp, port, true, "")) {
        const model::Expectation& one = judge_.expectations()[index];
        if (is_for_ourselves(one)) continue;
        return PassedOverPort{port, PassedOver::kExpected, one.why};
      }
    }
    for (const model::PortRange reserved : policy_.reserved) {
      // Who reserves 1744 with it does so for us.
      if (!reserved.contains(port) || reserved.contains(model::kDataPort)) continue;
      return PassedOverPort{port, PassedOver::kReserved, to_string(reserved)};
    }
    return std::nullopt;
  }

 private:
  static std::string holders(const Explanation& held) {
    std::vector<std::string> names;
    for (const Hold& hold : held.holds) {
      if (!hold.own_namespace || hold.role == HoldRole::kRemote) continue;
      for (const Program& program : hold.programs) {
        std::string name = process_in_words(program.process);
        if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
      }
    }
    return listed_briefly(names, 2);
  }

  const model::PortPolicy& policy_;
  const KnownUses& known_uses_;
  const Judge& judge_;
  std::map<uint16_t, Explanation> held_;
};

}  // namespace

std::string_view passed_over_name(PassedOver kind) {
  switch (kind) {
    case PassedOver::kTaken:
      return "taken";
    case PassedOver::kForwarded:
      return "forwarded";
    case PassedOver::kUsed:
      return "used";
    case PassedOver::kExpected:
      return "expected";
    case PassedOver::kReserved:
      return "reserved";
  }
  return "";
}

Fallback find_fallback(model::PortRange range, std::span<const model::BindTrial> trials,
                       const model::Inventory& inventory, const model::PortPolicy& policy,
                       const KnownUses& known_uses, const Judge& judge) {
  Fallback out{.range = range, .free = {}, .passed_over = {}};
  const Search search(inventory, policy, known_uses, judge, range);
  for (uint32_t number = range.first; number <= range.last; ++number) {
    const auto port = static_cast<uint16_t>(number);
    bool tried = false;
    bool can_bind = true;
    for (const model::BindTrial& trial : trials) {
      if (trial.at.port != port || trial.outcome == model::BindOutcome::kNoAddress) continue;
      tried = true;
      can_bind = can_bind && trial.is_free();
    }
    if (auto reason = search.why_not(port, tried && can_bind)) {
      out.passed_over.push_back(std::move(*reason));
    } else {
      out.free.push_back(port);
    }
  }
  return out;
}

}  // namespace ports
