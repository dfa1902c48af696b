// How alerts are made: what a person may configure (docs/formats/alerts.md). Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/alert.h"

namespace model {

inline constexpr int64_t kAlertSecondUs = 1'000'000;

struct AlertRuleSettings {
  bool enabled = true;
  /// A fact that was told is not told again until it was away for so long.
  int64_t quiet_us = int64_t{24} * 3600 * kAlertSecondUs;
};

struct AlertSettings {
  std::array<AlertRuleSettings, kAlertRules.size()> rules;
  /// Facts of one rule and program that come within this time of an alert are told together.
  int64_t group_us = 10 * kAlertSecondUs;
  uint32_t scan_ports = 10;                        ///< closed ports that one address tried ...
  int64_t scan_window_us = 60 * kAlertSecondUs;    ///< ... within this time
  int64_t missing_after_us = 90 * kAlertSecondUs;  ///< absent at two looks, so long apart
  uint32_t close_wait = 20;                        ///< sockets of one program, and growing
  int64_t held_us = int64_t{3} * 86400 * kAlertSecondUs;
  int64_t gap_us = 60 * kAlertSecondUs;  ///< not recording for so long is a loss

  [[nodiscard]] AlertRuleSettings& of(AlertRule rule) { return rules[static_cast<size_t>(rule)]; }
  [[nodiscard]] const AlertRuleSettings& of(AlertRule rule) const {
    return rules[static_cast<size_t>(rule)];
  }
};

/// Where alerts go. Stdout is the journal where systemd runs us.
enum class AlertSinkKind : uint8_t { kStdout, kSyslog, kWebhook };
std::string_view alert_sink_name(AlertSinkKind kind);  ///< "stdout", "syslog", "webhook"

struct AlertSink {
  AlertSinkKind kind = AlertSinkKind::kStdout;
  std::string name;              ///< of its queue; letters, digits, "-" and "_"
  std::string url;               ///< of a webhook: http:// or https://
  std::string secret_file;       ///< of a webhook: the key of its signature
  std::string ca_file;           ///< of a webhook: who vouches for it, "" = the system's list
  std::vector<AlertRule> rules;  ///< only these; empty = all
  [[nodiscard]] bool wants(AlertRule rule) const;
};

/// Planned work: what shows then is not told, then or later.
struct AlertMute {
  std::string from, until;       ///< as a person writes times (ports/time_query.h)
  std::vector<AlertRule> rules;  ///< only these; empty = all
  size_t line = 0;
};

struct AlertConfig {
  AlertSettings settings;
  std::vector<AlertSink> sinks;
  std::vector<AlertMute> mutes;
};

}  // namespace model
