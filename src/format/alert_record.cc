#include "format/alert_record.h"

#include <array>
#include <ctime>
#include <optional>

#include "base/json_writer.h"
#include "base/text.h"
#include "format/toml_subset.h"

namespace format {
namespace {

using model::Alert;

constexpr size_t kMostFacts = 100'000;
constexpr std::string_view kEntry = "[[alert]]\n";

std::string rfc3339(int64_t time_us) {
  const std::time_t seconds = time_us / 1'000'000;
  std::tm parts{};
  std::array<char, 32> text{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

void add_text(base::JsonWriter& json, std::string_view name, std::string_view text) {
  json.key(name);
  if (text.empty()) {
    json.null();
  } else {
    json.string(text);
  }
}

void add_number(base::JsonWriter& json, std::string_view name, int64_t number) {
  json.key(name);
  if (number == 0) {
    json.null();
  } else {
    json.number(number);
  }
}

std::string_view protocol_of(const Alert& alert) {
  return alert.protocol ? protocol_name(*alert.protocol) : std::string_view{};
}

void add_pair(std::string& out, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  // Escaped, so that it is valid text whatever it was made of.
  out.append(key).append(" = ").append(toml_quoted(base::escape_controls(text))).append("\n");
}

void add_pair(std::string& out, std::string_view key, int64_t number) {
  if (number != 0) out.append(key).append(" = ").append(std::to_string(number)).append("\n");
}

std::string text_at(const TomlTable& table, std::string_view key) {
  const TomlValue* value = table.find(key);
  const bool is_text =
      value != nullptr && !value->is_list && value->items.front().kind == TomlKind::kText;
  return is_text ? value->items.front().text : std::string();
}

int64_t number_at(const TomlTable& table, std::string_view key) {
  const TomlValue* value = table.find(key);
  const bool is_number =
      value != nullptr && !value->is_list && value->items.front().kind == TomlKind::kInteger;
  return is_number ? value->items.front().integer : 0;
}

std::optional<Alert> read_entry(std::string_view entry) {
  const auto toml = parse_toml(entry);
  if (!toml || toml->tables.size() != 1) return std::nullopt;
  const TomlTable& table = toml->tables.front();
  const auto rule = model::alert_rule_from_name(text_at(table, "rule"));
  Alert out;
  out.time_us = number_at(table, "time_us");
  out.sentence = text_at(table, "sentence");
  if (!rule || out.time_us == 0 || out.sentence.empty()) return std::nullopt;
  out.rule = *rule;
  out.id = text_at(table, "id");
  out.about = text_at(table, "about");
  out.program = text_at(table, "program");
  out.user = text_at(table, "user");
  out.remote = text_at(table, "remote");
  out.protocol = model::protocol_from_name(text_at(table, "protocol"));
  const int64_t port = number_at(table, "port");
  const int64_t pid = number_at(table, "pid");
  const int64_t facts = number_at(table, "facts");
  out.port = port > 0 && port <= 65535 ? static_cast<uint16_t>(port) : uint16_t{0};
  out.pid = pid > 0 && pid <= INT32_MAX ? static_cast<int32_t>(pid) : 0;
  out.facts = facts > 0 && facts <= INT32_MAX ? static_cast<uint32_t>(facts) : 1;
  return out;
}

}  // namespace

std::string alert_as_json(const Alert& alert, std::string_view host) {
  std::string out;
  base::JsonWriter json([&out](std::string_view block) { out += block; });
  json.begin_object().field("schema", "twinport/1").field("event", "alert");
  json.field("id", alert.id).field("host", host).field("rule", alert_rule_name(alert.rule));
  json.field("time", rfc3339(alert.time_us)).field("sentence", alert.sentence);
  json.field("facts", alert.facts);
  add_text(json, "about", alert.about);
  add_text(json, "protocol", protocol_of(alert));
  add_number(json, "port", alert.port);
  add_text(json, "remote", alert.remote);
  add_text(json, "program", alert.program);
  add_text(json, "user", alert.user);
  add_number(json, "pid", alert.pid);
  json.end_object();
  json.finish();
  return out;
}

std::string alert_as_line(const Alert& alert) {
  return std::string(alert_rule_name(alert.rule)) + ": " +
         base::escape_for_terminal(alert.sentence);
}

std::string alert_as_log_entry(const Alert& alert) {
  std::string out = "\n";
  out += kEntry;
  add_pair(out, "rule", alert_rule_name(alert.rule));
  add_pair(out, "id", alert.id);
  add_pair(out, "time", rfc3339(alert.time_us));
  add_pair(out, "time_us", alert.time_us);
  add_pair(out, "sentence", alert.sentence);
  add_pair(out, "facts", int64_t{alert.facts});
  add_pair(out, "about", alert.about);
  add_pair(out, "protocol", protocol_of(alert));
  add_pair(out, "port", int64_t{alert.port});
  add_pair(out, "remote", alert.remote);
  add_pair(out, "program", alert.program);
  add_pair(out, "user", alert.user);
  add_pair(out, "pid", int64_t{alert.pid});
  return out;
}

std::vector<Alert> parse_alert_log(std::string_view text) {
  std::vector<Alert> out;
  for (size_t at = text.find(kEntry); at != std::string_view::npos;) {
    const size_t next = text.find("\n[[alert]]\n", at + kEntry.size());
    const size_t end = next == std::string_view::npos ? text.size() : next + 1;
    if (auto alert = read_entry(text.substr(at, end - at))) out.push_back(std::move(*alert));
    at = next == std::string_view::npos ? next : next + 1;
  }
  return out;
}

std::string facts_as_text(const std::vector<FactLine>& facts) {
  std::string out;
  for (const FactLine& fact : facts) {
    out += std::to_string(fact.seen_us) + '\t' + fact.key + '\n';
  }
  return out;
}

std::vector<FactLine> parse_facts(std::string_view text) {
  std::vector<FactLine> out;
  while (!text.empty() && out.size() < kMostFacts) {
    if (!text.contains('\n')) break;  // cut off
    std::string_view line = base::take_until(text, '\n');
    const auto seen_us = base::parse_number<int64_t>(base::take_until(line, '\t'));
    if (seen_us && !line.empty()) out.push_back({std::string(line), *seen_us});
  }
  return out;
}

}  // namespace format
