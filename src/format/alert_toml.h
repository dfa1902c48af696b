// alerts.toml: docs/formats/alerts.md is the format, and format/toml_subset.h the subset of TOML
// that it is written in. Any bytes give a configuration or an error that begins with "line N: ".
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "model/alert_settings.h"

namespace format {

inline constexpr size_t kAlertConfigMaxBytes = 1U << 20U;
inline constexpr size_t kAlertMaxSinks = 16;

/// Without a [[sink]] there is one: standard output.
base::Result<model::AlertConfig> parse_alert_config(std::string_view text);

}  // namespace format
