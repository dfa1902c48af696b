#include "apps/explain_json.h"

#include <string>
#include <string_view>

#include "apps/inventory_json.h"
#include "apps/knowledge_json.h"

namespace apps {
namespace {

using base::JsonWriter;

template <class Strings>
void write_strings(JsonWriter& json, std::string_view name, const Strings& strings) {
  json.key(name).begin_array();
  for (const auto& text : strings) json.string(text);
  json.end_array();
}

void write_protocol(JsonWriter& json, std::optional<model::Protocol> protocol) {
  write_text(json, "protocol", protocol ? model::protocol_name(*protocol) : std::string_view{});
}

void write_ranges(JsonWriter& json, const std::vector<model::PortRange>& ranges) {
  json.key("ports").begin_array();
  for (const auto range : ranges) {
    json.begin_object().field("first", range.first).field("last", range.last).end_object();
  }
  json.end_array();
}

void write_steps(JsonWriter& json, const std::vector<ports::NextStep>& steps) {
  json.key("next_steps").begin_array();
  for (const auto& step : steps) {
    json.begin_object().field("sentence", step.sentence);
    write_text(json, "command", step.command);
    json.end_object();
  }
  json.end_array();
}

void write_assessment(JsonWriter& json, const ports::Assessment& assessment) {
  json.key("safety").begin_object();
  json.field("level", ports::level_name(assessment.level)).field("sentence", assessment.sentence);
  json.key("evidence").begin_array();
  for (const auto& evidence : assessment.evidence) {
    json.begin_object().field("name", evidence.name);
    json.field("leaning", ports::leaning_name(evidence.leaning));
    json.field("asks", ports::level_name(evidence.asks));
    write_text(json, "about", evidence.about);
    json.field("sentence", evidence.sentence).end_object();
  }
  json.end_array();
  write_steps(json, assessment.next_steps);
  json.end_object();
}

void write_holds(JsonWriter& json, std::string_view name, const std::vector<ports::Hold>& holds) {
  json.key(name).begin_array();
  for (const auto& hold : holds) write_hold(json, hold);
  json.end_array();
}

void write_rules(JsonWriter& json, const std::vector<model::PublishedPort>& rules) {
  json.key("published").begin_array();
  for (const auto& rule : rules) write_published(json, rule);
  json.end_array();
}

void write_view(JsonWriter& json, const ports::NamespaceView& view) {
  json.begin_object().field("netns", view.netns);
  write_text(json, "name", view.name);
  json.field("known", view.known).field("privileged", view.privileged);
  json.field("in_ephemeral_range", view.in_ephemeral_range).field("reserved", view.reserved);
  json.field("ephemeral", view.handed_out);
  write_port_range(json, "ephemeral_range", view.ephemeral);
  json.field("ephemeral_ports", view.ephemeral_size);
  json.field("unprivileged_start", view.unprivileged_start).end_object();
}

void write_facts(JsonWriter& json, const ports::PortFacts& facts) {
  json.key("facts").begin_object();
  json.field("rfc6335_class", model::port_class_name(facts.rfc_class));
  json.field("rfc_and_kernel_differ", facts.rfc_and_kernel_differ());
  json.key("own");
  write_view(json, facts.own);
  json.key("differing").begin_array();
  for (const auto& view : facts.differing) write_view(json, view);
  json.end_array();
  write_strings(json, "sentences", ports::port_facts_in_words(facts));
  json.end_object();
}

void write_registrations(JsonWriter& json, const std::vector<ports::Registration>& registrations) {
  json.key("registrations").begin_array();
  for (const auto& one : registrations) {
    write_registration(json, one.entry, one.protocols, &one.ghost);
  }
  json.end_array();
}

void write_uses(JsonWriter& json, const std::vector<const model::KnownUse*>& uses) {
  json.key("known_uses").begin_array();
  for (const model::KnownUse* use : uses) write_known_use(json, *use);
  json.end_array();
}

void write_checks(JsonWriter& json, const std::vector<ports::HandCheck>& checks) {
  json.key("checks_by_hand").begin_array();
  for (const auto& check : checks) {
    json.begin_object().field("system", check.system).field("purpose", check.purpose);
    json.field("command", check.command).end_object();
  }
  json.end_array();
}

}  // namespace

void write_program(JsonWriter& json, const ports::Program& program) {
  json.key("pids").begin_array();
  for (const int32_t pid : program.pids) json.number(pid);
  json.end_array().key("process");
  write_process(json, program.process);
}

void write_hold(JsonWriter& json, const ports::Hold& hold) {
  json.begin_object();
  json.field("port", hold.port).field("role", ports::hold_role_name(hold.role));
  json.field("protocol", model::protocol_name(hold.protocol));
  json.field("netns", hold.netns).field("own_namespace", hold.own_namespace);
  json.field("holding", model::holding_name(hold.holding));
  json.field("sockets", hold.sockets).field("unlisted", hold.unlisted);
  json.key("creator_uids").begin_array();
  for (const uint32_t uid : hold.creators) json.number_unsigned(uid);
  json.end_array();
  json.key("addresses").begin_array();
  for (const auto& address : hold.addresses) json.string(model::to_string(address));
  json.end_array().field("reach", ports::reach_name(hold.reach));
  json.key("takes_ipv4");
  if (hold.takes_ipv4) {
    json.boolean(*hold.takes_ipv4);
  } else {
    json.null();
  }
  json.key("interfaces").begin_array();
  for (const uint32_t index : hold.interfaces) json.number_unsigned(index);
  json.end_array().key("states").begin_array();
  for (const auto& count : hold.states) {
    json.begin_object().field("state", model::state_name(count.state, hold.protocol));
    json.field("sockets", count.sockets).end_object();
  }
  json.end_array().key("peers").begin_array();
  for (const auto& peer : hold.peers) {
    json.begin_object().field("address", model::to_string(peer.remote.address)).key("port");
    if (peer.remote.port == 0) {
      json.null();
    } else {
      json.number_unsigned(peer.remote.port);
    }
    json.field("connections", peer.connections).end_object();
  }
  json.end_array().field("peers_total", hold.peers_total);
  json.field("waiting", hold.waiting).field("backlog", hold.backlog);
  json.field("queue_full", hold.queue_full).key("programs").begin_array();
  for (const auto& program : hold.programs) {
    json.begin_object();
    write_program(json, program);
    json.end_object();
  }
  json.end_array().end_object();
}

void write_explanation(JsonWriter& json, const ports::Explanation& of, bool attention) {
  json.field("kind", "port").field("port", of.port);
  write_protocol(json, of.protocol);
  write_text(json, "address", of.address ? model::to_string(*of.address) : std::string());
  write_text(json, "understood", of.understood);
  json.field("headline", of.headline);
  write_text(json, "summary", of.summary);
  json.field("verdict", verdict_name(of.verdict.kind)).field("verdict_reason", of.verdict.reason);
  json.field("needs_attention", attention);
  write_assessment(json, of.assessment);
  json.field("held", of.somebody_holds);
  write_holds(json, "holds", of.holds);
  write_rules(json, of.published);
  write_holds(json, "behind_published", of.behind_published);
  json.key("absence").begin_object();
  write_strings(json, "reasons", of.absence.reasons);
  write_steps(json, of.absence.next_steps);
  json.end_object();
  write_facts(json, of.facts);
  write_registrations(json, of.registrations);
  write_uses(json, of.uses);
  write_checks(json, of.checks);
  write_strings(json, "gaps", of.gaps);
  write_collector(json, of.report);
}

void write_range_explanation(JsonWriter& json, const ports::RangeExplanation& of, bool attention) {
  json.field("kind", "range");
  write_ranges(json, of.ports);
  write_protocol(json, of.protocol);
  write_text(json, "understood", of.understood);
  json.field("headline", of.headline).field("needs_attention", attention);
  json.field("size", of.size).field("system", of.system).field("user", of.user);
  json.field("dynamic", of.dynamic).field("ephemeral", of.ephemeral);
  json.field("registered", of.registered).field("ghosts", of.ghosts);
  json.key("open").begin_array();
  for (const auto& held : of.held) {
    json.begin_object().field("port", held.port);
    write_assessment(json, held.assessment);
    write_holds(json, "holds", held.holds);
    write_rules(json, held.published);
    json.end_object();
  }
  json.end_array();
  write_registrations(json, of.registrations);
  write_uses(json, of.uses);
  write_checks(json, of.checks);
  write_strings(json, "gaps", of.gaps);
  write_collector(json, of.report);
}

}  // namespace apps
