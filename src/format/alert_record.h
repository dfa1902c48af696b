// Alerts as bytes: the body of a webhook, the line of a log, and the files of the state directory
// (docs/formats/alerts.md). The readers are total: what cannot be read is left out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/alert.h"

namespace format {

/// The body of a webhook, one JSON object.
std::string alert_as_json(const model::Alert& alert, std::string_view host);

/// "impostor: 22/tcp is expected, but ...", one line that is safe to print.
std::string alert_as_line(const model::Alert& alert);

/// One entry of the log of alerts, a table of TOML behind an empty line.
std::string alert_as_log_entry(const model::Alert& alert);
/// The entries of a log, oldest first. One that is cut off or damaged costs no other.
std::vector<model::Alert> parse_alert_log(std::string_view text);

/// A fact that was told: what tells it from others, and the wall time of its last sighting.
struct FactLine {
  std::string key;
  int64_t seen_us = 0;
};
/// A line for each: the time, a tab, the key with its control characters escaped already.
std::string facts_as_text(const std::vector<FactLine>& facts);
std::vector<FactLine> parse_facts(std::string_view text);

}  // namespace format
