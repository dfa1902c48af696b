// Every row of a stretch of the timeline, once each, without holding them all. For what asks about
// the whole: learning, and how the ephemeral range was used.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "ports/timeline.h"

namespace ports {

/// Calls `take` with each row that was alive in the window: those that were open at its beginning
/// first, the others about in the order of their opening. Stops at the first failure. Returns the
/// answer's frame (gaps, policies, how far it reaches) without rows.
base::Result<TimelineAnswer> walk_timeline(TimelineReader& timeline, model::TimeWindow window,
                                           const std::function<void(const TimelineRow&)>& take);

}  // namespace ports
