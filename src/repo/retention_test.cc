#include "repo/retention.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace {

using repo::RetentionCandidate;
using repo::RetentionRequest;

constexpr int64_t kDay = 86400;
constexpr int64_t kNow = 20'000 * kDay;  // 2024-10-04, a Friday

RetentionCandidate at(uint8_t number, int64_t created_s, uint8_t source = 1) {
  RetentionCandidate out;
  out.name.bytes[0] = number;
  out.source[0] = source;
  out.created_s = created_s;
  return out;
}

RetentionRequest request_of(repo::RetentionPolicy policy) {
  return {.policy = std::move(policy), .named = {}, .now_s = kNow, .utc_offset_s = [](int64_t) {
            return 0;
          }};
}

/// Numbers of those that stay.
std::vector<int> kept(const std::vector<RetentionCandidate>& candidates,
                      const RetentionRequest& request) {
  const auto decisions = decide_retention(candidates, request);
  if (!decisions) ADD_FAILURE() << decisions.error().message;
  std::vector<int> out;
  for (const auto& decision : decisions.value_or(std::vector<repo::RetentionDecision>{})) {
    EXPECT_FALSE(decision.reasons.empty());
    if (decision.kept) out.push_back(decision.name.bytes[0]);
  }
  return out;
}

/// One a day, number 0 the newest.
std::vector<RetentionCandidate> daily(int count) {
  std::vector<RetentionCandidate> out;
  for (int i = 0; i < count; ++i) out.push_back(at(static_cast<uint8_t>(i), kNow - i * kDay - 60));
  return out;
}

TEST(Retention, KeepsTheLastOnes) {
  RetentionRequest request = request_of({.last = 3});
  request.force = true;
  EXPECT_EQ(kept(daily(10), request), (std::vector{0, 1, 2}));
}

TEST(Retention, NoneYoungerThanSevenDaysGoesUnlessForced) {
  EXPECT_EQ(kept(daily(10), request_of({.last = 1})), (std::vector{0, 1, 2, 3, 4, 5, 6}));
}

TEST(Retention, KeepsTheNewestOfEachPeriod) {
  std::vector<RetentionCandidate> candidates;
  // Three a day for twenty days; of each day the first in this list is the newest.
  for (int i = 0; i < 60; ++i)
    candidates.push_back(at(static_cast<uint8_t>(i), kNow - 1 - i * kDay / 3));
  RetentionRequest request = request_of({.daily = 3});
  request.force = true;
  EXPECT_EQ(kept(candidates, request), (std::vector{0, 3, 6}));
  request.policy = {.weekly = 2};  // a week begins on Monday, which was four days ago
  EXPECT_EQ(kept(candidates, request), (std::vector{0, 12}));
}

TEST(Retention, CountsDaysInLocalTime) {
  const std::vector<RetentionCandidate> candidates = {at(0, kNow - 1), at(1, kNow - 3600 - 1)};
  RetentionRequest request = request_of({.daily = 2});
  request.force = true;
  EXPECT_EQ(kept(candidates, request), (std::vector{0}));
  // Half an hour east of Greenwich the younger is of another day.
  request.utc_offset_s = [](int64_t) { return 1800; };
  EXPECT_EQ(kept(candidates, request), (std::vector{0, 1}));
}

TEST(Retention, WithinCountsFromTheNewestSoThatAJumpingClockTakesNothing) {
  RetentionRequest request = request_of({.within_s = 3 * kDay});
  request.force = true;
  request.trust_clock = true;
  request.now_s = kNow + 9000 * kDay;
  EXPECT_EQ(kept(daily(10), request), (std::vector{0, 1, 2}));
}

TEST(Retention, KeepsWhatIsTaggedHeldNewestAndNewestComplete) {
  auto candidates = daily(20);
  candidates[0].complete = candidates[1].complete = false;
  candidates[9].held = true;
  candidates[15].tags = {"yearly"};
  RetentionRequest request = request_of({.tags = {"yearly"}});
  request.force = true;
  EXPECT_EQ(kept(candidates, request), (std::vector{0, 2, 9, 15}));
}

TEST(Retention, SourcesDoNotCountTogether) {
  auto candidates = daily(10);
  candidates.push_back(at(99, kNow - 400 * kDay, 2));
  RetentionRequest request = request_of({.last = 1});
  request.force = true;
  EXPECT_EQ(kept(candidates, request), (std::vector{0, 99}));
}

TEST(Retention, OfNamedOnesOnlyThoseGoAndNotTheNewest) {
  const auto candidates = daily(12);
  RetentionRequest request = request_of({});
  request.named = {candidates[0].name, candidates[3].name, candidates[9].name};
  const auto decisions = decide_retention(candidates, request);
  ASSERT_TRUE(decisions);
  for (size_t i = 0; i < decisions->size(); ++i) EXPECT_EQ((*decisions)[i].kept, i != 9) << i;
}

