#include "apps/cmd_alerts.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "apps/inventory_json.h"
#include "apps/layout.h"
#include "base/nearest.h"
#include "base/text.h"
#include "disk/alert_store.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

base::Error unknown_rule(const std::string& name) {
  std::vector<std::string_view> names;
  for (const model::AlertRule rule : model::kAlertRules) names.push_back(alert_rule_name(rule));
  std::string message = "there is no rule \"" + base::escape_for_terminal(name) + "\"";
  const std::string_view near = base::nearest_word(name, names);
  if (!near.empty()) message += "; did you mean \"" + std::string(near) + "\"?";
  return {base::ErrorKind::kUsage, message + "\nSee `twinport alerts --help`."};
}

void print(const std::vector<model::Alert>& alerts, size_t more, Context& context) {
  const unsigned width = context.text_width();
  for (const model::Alert& alert : alerts) {
    context.out << ports::local_time_text(alert.time_us, 0) << "  "
                << context.style(alert_rule_name(alert.rule), Tone::kStrong) << "\n"
                << wrap_text(base::escape_for_terminal(alert.sentence) + ".", width, "  ", "  ");
  }
  if (alerts.empty()) context.out << "No alert was told.\n";
  if (more == 0) return;
  context.out.flush();
  context.err << context.error_style(ports::counted(more, "older alert") + "; --limit shows more.",
                                     Tone::kFaint)
              << "\n";
}

void print_json(const std::vector<model::Alert>& alerts, size_t more, Context& context) {
  base::JsonWriter json = context.begin_json("alerts");
  json.field("more", uint64_t{more}).newline();
  json.key("alerts").begin_array();
  for (const model::Alert& alert : alerts) {
    json.newline().begin_object();
    json.field("id", alert.id).field("rule", alert_rule_name(alert.rule));
    json.field("time", ports::rfc3339(alert.time_us)).field("sentence", alert.sentence);
    json.field("facts", alert.facts);
    write_text(json, "about", alert.about);
    write_text(json, "protocol",
               alert.protocol ? protocol_name(*alert.protocol) : std::string_view{});
    json.key("port");
    if (alert.port == 0) {
      json.null();
    } else {
      json.number_unsigned(alert.port);
    }
    write_text(json, "remote", alert.remote);
    write_text(json, "program", alert.program);
    write_text(json, "user", alert.user);
    json.key("pid");
    if (alert.pid == 0) {
      json.null();
    } else {
      json.number(alert.pid);
    }
    json.end_object();
  }
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_alerts(const AlertsOptions& options, Context& context) {
  std::optional<model::AlertRule> rule;
  if (!options.rule.empty()) {
    rule = model::alert_rule_from_name(options.rule);
    if (!rule) return context.fail(unknown_rule(options.rule));
  }
  int64_t since_us = INT64_MIN;
  if (!options.since.empty()) {
    const auto windows = ports::parse_time(options.since, context.machine().clocks().wall_us);
    if (!windows) return context.fail(windows.error());
    since_us = windows->front().from_us;
  }
  auto log = disk::AlertStore(context.state_directory).read_log();
  if (!log && log.error().kind != base::ErrorKind::kNotFound) return context.fail(log.error());
  std::vector<model::Alert> alerts = log ? std::move(*log) : std::vector<model::Alert>{};
  std::erase_if(alerts, [&](const model::Alert& alert) {
    return alert.time_us < since_us || (rule && alert.rule != *rule);
  });
  std::ranges::reverse(alerts);
  const size_t more = alerts.size() > options.limit ? alerts.size() - options.limit : 0;
  alerts.resize(alerts.size() - more);
  if (context.json) {
    print_json(alerts, more, context);
  } else {
    print(alerts, more, context);
  }
  return kDone;
}

}  // namespace apps
