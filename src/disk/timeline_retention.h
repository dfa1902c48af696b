// TimelineRetention: drops the oldest segments, and then what only they referred to. Part of the
// one writer, between its other transactions.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "disk/sqlite.h"
#include "disk/timeline_files.h"
#include "disk/timeline_layout.h"
#include "ports/timeline.h"

namespace disk {

/// A limit below this is taken for this: the log alone needs some megabytes.
inline constexpr uint64_t kSmallestSizeLimit = uint64_t{16} << 20U;

class TimelineRetention {
 public:
  TimelineRetention(Database& database, TimelineFiles files)
      : database_(database), files_(std::move(files)) {}

  struct Outcome {
    bool changed = false;  ///< rows are gone: whoever remembers any must read again
    bool more = false;
  };
  /// One bounded piece of work in a transaction of its own; `state` is changed once it is done.
  Outcome work(const ports::RetentionPolicy& policy, int64_t now_us,
               const std::vector<BootClock>& clocks, TimelineState& state);

 private:
  struct Segment {
    int64_t id = 0;
    int64_t boot = 0;
    int level = 0;
    int64_t first_row = 0;
    int64_t rows = 0;
    int64_t last_closed = 0;
  };
  struct Limits {
    uint64_t size_bytes = 0;
    int64_t oldest_us = std::numeric_limits<int64_t>::min();  ///< wall time
  };
  bool oldest(Segment& segment);
  bool due(const Segment& segment, const Limits& limits, const std::vector<BootClock>& clocks);
  bool drop_due(const Limits& limits, const std::vector<BootClock>& clocks, TimelineState& state);
  void write_state(const TimelineState& state);
  void drop(const Segment& segment, TimelineState& state);
  struct Sizes {
    uint64_t database = 0;  ///< all pages
    uint64_t free = 0;      ///< of these, pages that wait for new rows
    uint64_t log = 0;
  };
  Sizes sizes(uint64_t limit);
  void give_back(uint64_t limit, Outcome& outcome);

  void begin_sweep();
  void sweep(const std::vector<BootClock>& clocks, TimelineState& state);
  /// Goes through one piece of `table`; true when its end was reached.
  bool sweep_table(const std::string& table, bool processes, const TimelineState& state,
                   int64_t& dropped);
  std::unordered_set<int64_t> named_by_open_sockets(bool processes);

  Database& database_;
  TimelineFiles files_;
  int64_t dropped_since_sweep_ = 0;
  // A sweep goes through processes, then kinds, then the rest, from call to call.
  enum class Sweep : uint8_t { kNone, kProcesses, kKinds, kRest };
  Sweep sweep_ = Sweep::kNone;
  int64_t sweep_from_ = 0;
  std::map<int64_t, int64_t> oldest_kept_;  // boot → earliest closing that is kept
};

}  // namespace disk
