#include "ports/port_set.h"

#include <algorithm>
#include <utility>

namespace ports {

using model::PortRange;

PortSet::PortSet(std::vector<PortRange> ranges) {
  std::erase_if(ranges, [](PortRange range) { return range.first > range.last; });
  std::ranges::sort(ranges, {}, &PortRange::first);
  for (const PortRange range : ranges) {
    if (!ranges_.empty() && range.first <= uint32_t{ranges_.back().last} + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

PortSet PortSet::complement() const {
  PortSet out;
  uint32_t next = 0;
  for (const PortRange range : ranges_) {
    if (range.first > next) {
      out.ranges_.push_back({static_cast<uint16_t>(next), static_cast<uint16_t>(range.first - 1)});
    }
    next = uint32_t{range.last} + 1;
  }
  if (next <= 65535) out.ranges_.push_back({static_cast<uint16_t>(next), 65535});
  return out;
}

PortSet PortSet::united_with(const PortSet& other) const {
  std::vector<PortRange> ranges = ranges_;
  ranges.insert(ranges.end(), other.ranges_.begin(), other.ranges_.end());
  return PortSet(std::move(ranges));
}

PortSet PortSet::common_with(const PortSet& other) const {
  PortSet out;
  auto left = ranges_.begin();
  auto right = other.ranges_.begin();
  while (left != ranges_.end() && right != other.ranges_.end()) {
    const PortRange common{std::max(left->first, right->first), std::min(left->last, right->last)};
    if (common.first <= common.last) out.ranges_.push_back(common);
    if (left->last < right->last) {
      ++left;
    } else {
      ++right;
    }
  }
  return out;
}

}  // namespace ports
