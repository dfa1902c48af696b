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

struct NewestRows {
  TimelineAnswer frame;  ///< of the whole window, without rows
  /// Since when all rows were given: later than the window's beginning when there were more than
  /// were wanted.
  int64_t from_us = 0;
  bool cut_short = false;
};

/// As walk_timeline(), newest opening first, until about `most` rows were given: a look at a
/// timeline of millions that ends in good time. Of the stretch that was looked at no row is
/// missing, also of those that were open when it begins. `query` has the one window and narrows
/// which rows are wanted; its limit is not looked at.
base::Result<NewestRows> walk_newest(TimelineReader& timeline, TimelineQuery query, size_t most,
                                     const std::function<void(const TimelineRow&)>& take);

}  // namespace ports
