#include "ports/alert_facts.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/text.h"
#include "ports/words.h"

namespace ports {
namespace {

constexpr size_t kFactsShown = 5;

std::string group_of(const model::Alert& alert) {
  // Escaped: a key is one line of a file, and a tab ends a part of it.
  return std::string(alert_rule_name(alert.rule)) + '\t' + base::escape_for_terminal(alert.program);
}

std::string key_of(const model::Alert& alert) {
  return group_of(alert) + '\t' + base::escape_for_terminal(alert.about);
}

// Several facts of one rule and program as one alert.
model::Alert together(std::vector<model::Alert> facts, uint32_t more) {
  model::Alert out = std::move(facts.front());
  if (facts.size() == 1 && more == 0) return out;
  std::vector<std::string> others;
  for (size_t i = 1; i < facts.size(); ++i) others.push_back(std::move(facts[i].about));
  out.facts = static_cast<uint32_t>(facts.size()) + more;
  const size_t hidden = others.size() > kFactsShown ? others.size() - kFactsShown : 0;
  others.resize(others.size() - hidden);
  if (hidden + more > 0) others.push_back(grouped(hidden + more) + " more");
  out.sentence += ". The same of " + listed(others);
  return out;
}

}  // namespace

AlertFacts::AlertFacts(model::AlertSettings settings, const std::vector<ToldFact>& told)
    : settings_(settings) {
  for (const ToldFact& fact : told) {
    if (seen_.size() < kFactsKept) seen_.emplace(fact.key, Seen{.time_us = fact.seen_us});
  }
}

bool AlertFacts::is_known(const model::Alert& alert) const {
  const auto found = seen_.find(key_of(alert));
  // A clock that was set back makes no fact new.
  return found != seen_.end() &&
         alert.time_us - found->second.time_us < settings_.of(alert.rule).quiet_us;
}

void AlertFacts::see(model::Alert alert) {
  if (!settings_.of(alert.rule).enabled) return;
  const bool known = is_known(alert);
  Seen& seen = seen_[key_of(alert)];
  seen.time_us = std::max(known ? seen.time_us : 0, alert.time_us);
  if (!known) seen.waiting = true;
  changed_ = true;
  if (seen_.size() > kFactsKept) forget_oldest();
  if (known) return;
  Group& group = groups_[group_of(alert)];
  if (group.waiting.size() < kFactsGathered) {
    group.waiting.push_back(std::move(alert));
  } else {
    ++group.more;
  }
}

model::Alert AlertFacts::tell(const std::string& name, Group& group) {
  const std::string prefix = name + '\t';
  for (auto at = seen_.lower_bound(prefix); at != seen_.end() && at->first.starts_with(prefix);
       ++at) {
    at->second.waiting = false;
  }
  changed_ = true;
  return together(std::exchange(group.waiting, {}), std::exchange(group.more, 0));
}

std::vector<model::Alert> AlertFacts::take(int64_t now_us) {
  std::vector<model::Alert> out;
  for (auto at = groups_.begin(); at != groups_.end();) {
    Group& group = at->second;
    // Set back by more than a group's time, the clock would hold it for as long as that.
    const bool held =
        now_us < group.held_until_us && group.held_until_us - now_us <= settings_.group_us;
    if (held) {
      ++at;
      continue;
    }
    if (group.waiting.empty()) {
      at = groups_.erase(at);
      continue;
    }
    out.push_back(tell(at->first, group));
    group.held_until_us = now_us + settings_.group_us;
    ++at;
  }
  std::ranges::sort(out, {}, &model::Alert::time_us);
  return out;
}

std::vector<model::Alert> AlertFacts::take_waiting() {
  std::vector<model::Alert> out;
  for (auto& [name, group] : groups_) {
    if (group.waiting.empty()) continue;
    out.push_back(tell(name, group));
  }
  groups_.clear();
  std::ranges::sort(out, {}, &model::Alert::time_us);
  return out;
}

void AlertFacts::forget_oldest() {
  // A tenth at once, so that who makes up facts without end does not keep us busy.
  std::vector<int64_t> times;
  times.reserve(seen_.size());
  for (const auto& [key, seen] : seen_) times.push_back(seen.time_us);
  const auto limit = times.begin() + static_cast<ptrdiff_t>(times.size() / 10);
  std::ranges::nth_element(times, limit);
  std::erase_if(seen_, [&](const auto& item) { return item.second.time_us <= *limit; });
}

std::vector<ToldFact> AlertFacts::told() const {
  std::vector<ToldFact> out;
  out.reserve(seen_.size());
  for (const auto& [key, seen] : seen_) {
    if (!seen.waiting) out.push_back({key, seen.time_us});
  }
  return out;
}

bool AlertFacts::take_changed() { return std::exchange(changed_, false); }

}  // namespace ports
