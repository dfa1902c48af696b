// MemoryTimeline: the timeline's twin in memory, writer and reader in one, for tests of whatever
// records or answers. It keeps rows in plain vectors and looks at each of them. What outlives a
// recorder outlives a call of begin_boot().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/clock_history.h"
#include "ports/timeline.h"

namespace testkit {

class MemoryTimeline final : public ports::TimelineWriter, public ports::TimelineReader {
 public:
  base::Result<Boot> begin_boot(const std::string& boot_id, int64_t boot_time_us) override;
  base::Result<ports::LeftOpen> open_sockets() override;
  base::Result<void> write(const ports::TimelineBatch& batch) override;
  /// Age only: memory has no size worth a limit. All that is due goes at once.
  base::Result<bool> retain(const ports::RetentionPolicy& policy, int64_t now_us) override;

  base::Result<ports::TimelineAnswer> find(const ports::TimelineQuery& query) override;
  base::Result<ports::TimelineStatus> status() override;

  std::optional<base::Error> error;  ///< what write() fails with, for once

 private:
  struct Policy {
    uint32_t boot = 0;
    int64_t since_boot_us = 0;
    model::PortPolicy policy;
  };
  struct Moment {
    uint32_t boot = 0;  // 0 = never
    int64_t boot_us = 0;
  };

  void end(model::RecordedSocket socket);
  void put_policy(const ports::TimelineBatch& batch);
  void put_gap(const model::RecordedGap& gap);
  [[nodiscard]] int64_t wall_us(Moment moment) const;
  [[nodiscard]] model::RecordedSocket with_wall_times(model::RecordedSocket socket) const;
  [[nodiscard]] ports::TimelineRow row_of(const model::RecordedSocket& socket) const;

  std::map<uint32_t, std::string> boot_ids_;
  std::map<uint32_t, model::ClockHistory> clocks_;
  std::vector<Policy> policies_;
  std::map<int64_t, model::RecordedProcess> processes_;
  std::vector<model::RecordedSocket> closed_;
  std::map<uint64_t, model::RecordedSocket> open_;
  std::vector<model::RecordedGap> gaps_;
  Moment recorded_until_;
  Moment reach_;
};

}  // namespace testkit