TEST(Retention, OfOneSecondTheLastInTheListIsTheNewest) {
  const std::vector<RetentionCandidate> candidates = {at(9, kNow - 5), at(1, kNow - 5),
                                                      at(5, kNow - 5)};
  RetentionRequest request = request_of({.last = 1});
  request.force = true;
  EXPECT_EQ(kept(candidates, request), (std::vector{5}));
}

TEST(Retention, HaltsWhenTheClockJumped) {
  RetentionRequest request = request_of({.last = 1});
  for (const int64_t now : {kNow - kDay, kNow + 100 * kDay}) {
    request.now_s = now;
    request.trust_clock = false;
    EXPECT_FALSE(decide_retention(daily(10), request)) << now;
    request.trust_clock = true;
    EXPECT_TRUE(decide_retention(daily(10), request)) << now;
  }
}

std::vector<RetentionCandidate> any_candidates() {
  std::vector<RetentionCandidate> out;
  const int count = *rc::gen::inRange(0, 40);
  for (int i = 0; i < count; ++i) {
    auto& candidate = out.emplace_back(at(static_cast<uint8_t>(i),
                                          kNow - *rc::gen::inRange<int64_t>(0, 90 * kDay),
                                          static_cast<uint8_t>(*rc::gen::inRange(1, 4))));
    candidate.complete = *rc::gen::inRange(0, 4) != 0;
    candidate.held = *rc::gen::inRange(0, 10) == 0;
  }
  return out;
}

RetentionRequest any_request() {
  RetentionRequest request = request_of({});
  for (const auto count : {&repo::RetentionPolicy::last, &repo::RetentionPolicy::hourly,
                           &repo::RetentionPolicy::daily, &repo::RetentionPolicy::weekly,
                           &repo::RetentionPolicy::monthly, &repo::RetentionPolicy::yearly})
    request.policy.*count = *rc::gen::inRange(0U, 6U);
  request.policy.within_s = *rc::gen::inRange<int64_t>(0, 20 * kDay);
  request.force = *rc::gen::arbitrary<bool>();
  request.trust_clock = true;
  return request;
}

RC_GTEST_PROP(Retention, NoPolicyBreaksTheSafetyRules, ()) {
  const auto candidates = any_candidates();
  const RetentionRequest request = any_request();
  const auto decisions = decide_retention(candidates, request);
  RC_ASSERT(decisions.has_value());
  RC_ASSERT(decisions->size() == candidates.size());
  std::map<uint8_t, int64_t> newest_left;
  std::map<uint8_t, int64_t> newest;
  std::map<uint8_t, bool> complete_left;
  std::map<uint8_t, bool> complete;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const RetentionCandidate& candidate = candidates[i];
    const bool kept = (*decisions)[i].kept;
    RC_ASSERT(!(*decisions)[i].reasons.empty());
    if (candidate.held) RC_ASSERT(kept);
    if (!request.force && candidate.created_s > kNow - 7 * kDay) RC_ASSERT(kept);
    const uint8_t source = candidate.source[0];
    newest[source] = std::max(newest[source], candidate.created_s);
    complete[source] |= candidate.complete;
    if (!kept) continue;
    newest_left[source] = std::max(newest_left[source], candidate.created_s);
    complete_left[source] |= candidate.complete;
  }
  RC_ASSERT(newest == newest_left);
  RC_ASSERT(complete == complete_left);
}

RC_GTEST_PROP(Retention, WhatStaysStaysWhenAskedAgain, ()) {
  const auto candidates = any_candidates();
  const RetentionRequest request = any_request();
  const auto first = decide_retention(candidates, request);
  RC_ASSERT(first.has_value());
  std::vector<RetentionCandidate> left;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if ((*first)[i].kept) left.push_back(candidates[i]);
  }
  const auto second = decide_retention(left, request);
  RC_ASSERT(second.has_value());
  for (const auto& decision : *second) RC_ASSERT(decision.kept);
}

RC_GTEST_PROP(Retention, AskingToKeepMoreNeverKeepsLess, ()) {
  const auto candidates = any_candidates();
  RetentionRequest request = any_request();
  const auto less = decide_retention(candidates, request);
  ++request.policy.last;
  request.policy.daily += 2;
  ++request.policy.monthly;
  request.policy.within_s += kDay;
  const auto more = decide_retention(candidates, request);
  RC_ASSERT(less.has_value() && more.has_value());
  for (size_t i = 0; i < less->size(); ++i) RC_ASSERT(!(*less)[i].kept || (*more)[i].kept);
}

}  // namespace
