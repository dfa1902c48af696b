// AlertDesk: alerts beside a running recorder. Reads what a person configured, asks the engine, and
// hands what is to be told to the sinks: printed at once, the rest into the queues from which the
// courier delivers. Configuration is read again when its files change. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/alert_courier.h"
#include "apps/context.h"
#include "apps/expectations.h"
#include "disk/alert_store.h"
#include "model/alert_settings.h"
#include "model/clock_history.h"
#include "net/name_resolver.h"
#include "ports/alert_engine.h"
#include "ports/recorder.h"

namespace apps {

class AlertDesk {
 public:
  /// Trouble with the configuration is warned of, and stops no recording: without alerts.toml, or
  /// with one that cannot be taken, alerts are printed; without expectations the rules that need
  /// some are silent.
  explicit AlertDesk(Context& context);

  /// What the recorder writes, and what a look showed.
  void take(const ports::TimelineBatch& batch, const ports::Recorder& recorder);
  void look(model::Inventory inventory);
  /// Tells what is due; called once in a while.
  void step();
  /// Tells what waits to be told together, and keeps what was told, before the recorder ends.
  void finish();

  [[nodiscard]] uint64_t told() const { return told_; }

 private:
  struct Mute {
    std::vector<model::TimeWindow> windows;
    std::vector<model::AlertRule> rules;
  };

  void read_configuration();
  void read_expectations();
  void change_courier();
  void start_courier();
  [[nodiscard]] std::string fingerprint() const;
  [[nodiscard]] bool is_muted(const model::Alert& alert) const;
  void tell_all(const std::vector<model::Alert>& alerts);
  void save();
  void tell(model::Alert alert);
  void print(const model::Alert& alert);
  void queue(const model::AlertSink& sink, const model::Alert& alert);
  void warn_once(const std::string& sentence);
  [[nodiscard]] std::string config_file() const;

  Context& context_;
  Machine& machine_;
  disk::AlertStore store_;
  std::string host_;
  model::AlertConfig config_;
  std::vector<Mute> mutes_;
  std::unique_ptr<LoadedExpectations> expectations_;
  std::unique_ptr<ports::Judge> judge_;
  std::unique_ptr<ports::AlertEngine> engine_;
  net::NameResolver resolver_;
  std::unique_ptr<AlertCourier> courier_;  // none: nothing is to be delivered
  bool courier_is_stale_ = true;           // it was begun with the configuration of before
  std::string fingerprint_;
  std::string last_warning_;
  int64_t checked_us_ = 0;
  int64_t saved_us_ = 0;
  uint64_t told_ = 0;
};

}  // namespace apps
