// SqliteTimelineWriter: the recorder's side of the timeline, in one SQLite file that any number of
// readers may look into meanwhile (write-ahead log: neither side waits for the other). One writer a
// directory, of one thread; a lock keeps a second one out. A batch is on the disk, not merely in
// the kernel's cache, when write() returns.
//
// A file that is damaged is renamed to timeline.db.damaged-TIME and a fresh one is begun. A file of
// a newer twinport is refused with kUnsupported and left alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "disk/closed_sockets.h"
#include "disk/sqlite.h"
#include "disk/timeline_files.h"
#include "disk/timeline_layout.h"
#include "disk/timeline_names.h"
#include "disk/timeline_retention.h"
#include "ports/timeline.h"

namespace disk {

class SqliteTimelineWriter final : public ports::TimelineWriter {
 public:
  /// `now_us` is wall time, and used for the name of what must be set aside.
  static base::Result<std::unique_ptr<SqliteTimelineWriter>> open(const std::string& directory,
                                                                  int64_t now_us);

  base::Result<Boot> begin_boot(const std::string& boot_id, int64_t boot_time_us) override;
  base::Result<ports::LeftOpen> open_sockets() override;
  base::Result<void> write(const ports::TimelineBatch& batch) override;
  base::Result<bool> retain(const ports::RetentionPolicy& policy, int64_t now_us) override;

  /// What was set aside and why, in whole sentences, since the last call. To be shown and logged.
  std::vector<std::string> take_notices() { return std::exchange(notices_, {}); }

 private:
  struct LastGap {
    int64_t id = 0;
    model::RecordedGap gap;
  };

  SqliteTimelineWriter(std::string directory, int64_t now_us)
      : files_(std::move(directory)), now_us_(now_us) {}

  /// Runs guarded(work) and sets the file aside when it turns out to be damaged.
  template <class Work>
  auto attempt(Work&& work) -> decltype(guarded(work));
  void set_aside(base::Error& error);

  void open_file();
  void open_or_replace();
  void make_tables();
  void load();
  void be_ready();

  void apply(const ports::TimelineBatch& batch);
  void put_clock_steps(const ports::TimelineBatch& batch);
  void put_policy(const ports::TimelineBatch& batch);
  void put_open(const model::RecordedSocket& socket);
  void end(const model::RecordedSocket& socket);
  void put_gap(const model::RecordedGap& gap);
  void put_state(const ports::TimelineBatch& batch);
  void shorten_log();
  model::ClockHistory& clock_of(uint32_t boot);

  TimelineFiles files_;
  int64_t now_us_;
  base::Fd lock_;
  std::vector<std::string> notices_;
  Database database_;
  // All below belongs to the open database. After a failure it may be ahead of the file; then
  // `loaded_` is false and load() makes it true again.
  bool loaded_ = false;
  uint64_t patience_bytes_ = 0;  // of log, before readers are waited for
  TimelineState state_;
  std::vector<BootClock> clocks_;
  std::string last_policy_;
  std::unordered_map<uint64_t, uint32_t> open_;  // cookie → boot
  std::unordered_map<std::string, LastGap> last_gaps_;
  std::unique_ptr<ClosedSockets> closed_;
  std::unique_ptr<TimelineNames> names_;
  std::unique_ptr<TimelineRetention> retention_;
  Statement put_open_;
  Statement end_open_;
};

}  // namespace disk
