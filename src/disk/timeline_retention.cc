#include "disk/timeline_retention.h"

#include <algorithm>
#include <array>

#include "disk/timeline_names.h"
#include "ports/timeline_match.h"

namespace disk {
namespace {

constexpr int kSegmentsPerCall = 16;
constexpr int64_t kRowsPerSweep = 16'384;
// A recorder forgets a process that it has not met for an hour; until then it may refer to it
// without saying again who it is.
constexpr int64_t kRecorderRemembersUs = int64_t{2} * 3600 * 1'000'000;

constexpr int64_t kForEverS = int64_t{1} << 40U;

bool clock_is_doubtful(const std::vector<BootClock>& clocks, const TimelineState& state) {
  const auto at = std::ranges::find(clocks, state.boot, &BootClock::boot);
  return at != clocks.end() && ports::clock_is_doubtful(at->clock, state.recorded_until);
}

}  // namespace

bool TimelineRetention::oldest(Segment& segment) {
  Statement find = database_.prepare(
      "SELECT id, first_row, rows, last_closed FROM segment WHERE boot = ?1 AND level = ?2 "
      "ORDER BY last_closed, id LIMIT 1");
  segment = {};
  const int64_t boot = database_.integer("SELECT ifnull(min(boot), 0) FROM segment");
  for (int level = 0; level < kLevels; ++level) {
    find.bind(1, boot).bind(2, level);
    if (!find.step()) continue;
    const Segment found{.id = find.integer(0),
                        .boot = boot,
                        .level = level,
                        .first_row = find.integer(1),
                        .rows = find.integer(2),
                        .last_closed = find.integer(3)};
    find.reset();
    if (segment.id == 0 || found.last_closed < segment.last_closed) segment = found;
  }
  return segment.id != 0;
}

void TimelineRetention::drop(const Segment& segment, TimelineState& state) {
  Statement rows =
      database_.prepare("DELETE FROM " + closed_table(segment.level) + " WHERE id >= ? AND id < ?");
  rows.bind(1, segment.first_row).bind(2, segment.first_row + segment.rows).run();
  database_.prepare("DELETE FROM segment WHERE id = ?").bind(1, segment.id).run();
  database_.prepare("DELETE FROM segment_ports WHERE segment = ?").bind(1, segment.id).run();
  state.closed_sockets -= segment.rows;
  if (segment.boot > state.reach_boot) {
    state.reach_boot = segment.boot;
    state.reach = segment.last_closed;
  } else if (segment.boot == state.reach_boot) {
    state.reach = std::max(state.reach, segment.last_closed);
  }
  ++dropped_since_sweep_;
}

TimelineRetention::Sizes TimelineRetention::sizes(uint64_t limit) {
  const int64_t page_size = database_.integer("PRAGMA page_size");
  const int64_t pages = database_.integer("PRAGMA page_count");
  const int64_t free = database_.integer("PRAGMA freelist_count");
  // A log that a slow reader keeps from being emptied does not shrink by dropping rows.
  const uint64_t log = std::min(files_.log_bytes(), limit / 2);
  return {.database = static_cast<uint64_t>(pages * page_size),
          .free = static_cast<uint64_t>(free * page_size),
          .log = log};
}

bool TimelineRetention::due(const Segment& segment, const Limits& limits,
                            const std::vector<BootClock>& clocks) {
  if (wall_us(clocks, segment.boot, segment.last_closed) < limits.oldest_us) return true;
  const Sizes now = sizes(limits.size_bytes);
  // The last sixteenth is for what is written until the next call.
  return now.database - now.free + now.log > limits.size_bytes - limits.size_bytes / 16;
}

TimelineRetention::Outcome TimelineRetention::work(const ports::RetentionPolicy& policy,
                                                   int64_t now_us,
                                                   const std::vector<BootClock>& clocks,
                                                   TimelineState& state) {
  Limits limits{.size_bytes = std::max(policy.size_bytes, kSmallestSizeLimit)};
  if (!clock_is_doubtful(clocks, state)) {
    limits.oldest_us = now_us - std::min(policy.age_s, kForEverS) * 1'000'000;
  }
  Outcome outcome;
  Segment segment;
  const bool any_due = oldest(segment) && due(segment, limits, clocks);
  if (any_due || sweep_ != Sweep::kNone) {
    TimelineState next = state;
    Transaction transaction(database_, Transaction::Kind::kWrite);
    outcome.more = any_due && drop_due(limits, clocks, next);
    const int64_t kept = database_.integer("SELECT count(*) FROM segment");
    if (sweep_ == Sweep::kNone && dropped_since_sweep_ >= std::max<int64_t>(1, kept / 64)) {
      begin_sweep();
    }
    sweep(clocks, next);
    write_state(next);
    transaction.commit();
    state = next;
    outcome.changed = true;
    outcome.more = outcome.more || sweep_ != Sweep::kNone;
  }
  give_back(limits.size_bytes, outcome);
  return outcome;
}

// True when there is more to drop than one call should.
bool TimelineRetention::drop_due(const Limits& limits, const std::vector<BootClock>& clocks,
                                 TimelineState& state) {
  Segment segment;
  for (int dropped = 0; oldest(segment) && due(segment, limits, clocks); ++dropped) {
    if (dropped == kSegmentsPerCall) return true;
    drop(segment, state);
  }
  return false;
}

void TimelineRetention::write_state(const TimelineState& state) {
  Statement update = database_.prepare(
      "UPDATE state SET closed_sockets = ?, processes = ?, reach_boot = ?, reach_boot_us = ?");
  update.bind(1, state.closed_sockets).bind(2, state.processes);
  update.bind(3, state.reach_boot).bind(4, state.reach).run();
}

// Pages that were freed serve new rows. They are given back only where the file is too large as it
// is, which happens when the limit was lowered.
void TimelineRetention::give_back(uint64_t limit, Outcome& outcome) {
  const Sizes now = sizes(limit);
  if (now.database + now.log > limit && now.free > 0) {
    database_.execute("PRAGMA incremental_vacuum(256)");
    outcome.more = true;
  } else if (files_.size_bytes() - files_.log_bytes() > now.database) {
    // The file itself becomes shorter only when the log is taken over. Waits for nobody.
    database_.execute("PRAGMA wal_checkpoint(PASSIVE)");
  }
}

// ---- what only dropped segments referred to ----------------------------------------------------

void TimelineRetention::begin_sweep() {
  sweep_ = Sweep::kProcesses;
  sweep_from_ = 0;
  dropped_since_sweep_ = 0;
}

std::unordered_set<int64_t> TimelineRetention::named_by_open_sockets(bool processes) {
  std::unordered_set<int64_t> ids;
  Statement rows = database_.prepare("SELECT kind, owner, creator, also_held_by FROM open_socket");
  while (rows.step()) {
    if (!processes) {
      ids.insert(rows.integer(0));
      continue;
    }
    ids.insert({rows.integer(1), rows.integer(2)});
    for (const int64_t id : decode_ids(rows.text(3))) ids.insert(id);
  }
  return ids;
}

bool TimelineRetention::sweep_table(const std::string& table, bool processes,
                                    const TimelineState& state, int64_t& dropped) {
  std::vector<int64_t> unused;
  int64_t rows = 0;
  Statement scan =
      database_.prepare("SELECT id, boot, last_used_boot_us FROM " + table +
                        " WHERE id > ? ORDER BY id LIMIT " + std::to_string(kRowsPerSweep));
  scan.bind(1, sweep_from_);
  while (scan.step()) {
    ++rows;
    sweep_from_ = scan.integer(0);
    const int64_t boot = scan.integer(1);
    const int64_t last_used = scan.integer(2) + kLastUsedSlackUs;
    const auto kept = oldest_kept_.find(boot);
    if (kept != oldest_kept_.end() && last_used >= kept->second) continue;
    if (boot == state.boot && last_used + kRecorderRemembersUs > state.recorded_until) continue;
    unused.push_back(sweep_from_);
  }
  if (!unused.empty()) {
    const auto named = named_by_open_sockets(processes);
    Statement drop = database_.prepare("DELETE FROM " + table + " WHERE id = ?");
    Statement uncount = database_.prepare(
        "UPDATE program SET processes = processes - 1 WHERE id = (SELECT program FROM process "
        "WHERE id = ?)");
    for (const int64_t id : unused) {
      if (named.contains(id)) continue;
      if (processes) uncount.bind(1, id).run();
      drop.bind(1, id).run();
      ++dropped;
    }
  }
  return rows < kRowsPerSweep;
}

void TimelineRetention::sweep(const std::vector<BootClock>& clocks, TimelineState& state) {
  oldest_kept_.clear();
  Statement kept = database_.prepare("SELECT boot, min(first_closed) FROM segment GROUP BY boot");
  while (kept.step()) oldest_kept_[kept.integer(0)] = kept.integer(1);

  int64_t dropped = 0;
  switch (sweep_) {
    case Sweep::kNone:
      return;
    case Sweep::kProcesses:
      if (sweep_table("process", true, state, dropped)) {
        sweep_ = Sweep::kKinds;
        sweep_from_ = 0;
      }
      state.processes -= dropped;
      return;
    case Sweep::kKinds:
      if (sweep_table("kind", false, state, dropped)) sweep_ = Sweep::kRest;
      return;
    case Sweep::kRest:
      break;
  }
  sweep_ = Sweep::kNone;
  database_.execute("DELETE FROM program WHERE processes <= 0");
  const int64_t reach_us = wall_us(clocks, state.reach_boot, state.reach);
  database_.prepare("DELETE FROM gap WHERE until_us < ?").bind(1, reach_us).run();
  // The boot of the reach stays: its clock tells when that was.
  for (const char* table : {"clock_step", "policy"}) {
    database_.prepare(std::string("DELETE FROM ") + table + " WHERE boot < ?")
        .bind(1, state.reach_boot)
        .run();
  }
  database_.prepare("DELETE FROM boot WHERE number < ?").bind(1, state.reach_boot).run();
}

}  // namespace disk
