// Timeline: every opening and closing, and who held a port at a moment. The domain owns the
// interface; src/disk keeps it in SQLite, src/testkit in memory; one contract suite runs on both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/clock_history.h"
#include "model/inventory.h"
#include "model/recorded_socket.h"
#include "model/timeline.h"

namespace ports {

/// What one flush of the recorder writes, all of it or nothing. It is applied in the order of the
/// fields, but for `closed`, which goes before `opened`: a cookie in both is open afterwards.
struct TimelineBatch {
  uint32_t boot = 0;  ///< of the recorder; what was open in an earlier boot may be closed in it
  /// Settings of the wall clock since the last batch, and in a recorder's first one how it stands
  /// now. What differs by less than a millisecond from what the store knows is no step.
  std::vector<model::ClockStep> clock_steps;
  std::vector<model::RecordedProcess> processes;  ///< new, or with more known than before
  std::vector<model::RecordedSocket> opened;      ///< still open
  std::vector<model::RecordedSocket> closed;      ///< ended (also those that were `opened` before)
  std::vector<model::RecordedGap> gaps;  ///< those of one kind less than a second apart become one
  int64_t recorded_until_boot_us = 0;    ///< all that happened before this is in the store
  int64_t recorded_until_us = 0;         ///< the same moment by the wall clock
  model::PortPolicy policy;              ///< the host's ephemeral range at that time
};

using model::RecordedPolicy;
using model::TimelineAnswer;
using model::TimelineQuery;
using model::TimelineRow;
using model::TimelineStatus;

struct RetentionPolicy {
  int64_t age_s = int64_t{30} * 24 * 3600;
  uint64_t size_bytes = uint64_t{4} << 30U;
};

/// What a recorder that ends leaves open for the next one.
struct LeftOpen {
  std::vector<model::RecordedSocket> sockets;
  std::vector<model::RecordedProcess> processes;  ///< that the sockets refer to
};

/// One writer; any number of readers in other processes, each with its own TimelineReader.
class TimelineWriter {
 public:
  TimelineWriter() = default;
  TimelineWriter(const TimelineWriter&) = delete;
  TimelineWriter& operator=(const TimelineWriter&) = delete;
  virtual ~TimelineWriter() = default;

  /// Numbers this boot; the same boot id gives the same number again. Process ids from
  /// `next_process_id` on are free: the recorder chooses them, so that a batch can refer to
  /// processes that are new in it.
  struct Boot {
    uint32_t number = 0;
    int64_t next_process_id = 1;
    /// When the last batch before this call was written; 0 = none was. On the clock of *its* boot,
    /// and by the wall clock of then.
    int64_t recorded_until_boot_us = 0;
    int64_t recorded_until_us = 0;
  };
  /// `boot_time_us`: wall time less boot time as the clock stands now.
  virtual base::Result<Boot> begin_boot(const std::string& boot_id, int64_t boot_time_us) = 0;
  /// Sockets that were open when the recorder last wrote, so that it can go on where it stood.
  virtual base::Result<LeftOpen> open_sockets() = 0;
  /// Durable once it returns: a crash after it loses nothing of the batch. A failed write changes
  /// nothing and may be tried again with the same batch. kUsage: its boot was not begun. kCorrupt
  /// means that the store was found damaged and was set aside: a fresh one begins with the next
  /// begin_boot(), and numbers of boots and processes from before mean nothing to it.
  virtual base::Result<void> write(const TimelineBatch& batch) = 0;
  /// Drops what is older or more than the policy allows, a bounded piece of work per call; true
  /// when there is more to drop.
  virtual base::Result<bool> retain(const RetentionPolicy& policy, int64_t now_us) = 0;
};

class TimelineReader {
 public:
  TimelineReader() = default;
  TimelineReader(const TimelineReader&) = delete;
  TimelineReader& operator=(const TimelineReader&) = delete;
  virtual ~TimelineReader() = default;

  virtual base::Result<TimelineAnswer> find(const TimelineQuery& query) = 0;
  virtual base::Result<TimelineStatus> status() = 0;
};

}  // namespace ports
