// What `doctor` found as JSON: a part of doctor_page.h.
#include <cstring>

#include "apps/doctor_page.h"
#include "apps/explain_json.h"
#include "apps/inventory_json.h"

namespace apps {
namespace {

using base::JsonWriter;

void write_findings(JsonWriter& json, const ports::Diagnosis& diagnosis) {
  json.key("findings").begin_array();
  for (const ports::Finding& finding : diagnosis.findings) {
    json.newline();
    json.begin_object().field("kind", ports::finding_name(finding.kind)).key("port");
    if (finding.port == 0) {
      json.null();
    } else {
      json.number_unsigned(finding.port);
    }
    json.field("finding", finding.sentence).field("remedy", finding.remedy).end_object();
  }
  json.end_array().newline();
}

void write_trials(JsonWriter& json, const ports::PortCheckup& port) {
  json.key("trials").begin_array();
  for (const model::BindTrial& trial : port.trials) {
    json.begin_object().field("address", to_string(trial.at.address));
    json.field("outcome", model::bind_outcome_name(trial.outcome));
    const char* name = trial.error_number == 0 ? nullptr : strerrorname_np(trial.error_number);
    write_text(json, "error", name == nullptr ? "" : name);
    json.end_object();
  }
  json.end_array();
}

void write_port(JsonWriter& json, const ports::PortCheckup& port) {
  json.newline();
  json.begin_object().field("port", port.port);
  write_text(json, "channel", ports::channel_name(port.channel));
  json.field("can_bind", port.can_bind).field("sentence", port.sentence);
  write_text(json, "note", port.note);
  write_trials(json, port);
  write_text(json, "headline", port.held.headline);
  json.key("holds").begin_array();
  for (const ports::Hold& hold : port.held.holds) write_hold(json, hold);
  json.end_array().key("published").begin_array();
  for (const model::PublishedPort& rule : port.held.published) write_published(json, rule);
  json.end_array().key("behind_published").begin_array();
  for (const ports::Hold& hold : port.held.behind_published) write_hold(json, hold);
  json.end_array().end_object();
}

void write_peer(JsonWriter& json, const DoctorAnswer& answer) {
  json.key("peer");
  if (!answer.peer) {
    json.null().newline();
    return;
  }
  json.begin_object().field("host", answer.peer->host);
  json.field("reachable", ports::is_reachable(*answer.peer));
  write_text(json, "unresolved", answer.peer->unresolved);
  json.key("probes").begin_array();
  for (const model::Probe& probe : answer.peer->probes) {
    json.begin_object().field("address", to_string(probe.to.address)).field("port", probe.to.port);
    json.field("outcome", model::probe_outcome_name(probe.outcome));
    const char* name = probe.error_number == 0 ? nullptr : strerrorname_np(probe.error_number);
    write_text(json, "error", name == nullptr ? "" : name);
    write_text(json, "said_by", probe.said_by ? to_string(*probe.said_by) : "");
    json.field("waited_ms", probe.waited_ms).field("sentence", ports::probe_in_words(probe));
    json.end_object();
  }
  json.end_array().end_object().newline();
}

void write_fallback(JsonWriter& json, const DoctorAnswer& answer) {
  json.key("fallback");
  if (!answer.fallback) {
    json.null().newline();
    return;
  }
  const ports::Fallback& fallback = *answer.fallback;
  json.begin_object();
  write_port_range(json, "range", fallback.range);
  json.key("first");
  if (const auto first = fallback.first()) {
    json.number_unsigned(*first);
  } else {
    json.null();
  }
  json.key("free").begin_array();
  for (const uint16_t port : fallback.free) json.number_unsigned(port);
  json.end_array().key("passed_over").begin_array();
  for (const ports::PassedOverPort& port : fallback.passed_over) {
    json.begin_object().field("port", port.port);
    json.field("kind", ports::passed_over_name(port.kind));
    write_text(json, "why", port.why);
    json.end_object();
  }
  json.end_array().end_object().newline();
}

}  // namespace

void write_doctor(JsonWriter& json, const DoctorAnswer& answer) {
  write_text(json, "understood", answer.understood);
  json.field("needs_attention", answer.diagnosis.needs_attention());
  json.field("next_step", answer.diagnosis.next_step).newline();
  write_findings(json, answer.diagnosis);
  json.field("netns", answer.netns).field("unprivileged_start", answer.policy.unprivileged_start);
  json.key("ports").begin_array();
  for (const ports::PortCheckup& port : answer.diagnosis.ports) write_port(json, port);
  json.end_array().newline();
  write_fallback(json, answer);
  write_peer(json, answer);
  write_collector(json, answer.report);
  json.key("gaps").begin_array();
  for (const std::string& gap : answer.gaps) json.string(gap);
  json.end_array();
}

}  // namespace apps
