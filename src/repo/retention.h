// Retention: which snapshots may go, and why each other stays. A pure function: the clock, the time
// zone and what is there come in as values. Any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/backup_tree.h"
#include "repo/index_set.h"

namespace repo {

/// How many to keep; 0 = the rule is not used.
struct RetentionPolicy {
  uint32_t last = 0;
  uint32_t hourly = 0;
  uint32_t daily = 0;
  uint32_t weekly = 0;  ///< weeks begin on Monday
  uint32_t monthly = 0;
  uint32_t yearly = 0;
  int64_t within_s = 0;  ///< counted from the newest snapshot of the source, not from now
  std::vector<std::string> tags = {};

  [[nodiscard]] bool has_rules() const {
    return last != 0 || hourly != 0 || daily != 0 || weekly != 0 || monthly != 0 || yearly != 0 ||
           within_s != 0 || !tags.empty();
  }
};

struct RetentionCandidate {
  model::ChunkId name;
  std::array<uint8_t, 16> source{};  ///< what counts together: same host, same paths
  int64_t created_s = 0;
  bool complete = true;  ///< everything could be read
  bool held = false;
  std::vector<std::string> tags = {};
};

struct RetentionRequest {
  RetentionPolicy policy;
  /// Where it is not empty, only these may go, and the policy is not asked.
  IdSet named = {};
  int64_t now_s = 0;                             ///< by the store's clock
  std::function<int64_t(int64_t)> utc_offset_s;  ///< of the local time at a time
  bool force = false;                            ///< also what is younger than seven days
  bool trust_clock = false;                      ///< even where it seems to have jumped
};

struct RetentionDecision {
  model::ChunkId name;
  bool kept = true;
  std::vector<std::string> reasons;  ///< every rule that keeps it, or why none does
};

/// One decision for each candidate, in their order, which is oldest first where stamps are equal.
/// Whatever the policy says, the newest snapshot
/// of each source stays, and its newest complete one; held ones stay; none younger than seven days
/// goes without `force`. Fails, and decides nothing, where the clock has jumped against the newest
/// stamp.
base::Result<std::vector<RetentionDecision>> decide_retention(
    const std::vector<RetentionCandidate>& candidates, const RetentionRequest& request);

}  // namespace repo
