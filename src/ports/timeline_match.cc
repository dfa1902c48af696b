#include "ports/timeline_match.h"

#include <algorithm>
#include <limits>

namespace ports {
namespace {

constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
constexpr int64_t kLast = std::numeric_limits<int64_t>::max();

bool same_address(const model::IpAddress& left, const model::IpAddress& right) {
  return left.unmapped() == right.unmapped();
}

// Bound to any address: of its own family, and [::] also of IPv4, as long as the kernel lets it.
bool takes(const model::IpAddress& local, const model::IpAddress& asked) {
  if (same_address(local, asked)) return true;
  if (!local.is_any()) return false;
  return local.family == model::Family::kIpv6 || asked.unmapped().family == model::Family::kIpv4;
}

// Port 0 means "none": it is in no range.
bool in_range(const model::PortRange& range, uint16_t port) {
  return port != 0 && range.contains(port);
}

bool process_matches(const TimelineQuery& query, const model::RecordedProcess& process) {
  if (query.pid && process.pid != *query.pid) return false;
  return query.command.empty() || process.command == query.command;
}

}  // namespace

std::vector<model::TimeWindow> merged(std::vector<model::TimeWindow> windows) {
  std::erase_if(windows, [](const auto& window) { return window.from_us > window.until_us; });
  std::ranges::sort(windows, {}, &model::TimeWindow::from_us);
  std::vector<model::TimeWindow> out;
  for (const auto& window : windows) {
    const bool touches =
        !out.empty() && (out.back().until_us == kLast || window.from_us <= out.back().until_us + 1);
    if (touches) {
      out.back().until_us = std::max(out.back().until_us, window.until_us);
    } else {
      out.push_back(window);
    }
  }
  return out;
}

std::vector<model::TimeWindow> boot_windows(const TimelineQuery& query,
                                            const model::ClockHistory& clock) {
  if (query.windows.empty()) return {{kFirst, kLast}};
  std::vector<model::TimeWindow> found;
  for (const auto& window : query.windows) {
    if (window.from_us > window.until_us) continue;
    for (const auto& part : clock.boot_windows(window)) found.push_back(part);
  }
  return merged(std::move(found));
}

bool alive_in(std::span<const model::TimeWindow> windows, int64_t opened_us, int64_t closed_us) {
  return std::ranges::any_of(windows, [&](const auto& window) {
    return opened_us <= window.until_us && closed_us >= window.from_us;
  });
}

bool socket_matches(const TimelineQuery& query, const model::RecordedSocket& socket) {
  const uint16_t local = socket.local.port;
  const uint16_t remote = socket.remote.port;
  if (query.port && !in_range(*query.port, local) && !in_range(*query.port, remote)) return false;
  if (query.local_port && !in_range(*query.local_port, local)) return false;
  if (query.remote_port && *query.remote_port != remote) return false;
  if (query.protocol && *query.protocol != socket.protocol) return false;
  if (query.local_address && !takes(socket.local.address, *query.local_address)) return false;
  return !query.remote_address || same_address(socket.remote.address, *query.remote_address);
}

bool holders_match(const TimelineQuery& query, const model::RecordedSocket& socket,
                   const ProcessLookup& process) {
  if (query.uid) {
    const auto* owner = socket.owner == 0 ? nullptr : process(socket.owner);
    if (owner == nullptr || owner->uid != *query.uid) return false;
  }
  if (!query.pid && query.command.empty()) return true;
  const auto is_asked_for = [&](int64_t id) {
    const auto* found = id == 0 ? nullptr : process(id);
    return found != nullptr && process_matches(query, *found);
  };
  return is_asked_for(socket.owner) || is_asked_for(socket.creator) ||
         std::ranges::any_of(socket.also_held_by, is_asked_for);
}

bool goes_on(const model::RecordedGap& earlier, const model::RecordedGap& later) {
  constexpr int64_t kJoinUs = 1'000'000;
  // What was recorded between two stretches of nothing is certain, however short it was.
  const int64_t apart_us_max = earlier.lost != 0 && later.lost != 0 ? kJoinUs : 0;
  return earlier.boot == later.boot && earlier.kind == later.kind &&
         later.from_us >= earlier.from_us && later.from_us - earlier.until_us <= apart_us_max;
}

bool clock_is_doubtful(const model::ClockHistory& clock, int64_t now_boot_us) {
  constexpr int64_t kHourUs = int64_t{3600} * 1'000'000;
  const auto& steps = clock.steps();
  if (steps.size() < 2) return false;
  const auto& last = steps[steps.size() - 1];
  const auto& before = steps[steps.size() - 2];
  return last.wall_minus_boot_us - before.wall_minus_boot_us > 24 * kHourUs &&
         now_boot_us - last.since_boot_us < kHourUs;
}

}  // namespace ports
