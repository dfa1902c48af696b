#include "testkit/memory_timeline.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include "ports/timeline_match.h"

namespace testkit {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

auto rank(const model::RecordedSocket& socket) {
  return std::tuple(socket.boot, socket.opened_boot_us, socket.closed_boot_us.value_or(kNever),
                    socket.cookie);
}

bool same_policy(const model::PortPolicy& left, const model::PortPolicy& right) {
  return left.ephemeral == right.ephemeral && left.reserved == right.reserved &&
         left.unprivileged_start == right.unprivileged_start;
}

}  // namespace

base::Result<ports::TimelineWriter::Boot> MemoryTimeline::begin_boot(const std::string& boot_id,
                                                                     int64_t boot_time_us) {
  Boot boot{.number = boot_ids_.empty() ? 1 : boot_ids_.rbegin()->first + 1,
            .next_process_id = processes_.empty() ? 1 : processes_.rbegin()->first + 1,
            .recorded_until_boot_us = recorded_until_.boot_us,
            .recorded_until_us = wall_us(recorded_until_)};
  for (const auto& [number, id] : boot_ids_) {
    if (id != boot_id) continue;
    boot.number = number;
    return boot;
  }
  boot_ids_[boot.number] = boot_id;
  clocks_[boot.number].add({0, boot_time_us});
  return boot;
}

base::Result<ports::LeftOpen> MemoryTimeline::open_sockets() {
  ports::LeftOpen left;
  std::set<int64_t> ids;
  for (const auto& [cookie, socket] : open_) {
    left.sockets.push_back(with_wall_times(socket));
    ids.insert({socket.owner, socket.creator});
    ids.insert(socket.also_held_by.begin(), socket.also_held_by.end());
  }
  for (const int64_t id : ids) {
    if (const auto process = processes_.find(id); process != processes_.end())
      left.processes.push_back(process->second);
  }
  return left;
}

base::Result<void> MemoryTimeline::write(const ports::TimelineBatch& batch) {
  if (auto failure = std::exchange(error, std::nullopt)) return std::unexpected(*failure);
  if (!boot_ids_.contains(batch.boot)) {
    return base::fail(base::ErrorKind::kUsage, "write to the timeline: boot " +
                                                   std::to_string(batch.boot) + " was not begun");
  }
  auto& clock = clocks_[batch.boot];
  for (const auto& step : batch.clock_steps) {
    const auto& steps = clock.steps();
    const bool same = !steps.empty() &&
                      std::abs(steps.back().wall_minus_boot_us - step.wall_minus_boot_us) < 1000;
    if (!same) clock.add(step);
  }
  put_policy(batch);
  for (const auto& process : batch.processes) processes_[process.id] = process;
  for (const auto& socket : batch.closed) end(socket);
  for (const auto& socket : batch.opened) open_[socket.cookie] = socket;
  for (const auto& gap : batch.gaps) put_gap(gap);
  recorded_until_ = {batch.boot, batch.recorded_until_boot_us};
  if (reach_.boot == 0) {
    reach_ = {batch.boot, batch.clock_steps.empty() ? batch.recorded_until_boot_us
                                                    : batch.clock_steps.front().since_boot_us};
  }
  return {};
}

void MemoryTimeline::end(model::RecordedSocket socket) {
  if (!socket.closed_boot_us) socket.closed_boot_us = socket.opened_boot_us;
  socket.opened_boot_us = std::min(socket.opened_boot_us, *socket.closed_boot_us);
  closed_.push_back(socket);
  if (!ends_what_was_open(socket.role)) return;
  const auto at = open_.find(socket.cookie);
  if (at != open_.end() && at->second.boot == socket.boot) open_.erase(at);
}

void MemoryTimeline::put_policy(const ports::TimelineBatch& batch) {
  if (!batch.policy.known) return;
  const bool first = policies_.empty() || policies_.back().boot != batch.boot;
  if (!first && same_policy(policies_.back().policy, batch.policy)) return;
  policies_.push_back({batch.boot, first ? 0 : batch.recorded_until_boot_us, batch.policy});
}

void MemoryTimeline::put_gap(const model::RecordedGap& gap) {
  for (auto last = gaps_.rbegin(); last != gaps_.rend(); ++last) {
    if (last->kind != gap.kind) continue;
    if (!ports::goes_on(*last, gap)) break;
    last->until_us = std::max(last->until_us, gap.until_us);
    last->lost += gap.lost;
    return;
  }
  gaps_.push_back(gap);
}

