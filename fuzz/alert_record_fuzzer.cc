// The log of alerts and the list of facts: whatever is read can be written and read back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/alert_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& alert : format::parse_alert_log(text)) {
    const auto again = format::parse_alert_log(format::alert_as_log_entry(alert));
    if (again.size() != 1 || again[0].rule != alert.rule || again[0].port != alert.port) abort();
    if (format::alert_as_json(alert, "host").empty()) abort();
  }
  const auto facts = format::parse_facts(text);
  const auto again = format::parse_facts(format::facts_as_text(facts));
  if (again.size() != facts.size()) abort();
  for (size_t i = 0; i < facts.size(); ++i) {
    if (again[i].key != facts[i].key || again[i].seen_us != facts[i].seen_us) abort();
  }
  return 0;
}
