// AlertEngine: turns what the recorder writes and what a look shows into alerts. The rules are pure
// state machines: time comes in with the batches. One thread.
//
// What the rules say of a socket follows from its verdict (ports/verdict.h); without expectations
// only the rules that need none are at work. Only our own network namespace is watched, and who
// listens in those that an expectation names. What a row
// of the recorder cannot settle (who holds it is not certain yet) is judged at the next look; what
// stays unknown is told by `expect check`, not by an alert.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/alert.h"
#include "model/alert_settings.h"
#include "model/inventory.h"
#include "ports/alert_facts.h"
#include "ports/inventory_verdict.h"
#include "ports/scan_watch.h"
#include "ports/timeline.h"
#include "ports/verdict.h"

namespace ports {

class AlertEngine {
 public:
  /// A process by the id that rows carry, nullptr where it is not known any more.
  using ProcessLookup = std::function<const model::RecordedProcess*(int64_t)>;

  AlertEngine(model::AlertSettings settings, const std::vector<ToldFact>& told);

  /// nullptr: there are no expectations. It must stay as long as it is set.
  void judge_by(const Judge* judge);
  /// Namespaces by their numbers: before the first batch, and whenever they were looked at.
  void set_namespaces(std::vector<model::NetNamespace> namespaces);
  [[nodiscard]] const std::vector<model::NetNamespace>& namespaces() const {
    return namespaces_->all();
  }
  /// With `packages_known` false packages were not looked up in what look() gets.
  void set_packages_known(bool known) { packages_known_ = known; }

  void take(const TimelineBatch& batch, const ProcessLookup& process);
  /// An inventory of all sockets, at wall time `now_us`.
  void look(const model::Inventory& inventory, int64_t now_us);

  /// What is to be told now.
  std::vector<model::Alert> take_alerts(int64_t now_us) { return facts_.take(now_us); }
  /// What waits to be told together, before the recorder ends.
  std::vector<model::Alert> take_waiting() { return facts_.take_waiting(); }
  [[nodiscard]] std::vector<ToldFact> told() const { return facts_.told(); }
  bool take_changed() { return facts_.take_changed(); }

 private:
  struct LeakState {
    uint32_t first = 0;
    uint32_t last = 0;
    int looks = 0;
  };

  [[nodiscard]] bool is_watched(const model::NetNamespace& netns) const;
  void take_row(const model::RecordedSocket& row, bool still_open, const ProcessLookup& process);
  void take_listener(const model::RecordedSocket& row, const Subject& subject);
  void take_outgoing(const model::RecordedSocket& row, const ProcessLookup& process);
  void take_gap(const model::RecordedGap& gap);
  void tell(const Subject& subject, const model::Verdict& verdict, int64_t time_us);
  void tell_ephemeral_listener(const Subject& subject, int64_t time_us);
  void tell_talker(const Subject& subject, const model::Verdict& verdict, int64_t time_us);
  void tell_scan(const Scan& scan);
  void look_for_missing(const InventoryVerdicts& verdicts, int64_t now_us);
  void look_for_leaks(const model::Inventory& inventory, int64_t now_us);
  void look_for_held(const model::Inventory& inventory, const InventorySubjects& subjects,
                     int64_t now_us);
  void look_for_exhaustion(const model::Inventory& inventory, int64_t now_us);

  model::AlertSettings settings_;
  AlertFacts facts_;
  const Judge* judge_ = nullptr;
  std::unique_ptr<NamespaceNumbers> namespaces_;
  bool packages_known_ = true;
  ScanWatch scans_;
  std::map<std::string, Scan> scans_now_;  // of the batch at hand
  // Talk that was judged already and is as expected, by process and protocol.
  using Talk = std::unordered_set<model::Endpoint, EndpointHash>;
  std::unordered_map<int64_t, std::map<model::Protocol, Talk>> fine_talk_;
  size_t fine_talks_ = 0;
  std::map<std::string, int64_t> missing_since_us_;
  std::map<std::string, LeakState> leaks_;               // by program
  std::unordered_map<uint64_t, int64_t> held_since_us_;  // client sockets by cookie, boot time
  int64_t wall_minus_boot_us_ = 0;
};

}  // namespace ports
