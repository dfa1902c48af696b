// RecorderLink and RecorderAudience: the two ends of the recorder's local socket, as the domain
// sees them. src/host speaks over a Unix socket (format/recorder_message.h), tests in memory.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "model/timeline.h"
#include "ports/recorder.h"
#include "ports/timeline.h"

namespace ports {

/// A recorder at work, as somebody who asks sees it. One thread.
class RecorderLink : public TimelineReader {
 public:
  /// Whether answers have everybody's sockets. Else only those that the asking user owns.
  [[nodiscard]] virtual bool sees_all() const = 0;
  virtual base::Result<model::RecorderStatus> recorder() = 0;

  /// From now on next() gives what is recorded, of the rows that match; the query's times and limit
  /// mean nothing. Nothing else may be asked afterwards.
  virtual base::Result<void> watch(const TimelineQuery& query) = 0;
  /// Waits at most so long; nothing: nothing came. kNotFound: the recorder has ended.
  virtual base::Result<std::optional<model::WatchBatch>> next(uint64_t wait_ms) = 0;
};

/// Those who ask, as the recorder sees them. Its calls never wait for anybody: a slow reader loses
/// rows and is told how many.
class RecorderAudience {
 public:
  RecorderAudience() = default;
  RecorderAudience(const RecorderAudience&) = delete;
  RecorderAudience& operator=(const RecorderAudience&) = delete;
  virtual ~RecorderAudience() = default;

  [[nodiscard]] virtual bool is_watched() const = 0;
  virtual void publish(model::WatchBatch batch) = 0;
  /// What status questions are answered with from now on.
  virtual void tell(model::RecorderStatus status) = 0;
};

/// Rows that one publish() carries; beyond it they count as skipped.
inline constexpr size_t kWatchedRowsMax = 20'000;

/// A batch on its way to the store, with the processes that it names.
model::WatchBatch watch_batch(const TimelineBatch& batch, const Recorder& recorder);

/// Whether one who watches asked for this row; by everything in the query but times and limit.
bool row_matches(const TimelineQuery& query, const TimelineRow& row);

/// Leaves of other users' processes what everybody can read in /proc: pid, user and command.
void hide_others(TimelineRow& row, uint32_t uid);

}  // namespace ports
