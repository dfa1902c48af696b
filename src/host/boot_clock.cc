#include "host/boot_clock.h"

#include <ctime>
#include <limits>

#include "base/file.h"
#include "base/text.h"

namespace host {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

int64_t now_ns(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return time.tv_sec * kSecondNs + time.tv_nsec;
}

}  // namespace

ports::ClockReading read_clocks() {
  ports::ClockReading best;
  int64_t best_between = std::numeric_limits<int64_t>::max();
  // We may be put aside between two readings; the closest pair of a few is what counts.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const int64_t before = now_ns(CLOCK_BOOTTIME);
    const int64_t wall = now_ns(CLOCK_REALTIME);
    const int64_t between = now_ns(CLOCK_BOOTTIME) - before;
    if (between >= best_between) continue;
    best_between = between;
    best = {static_cast<uint64_t>(before + between / 2), wall / 1000};
  }
  return best;
}

base::Result<std::string> read_boot_id() {
  auto text = base::read_file("/proc/sys/kernel/random/boot_id", 256);
  if (!text) return std::unexpected(text.error());
  return std::string(base::trim(*text));
}

}  // namespace host
