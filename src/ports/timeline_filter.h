// TimelineFilter: the language of `twinport ports FILTER` (ports/filter.h), asked of rows of the
// timeline. What the timeline does not keep cannot be asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "ports/filter.h"
#include "ports/timeline.h"

namespace ports {

class TimelineFilter {
 public:
  /// `own_netns` is what "netns = own" means. Fails (kUsage) as Filter::parse does, and for fields
  /// that the timeline does not keep: queues, inodes, packages, the way of holding.
  static base::Result<TimelineFilter> parse(std::string_view text, uint32_t own_netns);

  /// A field of the holder is true when it is true of the owner or of another holder. A listener is
  /// in state listen, a connection in established, a bound socket in unconnected or closed.
  [[nodiscard]] bool matches(const TimelineRow& row) const;

  /// As Filter::port_bounds().
  [[nodiscard]] std::optional<model::PortRange> port_bounds() const {
    return filter_.port_bounds();
  }

 private:
  TimelineFilter(Filter filter, uint32_t own_netns)
      : filter_(std::move(filter)), own_netns_(own_netns) {}

  Filter filter_;
  uint32_t own_netns_ = 0;
};

}  // namespace ports
