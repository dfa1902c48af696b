#include "apps/expect_json.h"

#include "apps/inventory_json.h"

namespace apps {

void write_strings(base::JsonWriter& json, std::string_view key,
                   const std::vector<std::string>& names) {
  json.key(key).begin_array();
  for (const std::string& name : names) json.string(name);
  json.end_array();
}

void write_expectation_place(base::JsonWriter& json, std::string_view name,
                             const model::Expectation* expectation) {
  json.key(name);
  if (expectation == nullptr || expectation->file.empty()) {
    json.null();
    return;
  }
  json.begin_object().field("file", expectation->file);
  json.field("line", uint64_t{expectation->line});
  write_text(json, "why", expectation->why);
  write_text(json, "owner", expectation->owner);
  json.end_object();
}

void write_expectation_fields(base::JsonWriter& json, const model::Expectation& one) {
  json.field("direction", one.outgoing ? "outgoing" : "open");
  json.key("protocols").begin_array();
  for (const auto protocol : one.protocols) json.string(protocol_name(protocol));
  json.end_array().key("ports").begin_array();
  for (const model::PortRange range : one.ports) {
    json.begin_object().field("first", range.first).field("last", range.last).end_object();
  }
  json.end_array().key("scopes").begin_array();
  for (const model::Scope& scope : one.scopes) json.string(to_string(scope));
  json.end_array().key("holder").begin_object();
  write_strings(json, "exe", one.holder.exes);
  write_strings(json, "unit", one.holder.units);
  write_strings(json, "package", one.holder.packages);
  write_strings(json, "container", one.holder.containers);
  write_strings(json, "user", one.holder.users);
  json.end_object();
  json.field("presence", one.presence == model::Presence::kAlways ? "always" : "sometimes");
  json.field("published", one.published);
  write_text(json, "netns", one.netns);
  write_expectation_place(json, "place", &one);
}

}  // namespace apps
