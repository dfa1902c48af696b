#include "apps/inventory_json.h"

#include <array>
#include <ctime>

namespace apps {
namespace {

using base::JsonWriter;
using model::Socket;

std::string_view timer_name(model::TimerKind timer) {
  switch (timer) {
    case model::TimerKind::kOff:
      return "off";
    case model::TimerKind::kRetransmit:
      return "retransmit";
    case model::TimerKind::kKeepalive:
      return "keepalive";
    case model::TimerKind::kTimeWait:
      return "time-wait";
    case model::TimerKind::kPersist:
      return "persist";
  }
  return "unknown";
}

/// 0 = not known to the collector, or there is none.
void write_known(JsonWriter& json, std::string_view name, uint64_t value) {
  json.key(name);
  if (value == 0) {
    json.null();
  } else {
    json.number_unsigned(value);
  }
}

void write_owners(JsonWriter& json, const model::Inventory& inventory, const Socket& socket) {
  json.key("owners").begin_array();
  for (const model::Owner& owner : inventory.owners_of(socket)) {
    const model::Process& process = inventory.processes[owner.process];
    json.begin_object();
    json.field("pid", process.pid).field("fd", owner.fd).field("command", process.command);
    if (owner.tid != process.pid) json.field("tid", owner.tid);
    json.end_object();
  }
  json.end_array();
}

void write_detail(JsonWriter& json, const model::TcpDetail& detail) {
  json.key("tcp").begin_object();
  json.field("congestion_control", detail.congestion_control);
  json.field("rtt_us", detail.rtt_us).field("rtt_variation_us", detail.rtt_variation_us);
  json.field("rto_us", detail.rto_us);
  json.field("send_mss_bytes", detail.send_mss_bytes);
  json.field("receive_mss_bytes", detail.receive_mss_bytes);
  json.field("path_mtu_bytes", detail.path_mtu_bytes);
  json.field("congestion_window", detail.congestion_window);
  json.field("slow_start_threshold", detail.slow_start_threshold);
  json.field("retransmits_total", detail.retransmits_total).field("lost", detail.lost);
  json.field("reordering", detail.reordering);
  json.field("last_data_sent_ms", detail.last_data_sent_ms);
  json.field("last_data_received_ms", detail.last_data_received_ms);
  json.field("bytes_sent", detail.bytes_sent).field("bytes_acked", detail.bytes_acked);
  json.field("bytes_received", detail.bytes_received);
  json.field("segments_out", detail.segments_out).field("segments_in", detail.segments_in);
  json.field("delivery_rate_bytes_per_s", detail.delivery_rate_bytes_per_s);
  json.field("pacing_rate_bytes_per_s", detail.pacing_rate_bytes_per_s);
  json.end_object();
}

}  // namespace

std::string utc_time(int64_t unix_s) {
  const std::time_t time = unix_s;
  std::tm parts{};
  std::array<char, 32> text{};
  if (gmtime_r(&time, &parts) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string_view package_check_name(model::PackageCheck check) {
  switch (check) {
    case model::PackageCheck::kNotAsked:
      return "not-asked";
    case model::PackageCheck::kIntact:
      return "intact";
    case model::PackageCheck::kModified:
      return "modified";
    case model::PackageCheck::kNoChecksum:
      return "no-checksum";
    case model::PackageCheck::kUnreadable:
      return "unreadable";
  }
  return "unknown";
}

void write_text(JsonWriter& json, std::string_view name, std::string_view text) {
  json.key(name);
  if (text.empty()) {
    json.null();
  } else {
    json.string(text);
  }
}

void write_endpoint(JsonWriter& json, std::string_view name, const model::Endpoint& endpoint) {
  json.key(name);
  if (endpoint.port == 0 && endpoint.address.is_any()) {
    json.null();
    return;
  }
  char text[model::kLongestAddress];
  const char* end = model::format_address(endpoint.address, text);
  json.begin_object();
  json.field("address", std::string_view(text, end)).field("port", endpoint.port);
  json.end_object();
}

void write_port_range(JsonWriter& json, std::string_view name, model::PortRange range) {
  json.key(name).begin_object();
  json.field("first", range.first).field("last", range.last);
  json.end_object();
}

void write_collector(JsonWriter& json, const model::CollectorReport& report) {
  json.key("collector").begin_object();
  json.field("name", model::collector_name(report.kind)).field("why", report.why);
  json.field("complete", report.complete).field("processes_hidden", report.processes_hidden);
  json.key("blind_spots").begin_array();
  for (const std::string& sentence : report.blind_spots) json.string(sentence);
  json.end_array().end_object();
}

void write_namespace(JsonWriter& json, const model::NetNamespace& netns) {
  json.begin_object();
  json.field("netns", netns.inode).field("own", netns.own);
  write_text(json, "name", netns.name);
  json.field("tables_read", netns.tables_read);
  if (!netns.why.empty()) json.field("why", netns.why);
  json.key("sample_pid");
  if (netns.sample_pid == 0) {
    json.null();
  } else {
    json.number(netns.sample_pid);
  }
  json.key("policy");
  if (!netns.policy.known) {
    json.null();
  } else {
    json.begin_object();
    write_port_range(json, "ephemeral", netns.policy.ephemeral);
    json.key("reserved").begin_array();
    for (const model::PortRange range : netns.policy.reserved) {
      json.begin_object().field("first", range.first).field("last", range.last).end_object();
    }
    json.end_array().field("unprivileged_start", netns.policy.unprivileged_start).end_object();
  }
  json.end_object();
}

void write_process(JsonWriter& json, const model::Process& process) {
  const model::Placement& placement = process.placement;
  json.begin_object();
  json.field("pid", process.pid).field("parent_pid", process.parent_pid);
  write_text(json, "command", process.command);
  write_text(json, "exe", process.exe);
  json.field("exe_deleted", process.exe_deleted).field("exe_elsewhere", process.exe_elsewhere);
  write_text(json, "script_kind", model::script_kind_name(process.script.kind));
  write_text(json, "script", process.script.name);
  json.key("uid");
  if (process.gone || process.user.empty()) {
    json.null();
  } else {
    json.number_unsigned(process.uid);
  }
  write_text(json, "user", process.user);
  write_text(json, "started",
             process.start_time_unix_s == 0 ? "" : utc_time(process.start_time_unix_s));
  write_text(json, "unit", placement.unit);
  write_text(json, "user_unit", placement.user_unit);
  write_text(json, "container", placement.container);
  write_text(json, "container_runtime", placement.container_runtime);
  write_text(json, "container_unit", placement.container_unit);
  write_text(json, "pod", placement.pod);
  write_text(json, "cgroup", placement.cgroup);
  write_text(json, "package", process.package);
  write_text(json, "package_version", process.package_version);
  json.field("package_looked_up", process.package_looked_up);
  json.field("package_check", package_check_name(process.package_check));
  json.field("kernel_thread", process.is_kernel_thread);
  json.field("details_hidden", process.details_hidden).field("gone", process.gone);
  json.key("ancestors").begin_array();
  for (const model::Ancestor& ancestor : process.ancestors) {
    json.begin_object();
    json.field("pid", ancestor.pid).field("command", ancestor.command);
    json.end_object();
  }
  json.end_array().end_object();
}

void write_published(JsonWriter& json, const model::PublishedPort& published) {
  json.begin_object();
  json.field("protocol", model::protocol_name(published.protocol));
  write_port_range(json, "ports", published.ports);
  json.field("netns", published.netns);
  write_text(json, "destination",
             published.destination_bits == 0
                 ? ""
                 : to_string(published.destination) + "/" +
                       std::to_string(unsigned{published.destination_bits}));
  write_text(json, "target", published.target.is_any() ? "" : to_string(published.target));
  if (published.target_ports.last == 0) {
    json.key("target_ports").null();
  } else {
    write_port_range(json, "target_ports", published.target_ports);
  }
  json.field("outgoing_only", published.outgoing_only);
  write_text(json, "conditions", published.conditions);
  json.field("rule", published.rule).end_object();
}

void write_socket(JsonWriter& json, const model::Inventory& inventory, const Socket& socket,
                  const model::Verdict* verdict) {
  json.begin_object();
  json.field("protocol", model::protocol_name(socket.protocol));
  json.field("family", socket.local.address.family == model::Family::kIpv4 ? "ipv4" : "ipv6");
  json.field("state", model::state_name(socket.state, socket.protocol));
  char text[model::kLongestAddress];
  const char* end = model::format_address(socket.local.address, text);
  json.key("local").begin_object();
  json.field("address", std::string_view(text, end));
  if (socket.protocol == model::Protocol::kRaw) {
    json.key("port").null().field("ip_protocol", socket.local.port);
  } else {
    json.field("port", socket.local.port);
  }
  json.end_object();
  write_endpoint(json, "remote", socket.remote);
  json.field("holding", model::holding_name(socket.holding));
  write_owners(json, inventory, socket);
  if (verdict != nullptr) {
    json.field("verdict", verdict_name(verdict->kind)).field("verdict_reason", verdict->reason);
  }
  json.field("netns", socket.netns);
  // Where there is no inode the kernel tells uid 0, which names nobody.
  json.key("uid");
  if (socket.inode == 0) {
    json.null();
  } else {
    json.number_unsigned(socket.uid);
  }
  write_known(json, "inode", socket.inode);
  write_known(json, "cookie", socket.cookie);
  json.field("receive_queue", socket.receive_queue).field("send_queue", socket.send_queue);
  if (socket.interface != 0) json.field("interface", socket.interface);
  if (socket.v6only) json.field("v6only", *socket.v6only);
  if (socket.mptcp) json.field("mptcp", true);
  if (!socket.listed) json.field("listed", false);
  if (socket.timer != model::TimerKind::kOff) {
    json.key("timer").begin_object().field("kind", timer_name(socket.timer));
    json.field("expires_ms", socket.timer_ms);
    json.field("retransmits", uint32_t{socket.retransmits}).end_object();
  }
  if (socket.detail >= 0) {
    write_detail(json, inventory.tcp_details[static_cast<size_t>(socket.detail)]);
  }
  json.end_object();
}

}  // namespace apps
