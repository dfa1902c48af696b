// The ephemeral report as JSON: a part of ephemeral_page.h.
#include <algorithm>
#include <string>
#include <vector>

#include "apps/ephemeral_page.h"
#include "apps/explain_json.h"
#include "apps/inventory_json.h"
#include "ports/port_facts.h"

namespace apps {
namespace {

using base::JsonWriter;
using ports::EphemeralUse;
using ports::Share;

void write_shares(JsonWriter& json, std::string_view name, std::string_view counted,
                  const std::vector<Share>& shares, size_t top) {
  json.key(name).begin_array();
  for (size_t i = 0; i < std::min(top, shares.size()); ++i) {
    json.begin_object().field(counted, shares[i].ports);
    write_program(json, shares[i].program);
    json.end_object();
  }
  json.end_array();
}

void write_destinations(JsonWriter& json, const EphemeralUse& use, size_t top) {
  json.field("destinations_total", static_cast<uint64_t>(use.destinations.size()));
  json.key("destinations").begin_array();
  for (size_t i = 0; i < std::min(top, use.destinations.size()); ++i) {
    const ports::DestinationUse& one = use.destinations[i];
    json.begin_object().field("protocol", "tcp");
    json.field("local_address", model::to_string(one.local));
    write_endpoint(json, "destination", one.destination);
    json.field("used", one.used).field("time_wait", one.time_wait).field("free", one.free);
    json.field("headroom", ports::headroom_name(one.headroom));
    write_shares(json, "programs", "ports", one.programs, top);
    json.end_object();
  }
  json.end_array();
}

void write_idle(JsonWriter& json, const EphemeralUse& use, size_t top) {
  json.key("idle").begin_array();
  for (size_t i = 0; i < std::min(top, use.idle.size()); ++i) {
    const ports::IdleHolder& one = use.idle[i];
    json.begin_object().field("connections", one.connections);
    json.field("longest_idle_s", one.longest_idle_s);
    write_endpoint(json, "example", one.example);
    write_program(json, one.program);
    json.end_object();
  }
  json.end_array();
}

void write_use(JsonWriter& json, const EphemeralUse& use, size_t top) {
  json.begin_object().field("netns", use.netns).field("own", use.own);
  write_text(json, "name", use.name);
  json.field("tables_read", use.tables_read).field("policy_known", use.policy.known);
  write_port_range(json, "range", use.policy.ephemeral);
  json.field("size", use.size).field("reserved", use.reserved);
  json.field("unprivileged_start", use.policy.unprivileged_start);
  json.field("sustained_per_second", use.sustained_per_second());
  json.field("headroom", ports::headroom_name(use.worst));
  json.key("tcp").begin_object().field("in_use", use.tcp_ports).field("taken", use.tcp_taken);
  json.field("time_wait_sockets", use.tcp_time_wait);
  write_destinations(json, use, top);
  json.end_object().key("udp").begin_object();
  json.field("in_use", use.udp_ports).field("free", use.udp_free);
  json.field("headroom", ports::headroom_name(use.udp_headroom)).end_object();
  write_shares(json, "programs", "ports", use.programs, top);
  json.field("unnamed_sockets", use.unnamed_sockets).key("listeners").begin_array();
  for (size_t i = 0; i < std::min(top, use.listeners.size()); ++i) {
    write_hold(json, use.listeners[i]);
  }
  json.end_array().field("listeners_total", static_cast<uint64_t>(use.listeners.size()));
  json.key("bound").begin_array();
  for (size_t i = 0; i < std::min(top, use.bound.size()); ++i) write_hold(json, use.bound[i]);
  json.end_array().field("bound_total", static_cast<uint64_t>(use.bound.size()));
  write_idle(json, use, top);
  write_shares(json, "long_running", "ports", use.long_running, top);
  write_shares(json, "close_wait", "connections", use.close_wait, top);
  json.key("advice").begin_array();
  for (const std::string& sentence : ports::ephemeral_advice(use)) json.string(sentence);
  json.end_array().end_object();
}

}  // namespace

void write_ephemeral(JsonWriter& json, const ports::EphemeralReport& report, unsigned top) {
  json.key("thresholds").begin_object().field("small_percent", ports::kSmallPercent);
  json.field("nearly_out_percent", ports::kNearlyOutPercent).end_object();
  json.key("namespaces").begin_array();
  for (const EphemeralUse& use : report.namespaces) write_use(json, use, top);
  json.end_array();
  write_collector(json, report.collector);
}

}  // namespace apps
