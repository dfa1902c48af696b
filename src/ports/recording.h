// Recording: one recorder at work. Drains the events, looks around when it must, and writes batches
// to the timeline. Time and the machine come in through interfaces, so that tests run hours of it
// in no time. One thread; the caller decides when the next round is due.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ports/event_source.h"
#include "ports/process_source.h"
#include "ports/recorder.h"
#include "ports/socket_source.h"
#include "ports/timeline.h"

namespace ports {

struct RecordingParts {
  EventSource& events;
  SocketSource& sockets;
  ProcessSource& processes;
  TimelineWriter& store;
  std::function<ClockReading()> clock;
  std::function<model::PortPolicy()> policy;  ///< of the own namespace; read with each look
  std::string boot_id;
};

struct RecordingOptions {
  RetentionPolicy retention;
  uint64_t flush_ms = 1'500;  ///< with the time that it takes, less than the 2 s a crash may cost
  /// A batch of so many rows is written before that: small ones stay in the processor's caches, and
  /// the ring is not left alone for long.
  size_t rows_at_once = 16'384;
  uint64_t look_ms = 60'000;  ///< between two inventories: holders, and what events cannot show
  uint64_t retain_ms = 60'000;
  /// Rows that wait in memory while the store cannot be written, at about 300 bytes each.
  size_t unwritten_rows_max = 200'000;
};

using model::RecordingTotals;

class Recording {
 public:
  using Listener = std::function<void(const TimelineBatch&, const Recorder&)>;

  Recording(RecordingParts parts, RecordingOptions options)
      : parts_(std::move(parts)), options_(options) {}

  /// Takes up the timeline where it stands, looks around and writes. Call it first; the events must
  /// be flowing already, or what opens meanwhile is missed.
  base::Result<void> begin();

  /// One round: drains what is waiting and does what is due. Trouble stops nothing: what could not
  /// be written is kept and tried again; when the store was set aside as damaged, or too much is
  /// waiting, recording begins anew from an inventory and the timeline shows a gap. The first
  /// trouble of the round is returned, so that it can be told to a person.
  base::Result<void> step();

  /// Drains and writes for the last time.
  base::Result<void> finish();

  /// Called with each batch before it is written: for `watch` and for alerts. The recorder knows
  /// the processes that the batch names.
  void on_batch(Listener listener) { listener_ = std::move(listener); }

  /// Called with each inventory once the recorder has taken it, before the next batch: for alerts.
  void on_look(std::function<void(model::Inventory)> observer) { observer_ = std::move(observer); }

  /// Somebody watches: flush more often.
  void flush_every(uint64_t ms) { options_.flush_ms = ms; }

  [[nodiscard]] const RecordingTotals& totals() const { return totals_; }
  /// Events that the last drain found waiting: many call for the next one soon.
  [[nodiscard]] uint64_t drained_events() const { return drained_events_; }
  [[nodiscard]] size_t open_sockets() const { return recorder_ ? recorder_->open_sockets() : 0; }
  [[nodiscard]] size_t unwritten_rows() const { return unwritten_rows_; }

 private:
  base::Result<void> take_up();
  enum class Writing : uint8_t { kNever, kWhenMuch };
  base::Result<void> drain(Writing writing);
  base::Result<void> look();
  base::Result<void> write(bool drained);
  void note_losses();
  void begin_anew(std::string kind);
  void drop_unwritten();
  void note(base::Result<void> result);
  [[nodiscard]] bool is_due(uint64_t last_ns, uint64_t every_ms) const;

  RecordingParts parts_;
  RecordingOptions options_;
  // None after the store was given up, until it can be taken up again.
  std::optional<Recorder> recorder_;
  std::deque<TimelineBatch> unwritten_;  // oldest first; more than one only while writes fail
  size_t unwritten_rows_ = 0;
  // Why recording begins anew and what was lost by it, until the gap that says so is written.
  std::string anew_kind_;
  uint64_t anew_lost_ = 0;
  int64_t written_until_us_ = 0;
  Listener listener_;
  std::function<void(model::Inventory)> observer_;
  std::vector<model::Event> events_;
  model::PortPolicy policy_;
  RecordingTotals totals_;
  std::optional<base::Error> trouble_;
  ClockReading now_;
  uint64_t drained_events_ = 0;
  uint64_t flushed_ns_ = 0;
  uint64_t looked_ns_ = 0;
  uint64_t look_took_ms_ = 0;
  uint64_t retained_ns_ = 0;
  ClockReading losses_read_;  // taken before the losses were read last
  bool look_wanted_ = false;
  bool retain_more_ = false;
};

}  // namespace ports