base::Result<bool> MemoryTimeline::retain(const ports::RetentionPolicy& policy, int64_t now_us) {
  if (ports::clock_is_doubtful(clocks_[recorded_until_.boot], recorded_until_.boot_us))
    return false;
  const int64_t oldest_us = now_us - policy.age_s * 1'000'000;
  std::erase_if(closed_, [&](const auto& socket) {
    const Moment closed{socket.boot, *socket.closed_boot_us};
    if (wall_us(closed) >= oldest_us) return false;
    if (std::pair(reach_.boot, reach_.boot_us) < std::pair(closed.boot, closed.boot_us)) {
      reach_ = closed;
    }
    return true;
  });
  const int64_t reach_us = wall_us(reach_);
  std::erase_if(gaps_, [&](const auto& gap) { return gap.until_us < reach_us; });
  return false;
}

int64_t MemoryTimeline::wall_us(Moment moment) const {
  const auto at = clocks_.find(moment.boot);
  return at == clocks_.end() ? 0 : at->second.wall_us(moment.boot_us);
}

model::RecordedSocket MemoryTimeline::with_wall_times(model::RecordedSocket socket) const {
  socket.opened_us = wall_us({socket.boot, socket.opened_boot_us});
  socket.closed_us.reset();
  if (socket.closed_boot_us) socket.closed_us = wall_us({socket.boot, *socket.closed_boot_us});
  return socket;
}

ports::TimelineRow MemoryTimeline::row_of(const model::RecordedSocket& socket) const {
  ports::TimelineRow row;
  row.socket = with_wall_times(socket);
  const auto process = [&](int64_t id) -> std::optional<model::RecordedProcess> {
    const auto at = processes_.find(id);
    if (at == processes_.end()) return std::nullopt;
    return at->second;
  };
  row.owner = process(socket.owner);
  row.creator = process(socket.creator);
  for (const int64_t id : socket.also_held_by) {
    if (auto holder = process(id)) row.also_held_by.push_back(std::move(*holder));
  }
  return row;
}

base::Result<ports::TimelineAnswer> MemoryTimeline::find(const ports::TimelineQuery& query) {
  ports::TimelineAnswer answer;
  answer.oldest_us = wall_us(reach_);
  answer.recorded_until_us = wall_us(recorded_until_);
  const ports::ProcessLookup process = [&](int64_t id) {
    const auto at = processes_.find(id);
    return at == processes_.end() ? nullptr : &at->second;
  };
  const auto consider = [&](const model::RecordedSocket& socket) {
    const auto windows = ports::boot_windows(query, clocks_[socket.boot]);
    const int64_t closed_us = socket.closed_boot_us.value_or(kNever);
    if (!ports::alive_in(windows, socket.opened_boot_us, closed_us)) return;
    if (!ports::socket_matches(query, socket)) return;
    if (ports::holders_match(query, socket, process)) answer.rows.push_back(row_of(socket));
  };
  for (const auto& socket : closed_) consider(socket);
  for (const auto& [cookie, socket] : open_) consider(socket);
  std::ranges::sort(answer.rows, std::greater{},
                    [](const ports::TimelineRow& row) { return rank(row.socket); });
  if (answer.rows.size() > query.limit) {
    answer.more = true;
    answer.rows.resize(query.limit);
  }
  const auto windows = ports::merged(query.windows);
  for (const auto& gap : gaps_) {
    if (query.windows.empty() || ports::alive_in(windows, gap.from_us, gap.until_us)) {
      answer.gaps.push_back(gap);
    }
  }
  std::ranges::sort(answer.gaps, {}, [](const model::RecordedGap& gap) {
    return std::tuple(gap.from_us, gap.until_us, gap.kind);
  });
  for (size_t i = 0; i < policies_.size(); ++i) {
    const auto& [boot, since, policy] = policies_[i];
    const bool last = i + 1 == policies_.size() || policies_[i + 1].boot != boot;
    const int64_t until = last ? kNever : policies_[i + 1].since_boot_us - 1;
    if (ports::alive_in(ports::boot_windows(query, clocks_[boot]), since, until)) {
      answer.policies.push_back({boot, wall_us({boot, since}), policy});
    }
  }
  return answer;
}

base::Result<ports::TimelineStatus> MemoryTimeline::status() {
  ports::TimelineStatus status;
  status.oldest_us = wall_us(reach_);
  status.recorded_until_us = wall_us(recorded_until_);
  status.sockets = closed_.size() + open_.size();
  status.open_sockets = open_.size();
  status.processes = processes_.size();
  for (const auto& gap : gaps_) status.events_lost += gap.lost;
  return status;
}

}  // namespace testkit
