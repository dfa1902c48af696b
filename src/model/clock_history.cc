#include "model/clock_history.h"

#include <algorithm>
#include <limits>

namespace model {
namespace {

constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
constexpr int64_t kLast = std::numeric_limits<int64_t>::max();

// A window may reach from the first to the last number there is; that must not wrap around.
int64_t add_clamped(int64_t left, int64_t right) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(left, right, &sum)) return sum;
  return right < 0 ? kFirst : kLast;
}

int64_t subtract_clamped(int64_t left, int64_t right) {
  int64_t difference = 0;
  if (!__builtin_sub_overflow(left, right, &difference)) return difference;
  return right > 0 ? kFirst : kLast;
}

}  // namespace

void ClockHistory::add(ClockStep step) {
  while (!steps_.empty() && steps_.back().since_boot_us >= step.since_boot_us) steps_.pop_back();
  steps_.push_back(step);
}

int64_t ClockHistory::wall_us(int64_t boot_us) const {
  if (steps_.empty()) return boot_us;
  const ClockStep* at = &steps_.back();
  while (at != steps_.data() && at->since_boot_us > boot_us) --at;
  return add_clamped(boot_us, at->wall_minus_boot_us);
}

std::vector<TimeWindow> ClockHistory::boot_windows(TimeWindow wall) const {
  if (steps_.empty()) return {wall};
  std::vector<TimeWindow> found;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const int64_t offset = steps_[i].wall_minus_boot_us;
    const bool last = i + 1 == steps_.size();
    const int64_t begin = i == 0 ? kFirst : steps_[i].since_boot_us;
    const int64_t end = last ? kLast : steps_[i + 1].since_boot_us - 1;
    const int64_t from = std::max(begin, subtract_clamped(wall.from_us, offset));
    const int64_t until = std::min(end, subtract_clamped(wall.until_us, offset));
    if (from <= until) found.push_back({from, until});
  }
  return found;
}

}  // namespace model
