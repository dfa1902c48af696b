// What a TimelineQuery asks for, as pure functions: every store answers alike because it asks here.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/clock_history.h"
#include "model/recorded_socket.h"
#include "ports/timeline.h"

namespace ports {

/// Windows sorted, those that overlap or touch made one, those that end before they begin left out.
std::vector<model::TimeWindow> merged(std::vector<model::TimeWindow> windows);

/// The stretches of one boot that the query asks about; all of it when it names no window.
std::vector<model::TimeWindow> boot_windows(const TimelineQuery& query,
                                            const model::ClockHistory& clock);

/// Whether a life from `opened_us` to `closed_us`, both included, meets one of the windows.
bool alive_in(std::span<const model::TimeWindow> windows, int64_t opened_us, int64_t closed_us);

/// Ports, addresses and protocol; neither time nor processes.
bool socket_matches(const TimelineQuery& query, const model::RecordedSocket& socket);

/// The process with this id, nullptr when it is not known; good until the next call.
using ProcessLookup = std::function<const model::RecordedProcess*(int64_t id)>;
/// User, pid and command. Looks up no process that the query does not ask about.
bool holders_match(const TimelineQuery& query, const model::RecordedSocket& socket,
                   const ProcessLookup& process);

/// Whether a gap goes on where an earlier one of its kind ended, so that both are kept as one: a
/// machine that loses events loses them many times a second, and so does not always touch. A gap
/// that lost nothing that was counted is kept exact.
bool goes_on(const model::RecordedGap& earlier, const model::RecordedGap& later);

/// A clock that has just been set ahead by more than a day may be wrong, and what it makes look old
/// would be gone for good: whoever set it has an hour to think again before age counts.
bool clock_is_doubtful(const model::ClockHistory& clock, int64_t now_boot_us);

}  // namespace ports
