// Coverage: of the time that is asked about, what the timeline can answer for. Where it cannot, "no
// row" means "not recorded", and never "nobody".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/clock_history.h"
#include "ports/timeline.h"

namespace ports {

/// A stretch of wall time that is not recorded, or not all of it.
struct Unrecorded {
  model::TimeWindow window;
  /// A gap's kind, or "before-recording", "not-written-yet" (later than the last batch), "future".
  std::string reason;
  uint64_t lost = 0;    ///< events known to be lost in it, 0 = not counted
  bool nothing = true;  ///< nothing at all is known of it; else single events are missing
  int64_t since_us =
      0;  ///< when the whole stretch began, of which `window` is what was asked about
};

enum class Covered : uint8_t { kAll, kPart, kNone };
std::string_view covered_name(Covered covered);  ///< "all", "part", "none"

struct Coverage {
  std::vector<Unrecorded> unrecorded;  ///< inside the windows, oldest first
  Covered covered = Covered::kAll;     ///< kNone: nothing is known of any moment asked about
};

/// `windows` as in the query, not empty.
Coverage find_coverage(const std::vector<model::TimeWindow>& windows, const TimelineAnswer& answer,
                       int64_t now_us);

/// The same where there is no timeline at all: `reason` "no-timeline".
Coverage no_coverage(const std::vector<model::TimeWindow>& windows);

/// A sentence: "From A to B nobody recorded." Times are local.
std::string unrecorded_in_words(const Unrecorded& part);

}  // namespace ports
