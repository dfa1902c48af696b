#include "apps/timeline_json.h"

#include <optional>

#include "apps/inventory_json.h"
#include "ports/time_query.h"

namespace apps {
namespace {

using base::JsonWriter;

void write_time(JsonWriter& json, std::string_view name, std::optional<int64_t> time_us) {
  write_text(json, name, time_us ? ports::rfc3339(*time_us) : "");
}

void write_recorded(JsonWriter& json, const model::RecordedProcess& process) {
  json.begin_object().field("pid", process.pid).field("uid", process.uid);
  write_text(json, "user", process.user);
  write_text(json, "command", process.command);
  write_text(json, "exe", process.exe);
  write_text(json, "unit", process.unit);
  write_text(json, "container", process.container);
  json.field("parent_pid", process.parent_pid);
  write_text(json, "parent_command", process.parent_command);
  json.end_object();
}

void write_recorded(JsonWriter& json, std::string_view name,
                    const std::optional<model::RecordedProcess>& process) {
  json.key(name);
  if (process) {
    write_recorded(json, *process);
  } else {
    json.null();
  }
}

}  // namespace

void begin_row(JsonWriter& json, const ports::TimelineRow& row) {
  const model::RecordedSocket& socket = row.socket;
  json.begin_object();
  write_time(json, "opened", socket.opened_us);
  write_time(json, "closed", socket.closed_us);
  json.key("lasted_us");
  if (socket.closed_boot_us) {
    json.number(*socket.closed_boot_us - socket.opened_boot_us);
  } else {
    json.null();
  }
  json.field("opened_before", socket.opened_before).field("close_unseen", socket.close_unseen);
  json.field("protocol", model::protocol_name(socket.protocol));
  json.field("role", model::socket_role_name(socket.role));
  write_endpoint(json, "local", socket.local);
  write_endpoint(json, "remote", socket.remote);
  json.field("netns", socket.netns).field("interface", socket.interface);
  json.field("boot", socket.boot).field("cookie", socket.cookie).field("error", socket.error);
  write_recorded(json, "owner", row.owner);
  json.field("owner_proof", model::owner_proof_name(socket.proof));
  write_text(json, "owner_reason", socket.owner_reason);
  write_recorded(json, "creator", row.creator);
  json.key("also_held_by").begin_array();
  for (const auto& process : row.also_held_by) write_recorded(json, process);
  json.end_array();
  json.field("bytes_sent", socket.totals.bytes_sent);
  json.field("bytes_received", socket.totals.bytes_received);
  json.field("rtt_us", socket.totals.rtt_us).field("retransmits", socket.totals.retransmits);
}

void write_totals(JsonWriter& json, const model::RecordingTotals& totals) {
  json.field("events", totals.events).field("sockets_ended", totals.sockets);
  json.field("looks", totals.looks);
  json.key("lost").begin_object();
  json.field("ring_full", totals.lost.ring_full);
  json.field("recursion_misses", totals.lost.recursion_misses);
  json.field("storage_full", totals.lost.storage_full);
  json.end_object();
  json.field("rows_dropped", totals.rows_dropped).field("writes_failed", totals.writes_failed);
}

void write_gap(JsonWriter& json, const model::RecordedGap& gap) {
  json.begin_object().field("kind", gap.kind);
  write_time(json, "from", gap.from_us);
  write_time(json, "until", gap.until_us);
  json.field("lost", gap.lost).end_object();
}

void write_past(JsonWriter& json, const ports::PastAnswer& answer) {
  json.key("windows").begin_array();
  for (const auto& window : answer.question.windows) {
    json.begin_object();
    write_time(json, "from", window.from_us);
    write_time(json, "until", window.until_us);
    json.end_object();
  }
  json.end_array();
  json.field("headline", ports::past_headline(answer));
  json.field("recorded", ports::covered_name(answer.coverage.covered));
  json.key("unrecorded").begin_array();
  for (const auto& part : answer.coverage.unrecorded) {
    json.begin_object().field("reason", part.reason);
    write_time(json, "from", part.window.from_us);
    write_time(json, "until", part.window.until_us);
    json.field("lost", part.lost).end_object();
  }
  json.end_array();
  const bool known = answer.oldest_us != 0;
  write_text(json, "reaches_back_to", known ? ports::rfc3339(answer.oldest_us) : "");
  write_text(json, "recorded_until", known ? ports::rfc3339(answer.recorded_until_us) : "");
  json.field("sees_all", !answer.own_only).field("more", answer.more).newline();
  json.key("rows").begin_array();
  for (const auto& group : answer.groups) {
    for (const auto& row : group.rows) {
      json.newline();
      begin_row(json, row);
      json.field("relation", ports::past_relation_name(group.relation)).end_object();
    }
  }
  json.end_array();
}

}  // namespace apps
