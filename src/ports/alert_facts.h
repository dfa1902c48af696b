// AlertFacts: which facts were told already, and which are told together. Alerts are about change:
// a fact is told when it is new, and again only after it was away for its rule's quiet time. Pure;
// time comes in with each fact. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "format/alert_record.h"
#include "model/alert.h"
#include "model/alert_settings.h"

namespace ports {

/// A fact that was told. Its key is made of the rule's name, the program and what it is about.
using ToldFact = format::FactLine;

/// So many are remembered; of more, those that were seen least lately are forgotten.
inline constexpr size_t kFactsKept = 10'000;
/// So many facts wait to be told together; what is more is only counted.
inline constexpr size_t kFactsGathered = 1000;

class AlertFacts {
 public:
  AlertFacts(model::AlertSettings settings, const std::vector<ToldFact>& told);

  /// A fact shows. What is new is told by the next take().
  void see(model::Alert alert);
  /// Whether see() would have been told, without a new sighting.
  [[nodiscard]] bool is_known(const model::Alert& alert) const;

  /// What is to be told at `now_us`: the first fact of a rule and a program at once, those that
  /// follow within the group time together at its end.
  std::vector<model::Alert> take(int64_t now_us);

  /// All that still waits, whatever the group time: nobody will ask again.
  std::vector<model::Alert> take_waiting();

  /// For the next run of the recorder: without what waits, which was not told yet.
  [[nodiscard]] std::vector<ToldFact> told() const;
  /// Whether told() has changed since the last call of this.
  bool take_changed();

 private:
  struct Group {
    int64_t held_until_us = 0;
    std::vector<model::Alert> waiting;
    uint32_t more = 0;
  };
  struct Seen {
    int64_t time_us = 0;
    bool waiting = false;  // not told yet, whether it stands in its group or is only counted there
  };
  model::Alert tell(const std::string& name, Group& group);
  void forget_oldest();

  model::AlertSettings settings_;
  std::map<std::string, Seen> seen_;     // by key, which begins with the name of its group
  std::map<std::string, Group> groups_;  // by rule and program
  bool changed_ = false;
};

}  // namespace ports
