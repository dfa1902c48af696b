#include "model/alert_settings.h"

#include <algorithm>

namespace model {

std::string_view alert_sink_name(AlertSinkKind kind) {
  switch (kind) {
    case AlertSinkKind::kStdout:
      return "stdout";
    case AlertSinkKind::kSyslog:
      return "syslog";
    case AlertSinkKind::kWebhook:
      return "webhook";
  }
  return {};
}

bool AlertSink::wants(AlertRule rule) const {
  return rules.empty() || std::ranges::find(rules, rule) != rules.end();
}

}  // namespace model
