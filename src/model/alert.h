// Alert: one new fact that a person should know. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/address.h"
#include "model/port.h"

namespace model {

enum class AlertRule : uint8_t {
  kUnexpectedListener,
  kImpostor,
  kWider,
  kMissing,
  kNewTalker,            ///< a program talks to others as no expectation lets it
  kPortScan,             ///< somebody tries closed ports of ours
  kEphemeralListener,    ///< something listens in the range that the kernel lends from
  kCloseWaitLeak,        ///< a program does not close what the other side has closed, more and more
  kPortHeldForDays,      ///< a client port that never ends
  kEphemeralExhaustion,  ///< ports for outgoing connections are running out
  kEventLoss,            ///< the recorder could not see everything
};
inline constexpr std::array kAlertRules{AlertRule::kUnexpectedListener,
                                        AlertRule::kImpostor,
                                        AlertRule::kWider,
                                        AlertRule::kMissing,
                                        AlertRule::kNewTalker,
                                        AlertRule::kPortScan,
                                        AlertRule::kEphemeralListener,
                                        AlertRule::kCloseWaitLeak,
                                        AlertRule::kPortHeldForDays,
                                        AlertRule::kEphemeralExhaustion,
                                        AlertRule::kEventLoss};

/// "unexpected-listener", "impostor", "wider", "missing", "new-talker", "port-scan",
/// "ephemeral-listener", "close-wait-leak", "port-held-for-days", "ephemeral-exhaustion",
/// "event-loss".
std::string_view alert_rule_name(AlertRule rule);
std::optional<AlertRule> alert_rule_from_name(std::string_view name);

struct Alert {
  AlertRule rule = AlertRule::kUnexpectedListener;
  std::string id;        ///< the same for every delivery of this alert; "" = not given yet
  int64_t time_us = 0;   ///< wall time of the fact
  std::string sentence;  ///< all that a person needs; may quote text from outside
  std::string about;     ///< what it is a fact about, for telling facts apart: "4444/tcp"
  std::string program;   ///< exe, or command where that is not known; "" = nobody's
  std::string user;      ///< "" = not known
  int32_t pid = 0;       ///< 0 = nobody's
  std::optional<Protocol> protocol;
  uint16_t port = 0;   ///< ours, or of whom was talked to; 0 = none
  std::string remote;  ///< the other side, "" = none
  uint32_t facts = 1;  ///< told by this one alert
};

}  // namespace model
