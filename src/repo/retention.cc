#include "repo/retention.h"

#include <algorithm>
#include <chrono>
#include <map>

namespace repo {
namespace {

constexpr int64_t kDay = 86400;
constexpr int64_t kYoungest = 7 * kDay;
// Clocks of a machine and its store differ a little.
constexpr int64_t kSlack = 300;
constexpr int64_t kLongestSilence = 92 * kDay;

int64_t floor_divide(int64_t value, int64_t by) {
  return value / by - static_cast<int64_t>(value % by < 0);
}

int64_t hour_of(int64_t local_s) { return floor_divide(local_s, 3600); }
int64_t day_of(int64_t local_s) { return floor_divide(local_s, kDay); }
// The first of January 1970 was a Thursday.
int64_t week_of(int64_t local_s) { return floor_divide(day_of(local_s) + 3, 7); }

std::chrono::year_month_day date_of(int64_t local_s) {
  return std::chrono::sys_days(std::chrono::days(day_of(local_s)));
}
int64_t month_of(int64_t local_s) {
  const auto date = date_of(local_s);
  return int64_t{int(date.year())} * 12 + unsigned(date.month());
}
int64_t year_of(int64_t local_s) { return int(date_of(local_s).year()); }

struct PeriodRule {
  uint32_t RetentionPolicy::* count;
  int64_t (*period_of)(int64_t local_s);
  const char* period;
  const char* name;
};

constexpr PeriodRule kPeriodRules[] = {
    {&RetentionPolicy::hourly, hour_of, "hour", "hourly"},
    {&RetentionPolicy::daily, day_of, "day", "daily"},
    {&RetentionPolicy::weekly, week_of, "week", "weekly"},
    {&RetentionPolicy::monthly, month_of, "month", "monthly"},
    {&RetentionPolicy::yearly, year_of, "year", "yearly"},
};

/// A source's snapshots, newest first, and what is decided of each.
struct Member {
  const RetentionCandidate* candidate = nullptr;
  RetentionDecision* decision = nullptr;

  void keep(std::string reason) const {
    decision->kept = true;
    decision->reasons.push_back(std::move(reason));
  }
};
using Group = std::vector<Member>;

void apply_safety(const Group& group, const RetentionRequest& request) {
  group.front().keep("the newest of its source");
  const auto complete =
      std::ranges::find_if(group, [](const Member& member) { return member.candidate->complete; });
  if (complete != group.end() && complete != group.begin())
    complete->keep("the newest of its source that is complete");
  for (const Member& member : group) {
    if (member.candidate->held) member.keep("held");
    if (!request.force && request.now_s - member.candidate->created_s < kYoungest)
      member.keep("younger than seven days, and no --force");
  }
}

void apply_policy(const Group& group, const RetentionRequest& request) {
  const RetentionPolicy& policy = request.policy;
  for (size_t i = 0; i < group.size() && i < policy.last; ++i) {
    group[i].keep("last " + std::to_string(i + 1) + " of " + std::to_string(policy.last));
  }
  for (const PeriodRule& rule : kPeriodRules) {
    const uint32_t wanted = policy.*rule.count;
    uint32_t found = 0;
    std::optional<int64_t> before;
    for (const Member& member : group) {
      if (found == wanted) break;
      const int64_t created = member.candidate->created_s;
      const int64_t period = rule.period_of(created + request.utc_offset_s(created));
      if (before == period) continue;
      before = period;
      ++found;
      member.keep("newest of its " + std::string(rule.period) + ", " + rule.name + " " +
                  std::to_string(found) + " of " + std::to_string(wanted));
    }
  }
  const int64_t newest = group.front().candidate->created_s;
  for (const Member& member : group) {
    if (policy.within_s != 0 && newest - member.candidate->created_s < policy.within_s)
      member.keep("within the time asked for of the newest");
    for (const std::string& tag : policy.tags) {
      if (std::ranges::find(member.candidate->tags, tag) != member.candidate->tags.end())
        member.keep("tagged " + tag);
    }
  }
}

base::Result<void> check_clock(const std::vector<RetentionCandidate>& candidates, int64_t now_s) {
  if (candidates.empty()) return {};
  const int64_t newest = std::ranges::max(candidates, {}, &RetentionCandidate::created_s).created_s;
  const char* const next =
      " Nothing was removed. Set the clock right, or say --trust-clock if it is";
  if (newest > now_s + kSlack) {
    return base::fail(base::ErrorKind::kIo,
                      "the newest snapshot is from later than this machine's clock says it is: the "
                      "clock has jumped back, or did when that was made." +
                          std::string(next));
  }
  if (now_s - newest > kLongestSilence) {
    return base::fail(base::ErrorKind::kIo,
                      "by this machine's clock the newest snapshot is " +
                          std::to_string((now_s - newest) / kDay) +
                          " days old: either no backup works any more, or the clock has jumped "
                          "ahead." +
                          next);
  }
  return {};
}

}  // namespace

base::Result<std::vector<RetentionDecision>> decide_retention(
    const std::vector<RetentionCandidate>& candidates, const RetentionRequest& request) {
  if (!request.trust_clock) {
    if (auto well = check_clock(candidates, request.now_s); !well)
      return std::unexpected(well.error());
  }
  std::vector<RetentionDecision> decisions(candidates.size());
  std::map<std::array<uint8_t, 16>, Group> groups;
  for (size_t i = 0; i < candidates.size(); ++i) {
    decisions[i] = {.name = candidates[i].name, .kept = false, .reasons = {}};
    groups[candidates[i].source].push_back(
        {.candidate = &candidates[i], .decision = &decisions[i]});
  }
  for (auto& [source, group] : groups) {
    std::ranges::sort(group, std::greater{}, [](const Member& member) {
      // Of one second, the later in the list is the newer.
      return std::pair(member.candidate->created_s, member.candidate);
    });
    apply_safety(group, request);
    if (request.named.empty()) {
      apply_policy(group, request);
      continue;
    }
    for (const Member& member : group) {
      if (!request.named.contains(member.candidate->name)) member.keep("not asked for");
    }
  }
  for (RetentionDecision& decision : decisions) {
    if (!decision.kept)
      decision.reasons.emplace_back(request.named.empty() ? "no rule keeps it" : "asked for");
  }
  return decisions;
}

}  // namespace repo
