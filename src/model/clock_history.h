// ClockHistory: what the wall clock showed at each moment of a boot. CLOCK_BOOTTIME never jumps, so
// it decides order and length; people and logs speak wall time, which jumps when the clock is set.
// Between two settings the difference of the two is constant, also while NTP slews: the kernel
// slews both alike (timekeeping_adjust in kernel/time/timekeeping.c).
#pragma once

#include <cstdint>
#include <vector>

namespace model {

/// A window of time, both ends included, microseconds.
struct TimeWindow {
  int64_t from_us = 0;
  int64_t until_us = 0;
  bool operator==(const TimeWindow&) const = default;
};

/// From `since_boot_us` on, wall time = boot time + `wall_minus_boot_us`.
struct ClockStep {
  int64_t since_boot_us = 0;
  int64_t wall_minus_boot_us = 0;
  bool operator==(const ClockStep&) const = default;
};

/// The clock of one boot. Without any step, wall time is boot time.
class ClockHistory {
 public:
  /// A step no later than ones known already replaces those.
  void add(ClockStep step);
  [[nodiscard]] const std::vector<ClockStep>& steps() const { return steps_; }

  /// What the wall clock showed. Moments before the first step are taken to be on it.
  [[nodiscard]] int64_t wall_us(int64_t boot_us) const;

  /// The stretches of boot time in which the wall clock showed a time of `wall`, in order and apart
  /// from each other: none where the clock was set forward over it, two where it was set back and
  /// showed it twice.
  [[nodiscard]] std::vector<TimeWindow> boot_windows(TimeWindow wall) const;

 private:
  std::vector<ClockStep> steps_;
};

}  // namespace model
