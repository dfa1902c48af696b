// alerts.toml: any bytes give a configuration within its limits, or an error that names a line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/alert_toml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = format::parse_alert_config(text);
  if (!config) {
    if (!config.error().message.starts_with("line ")) abort();
    return 0;
  }
  if (config->sinks.empty() || config->sinks.size() > format::kAlertMaxSinks) abort();
  for (const auto& rule : config->settings.rules) {
    if (rule.quiet_us < 0) abort();
  }
  for (const auto& sink : config->sinks) {
    if (sink.name.empty() || sink.name.contains('/') || sink.name.contains('.')) abort();
  }
  return 0;
}
