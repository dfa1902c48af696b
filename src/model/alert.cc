#include "model/alert.h"

#include <algorithm>

namespace model {

std::string_view alert_rule_name(AlertRule rule) {
  switch (rule) {
    case AlertRule::kUnexpectedListener:
      return "unexpected-listener";
    case AlertRule::kImpostor:
      return "impostor";
    case AlertRule::kWider:
      return "wider";
    case AlertRule::kMissing:
      return "missing";
    case AlertRule::kNewTalker:
      return "new-talker";
    case AlertRule::kPortScan:
      return "port-scan";
    case AlertRule::kEphemeralListener:
      return "ephemeral-listener";
    case AlertRule::kCloseWaitLeak:
      return "close-wait-leak";
    case AlertRule::kPortHeldForDays:
      return "port-held-for-days";
    case AlertRule::kEphemeralExhaustion:
      return "ephemeral-exhaustion";
    case AlertRule::kEventLoss:
      return "event-loss";
  }
  return {};
}

std::optional<AlertRule> alert_rule_from_name(std::string_view name) {
  const auto* found = std::ranges::find(kAlertRules, name, alert_rule_name);
  if (found == kAlertRules.end()) return std::nullopt;
  return *found;
}

}  // namespace model
