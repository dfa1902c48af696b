#include "format/alert_toml.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "format/toml_fields.h"
#include "format/toml_subset.h"

namespace format {
namespace {

using model::AlertConfig;
using model::AlertRule;
using model::AlertSettings;

constexpr size_t kMaxWord = 64;
constexpr size_t kMaxUrl = 2000;
constexpr size_t kMaxPath = 4095;
constexpr int64_t kMaxCount = 1'000'000;
constexpr int64_t kLongestMs = int64_t{3650} * 86400 * 1000;

std::string quoted(std::string_view text) { return '"' + base::escape_for_terminal(text) + '"'; }

void read_duration(TomlFields& fields, std::string_view key, int64_t& into_us) {
  if (!fields.has(key)) return;
  const auto length_ms = base::parse_duration_ms(fields.text(key, kMaxWord));
  if (!length_ms || *length_ms > kLongestMs) {
    fields.blame(key, std::string(key) + R"( takes a time such as "90s", "10m", "24h" or "3d")");
    return;
  }
  into_us = *length_ms * 1000;
}

void read_count(TomlFields& fields, std::string_view key, uint32_t& into) {
  into = static_cast<uint32_t>(fields.integer(key, 1, kMaxCount, into));
}

std::optional<AlertRule> rule_of(TomlFields& fields, const std::string& name, size_t line) {
  const auto rule = model::alert_rule_from_name(name);
  if (!rule) fields.blame(line, "there is no rule " + quoted(name));
  return rule;
}

std::vector<AlertRule> read_rules(TomlFields& fields) {
  std::vector<AlertRule> out;
  for (const TomlScalar& item : fields.texts("rules", kMaxWord)) {
    if (const auto rule = rule_of(fields, item.text, item.line)) out.push_back(*rule);
  }
  return out;
}

// The keys that one rule has besides those that all have.
std::string_view own_key(AlertRule rule) {
  switch (rule) {
    case AlertRule::kPortScan:
      return "ports";
    case AlertRule::kCloseWaitLeak:
      return "connections";
    case AlertRule::kMissing:
    case AlertRule::kPortHeldForDays:
    case AlertRule::kEventLoss:
      return "after";
    default:
      return {};
  }
}

std::optional<base::Error> read_rule(const TomlTable& table, AlertSettings& settings) {
  TomlFields fields(table, {"name", "enabled", "quiet", "ports", "within", "connections", "after"});
  if (!fields.has("name")) fields.blame("name", "name is missing: write name = \"port-scan\"");
  const auto rule = rule_of(fields, fields.text("name", kMaxWord), table.line);
  if (fields.fault()) return fields.fault();
  model::AlertRuleSettings& one = settings.of(*rule);
  one.enabled = fields.boolean("enabled", true);
  read_duration(fields, "quiet", one.quiet_us);
  for (const std::string_view key : {"ports", "within", "connections", "after"}) {
    const bool its_own =
        key == own_key(*rule) || (key == "within" && *rule == AlertRule::kPortScan);
    if (fields.has(key) && !its_own) {
      fields.blame(
          key, "the rule " + std::string(alert_rule_name(*rule)) + " has no key " + quoted(key));
    }
  }
  if (*rule == AlertRule::kPortScan) {
    read_count(fields, "ports", settings.scan_ports);
    read_duration(fields, "within", settings.scan_window_us);
  } else if (*rule == AlertRule::kCloseWaitLeak) {
    read_count(fields, "connections", settings.close_wait);
  } else if (*rule == AlertRule::kMissing) {
    read_duration(fields, "after", settings.missing_after_us);
  } else if (*rule == AlertRule::kPortHeldForDays) {
    read_duration(fields, "after", settings.held_us);
  } else if (*rule == AlertRule::kEventLoss) {
    read_duration(fields, "after", settings.gap_us);
  }
  return fields.fault();
}

bool is_queue_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

void read_webhook(TomlFields& fields, model::AlertSink& sink) {
  sink.url = fields.text("url", kMaxUrl);
  sink.secret_file = fields.text("secret_file", kMaxPath);
  sink.ca_file = fields.text("ca_file", kMaxPath);
  if (!sink.url.starts_with("http://") && !sink.url.starts_with("https://")) {
    fields.blame("url", "a webhook needs a url that begins with https:// or http://");
  }
  if (!sink.secret_file.starts_with('/')) {
    fields.blame("secret_file",
                 "a webhook needs secret_file, the absolute path of a file with its key");
  }
  if (!sink.ca_file.empty() && !sink.ca_file.starts_with('/')) {
    fields.blame("ca_file", "ca_file is not an absolute path");
  }
}

std::optional<base::Error> read_sink(const TomlTable& table, AlertConfig& config) {
  TomlFields fields(table, {"kind", "name", "url", "secret_file", "ca_file", "rules"});
  model::AlertSink sink;
  const std::string kind = fields.text("kind", kMaxWord);
  const bool webhook = kind == alert_sink_name(model::AlertSinkKind::kWebhook);
  if (webhook) {
    sink.kind = model::AlertSinkKind::kWebhook;
    read_webhook(fields, sink);
  } else if (kind == alert_sink_name(model::AlertSinkKind::kSyslog)) {
    sink.kind = model::AlertSinkKind::kSyslog;
  } else if (kind != alert_sink_name(model::AlertSinkKind::kStdout)) {
    fields.blame("kind", R"(kind is none of "stdout", "syslog" and "webhook")");
  }
  for (const std::string_view key : {"url", "secret_file", "ca_file"}) {
    if (!webhook && fields.has(key)) {
      fields.blame(key, quoted(key) + " belongs to a webhook");
    }
  }
  sink.name = fields.has("name") ? fields.text("name", kMaxWord) : kind;
  if (!is_queue_name(sink.name)) {
    fields.blame("name", "name takes letters, digits, \"-\" and \"_\"");
  }
  sink.rules = read_rules(fields);
  if (std::ranges::find(config.sinks, sink.name, &model::AlertSink::name) != config.sinks.end()) {
    fields.blame("name",
                 "there are two sinks called " + quoted(sink.name) + ": give one another name");
  }
  if (config.sinks.size() == kAlertMaxSinks) {
    fields.blame(table.line, "there are more than " + std::to_string(kAlertMaxSinks) + " sinks");
  }
  config.sinks.push_back(std::move(sink));
  return fields.fault();
}

std::optional<base::Error> read_mute(const TomlTable& table, AlertConfig& config) {
  TomlFields fields(table, {"from", "until", "rules", "why"});
  model::AlertMute mute;
  mute.line = table.line;
  for (const std::string_view key : {"from", "until"}) {
    if (!fields.has(key)) fields.blame(key, std::string(key) + " is missing");
  }
  mute.from = fields.text("from", kMaxWord);
  mute.until = fields.text("until", kMaxWord);
  mute.rules = read_rules(fields);
  fields.text("why", kMaxUrl);
  config.mutes.push_back(std::move(mute));
  return fields.fault();
}

std::optional<base::Error> read_top(const TomlTable& table, AlertSettings& settings) {
  TomlFields fields(table, {"quiet", "group"});
  int64_t quiet_us = settings.rules.front().quiet_us;
  read_duration(fields, "quiet", quiet_us);
  for (auto& rule : settings.rules) rule.quiet_us = quiet_us;
  read_duration(fields, "group", settings.group_us);
  return fields.fault();
}

}  // namespace

base::Result<AlertConfig> parse_alert_config(std::string_view text) {
  if (text.size() > kAlertConfigMaxBytes) {
    return toml_fail(1,
                     "the file has more than " + std::to_string(kAlertConfigMaxBytes) + " bytes");
  }
  const auto toml = parse_toml(text);
  if (!toml) return std::unexpected(toml.error());
  AlertConfig out;
  std::optional<base::Error> fault = read_top(toml->top, out.settings);
  for (const TomlTable& table : toml->tables) {
    if (fault) break;
    if (table.repeated && table.name == "rule") {
      fault = read_rule(table, out.settings);
    } else if (table.repeated && table.name == "sink") {
      fault = read_sink(table, out);
    } else if (table.repeated && table.name == "mute") {
      fault = read_mute(table, out);
    } else {
      return toml_fail(table.line, "expected [[rule]], [[sink]] or [[mute]]");
    }
  }
  if (fault) return std::unexpected(*fault);
  if (out.sinks.empty()) {
    out.sinks.push_back({.kind = model::AlertSinkKind::kStdout,
                         .name = "stdout",
                         .url = {},
                         .secret_file = {},
                         .ca_file = {},
                         .rules = {}});
  }
  return out;
}

}  // namespace format
