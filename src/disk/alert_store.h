// AlertStore: the files of alerts in STATE/alerts/: what was told already, the log that people
// read, and for each sink a queue of what is still to be delivered. Each file is replaced in one
// step and synced, so that a crash costs none of it. One recorder writes; its courier takes from
// the queues in another thread, which is fine: a file is put and removed by its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/alert_record.h"
#include "model/alert.h"

namespace disk {

/// So many wait in one queue at most; then the oldest go.
inline constexpr size_t kAlertQueueMax = 1000;
/// The log is set aside at this size, and of those set aside one is kept.
inline constexpr uint64_t kAlertLogMaxBytes = 1U << 20U;

class AlertStore {
 public:
  /// Nothing is made before something is written.
  explicit AlertStore(const std::string& state_directory)
      : directory_(state_directory + "/alerts") {}

  /// Facts of an earlier run; none where there are none or they cannot be read.
  [[nodiscard]] std::vector<format::FactLine> read_facts() const;
  base::Result<void> write_facts(const std::vector<format::FactLine>& facts) const;

  base::Result<void> append_log(const model::Alert& alert) const;
  /// Oldest first. kNotFound where there was never an alert.
  [[nodiscard]] base::Result<std::vector<model::Alert>> read_log() const;

  /// Puts a message at the end of a queue; how many old ones had to go for it. `name` must sort
  /// behind those before it.
  [[nodiscard]] base::Result<size_t> put(const std::string& queue, const std::string& name,
                                         std::string_view content) const;
  /// Names in a queue, oldest first.
  [[nodiscard]] std::vector<std::string> names(const std::string& queue) const;
  [[nodiscard]] base::Result<std::string> get(const std::string& queue,
                                              const std::string& name) const;
  base::Result<void> remove(const std::string& queue, const std::string& name) const;

 private:
  [[nodiscard]] std::string queue_path(const std::string& queue) const;
  [[nodiscard]] std::string log_path() const { return directory_ + "/log.toml"; }
  [[nodiscard]] std::string old_log_path() const { return directory_ + "/log.old.toml"; }

  std::string directory_;
};

}  // namespace disk
