// What is asked of a timeline and what it answers: plain values, which also travel over the
// recorder's socket (format/recorder_message.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.h"
#include "model/clock_history.h"
#include "model/event.h"
#include "model/inventory.h"
#include "model/port.h"
#include "model/recorded_socket.h"

namespace model {

/// Everything optional narrows. Rows come newest opening first.
struct TimelineQuery {
  /// Wall time; alive in any of them; empty = all times. A socket that is still open was alive from
  /// its opening on, also after the last write: TimelineAnswer says how far that can be trusted.
  std::vector<TimeWindow> windows;
  std::optional<PortRange> port;  ///< local or remote
  std::optional<PortRange> local_port;
  /// An IPv4 address and the same one mapped into IPv6 are equal. A socket bound to any address of
  /// a family that takes this one counts as local to it.
  std::optional<IpAddress> local_address;
  std::optional<IpAddress> remote_address;
  std::optional<uint16_t> remote_port;
  std::optional<Protocol> protocol;
  std::optional<int32_t> pid;   ///< of the owner, the creator or another holder
  std::optional<uint32_t> uid;  ///< only sockets whose owner is this user (what others may see)
  std::string command;          ///< exactly, of the owner, creator or another holder; "" = any
  size_t limit = 10'000;
};

struct TimelineRow {
  RecordedSocket socket;
  std::optional<RecordedProcess> owner;
  std::optional<RecordedProcess> creator;
  std::vector<RecordedProcess> also_held_by;
};

/// The rules by which the kernel handed out ports from a moment on.
struct RecordedPolicy {
  uint32_t boot = 0;
  int64_t since_us = 0;  ///< wall
  PortPolicy policy;
};

/// Outside of oldest_us..recorded_until_us, and inside of gaps, "no row" means "not recorded".
struct TimelineAnswer {
  std::vector<TimelineRow> rows;
  bool more = false;                     ///< the limit cut the answer
  std::vector<RecordedGap> gaps;         ///< that overlap the windows, oldest first
  std::vector<RecordedPolicy> policies;  ///< in force in the windows, oldest first
  int64_t oldest_us = 0;                 ///< as in TimelineStatus
  int64_t recorded_until_us = 0;
};

/// How far answers reach and what it costs.
struct TimelineStatus {
  int64_t oldest_us = 0;  ///< what was open before is not known, or not all of it
  int64_t recorded_until_us = 0;
  uint64_t sockets = 0;
  uint64_t open_sockets = 0;
  uint64_t processes = 0;
  uint64_t size_bytes = 0;   ///< on disk, all files
  uint64_t events_lost = 0;  ///< counted in the gaps that are still kept
};

/// What has happened in one run of a recorder so far.
struct RecordingTotals {
  uint64_t events = 0;
  uint64_t sockets = 0;  ///< rows written that ended
  uint64_t looks = 0;
  LossCounters lost;           ///< by the event source
  uint64_t rows_dropped = 0;   ///< could not be written, and there was no more room to keep them
  uint64_t writes_failed = 0;  ///< tries
};

/// A recorder at work, as it tells of itself.
struct RecorderStatus {
  int32_t pid = 0;
  int64_t begun_us = 0;  ///< wall
  CollectorReport collector;
  RecordingTotals totals;
  uint64_t sockets_open = 0;
  uint64_t unwritten_rows = 0;  ///< wait in memory since they cannot be written
  std::string trouble;          ///< of the last round that had any; "" = none
};

/// What has just been recorded, for those who watch.
struct WatchBatch {
  std::vector<TimelineRow>
      rows;  ///< in no order; a socket that is still open comes once more later
  std::vector<RecordedGap> gaps;
  uint64_t skipped = 0;  ///< rows that the watcher was too slow for, since the batch before
};

}  // namespace model
