#include "apps/knowledge_json.h"

#include <string_view>
#include <vector>

#include "apps/inventory_json.h"

namespace apps {
namespace {

std::string_view direction_name(model::Direction direction) {
  switch (direction) {
    case model::Direction::kInbound:
      return "inbound";
    case model::Direction::kOutbound:
      return "outbound";
    case model::Direction::kBoth:
      return "both";
  }
  return "unknown";
}

void write_words(base::JsonWriter& json, std::string_view name,
                 const std::vector<std::string_view>& words) {
  json.key(name).begin_array();
  for (const std::string_view word : words) json.string(word);
  json.end_array();
}

void write_protocols(base::JsonWriter& json, std::span<const model::Protocol> protocols) {
  json.key("protocols").begin_array();
  for (const model::Protocol protocol : protocols) json.string(model::protocol_name(protocol));
  json.end_array();
}

}  // namespace

void write_registration(base::JsonWriter& json, const model::RegistryEntry& entry,
                        std::span<const model::Protocol> protocols,
                        const ports::GhostJudgement* ghost) {
  json.begin_object();
  write_port_range(json, "ports", entry.ports);
  write_protocols(json, protocols);
  write_text(json, "service", entry.service);
  write_text(json, "description", entry.description);
  write_text(json, "assignee", entry.assignee);
  write_text(json, "contact", entry.contact);
  write_text(json, "registered", entry.registered);
  write_text(json, "modified", entry.modified);
  write_text(json, "reference", entry.reference);
  write_text(json, "unauthorized", entry.unauthorized);
  write_text(json, "notes", entry.notes);
  if (ghost != nullptr) {
    json.field("ghost", ghost->ghost).key("ghost_signals").begin_array();
    for (const ports::GhostSignal& signal : ghost->signals) {
      json.begin_object().field("name", signal.name).field("present", signal.present);
      json.field("evidence", signal.evidence).end_object();
    }
    json.end_array();
  }
  json.end_object();
}

void write_known_use(base::JsonWriter& json, const model::KnownUse& use) {
  json.begin_object();
  json.key("ports").begin_array();
  for (const model::PortRange range : use.ports) {
    json.begin_object().field("first", range.first).field("last", range.last).end_object();
  }
  json.end_array();
  write_protocols(json, use.protocols);
  json.field("software", use.software);
  write_text(json, "service", use.service);
  write_text(json, "role", use.role);
  json.field("direction", direction_name(use.direction));
  write_words(json, "exes", use.exes);
  write_words(json, "packages", use.packages);
  write_words(json, "units", use.units);
  write_text(json, "summary", use.summary);
  write_text(json, "firewall", use.firewall);
  write_text(json, "profile", use.profile);
  write_text(json, "source", use.source);
  json.end_object();
}

}  // namespace apps
