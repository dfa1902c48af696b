#include "apps/cmd_doctor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "apps/doctor_page.h"
#include "apps/look.h"
#include "apps/port_look.h"
#include "base/text.h"
#include "model/endpoints.h"
#include "ports/explain.h"
#include "ports/explain_range.h"
#include "ports/known_uses.h"
#include "ports/port_query.h"

namespace apps {
namespace {

using model::BindTrial;
using model::Family;

// Each is tried for both families, and has a place on the page.
constexpr size_t kMostPorts = 128;
constexpr size_t kMostAddresses = 32;
constexpr size_t kMostPeerPorts = 16;

base::Result<ports::PortQuery> understand(const std::string& text, Context& context) {
  if (text.empty()) {
    ports::PortQuery own;
    own.ports = {{model::kControlPort, model::kControlPort}, {model::kDataPort, model::kDataPort}};
    own.protocol = model::Protocol::kTcp;
    return own;
  }
  auto query = ports::find_ports(text, context.registry(), ports::KnownUses::built_in());
  if (!query) return query;
  if (query->protocol && *query->protocol != model::Protocol::kTcp) {
    return base::fail(base::ErrorKind::kUsage,
                      "doctor tries TCP ports; who holds one of another transport is told by "
                      "`twinport explain PORT/" +
                          std::string(model::protocol_name(*query->protocol)) + "`");
  }
  query->protocol = model::Protocol::kTcp;
  return query;
}

base::Result<std::vector<uint16_t>> single_ports(const ports::PortQuery& query) {
  std::vector<uint16_t> out;
  for (const model::PortRange range : ports::merge_ranges(query.ports)) {
    for (uint32_t port = range.first; port <= range.last; ++port) {
      if (out.size() >= kMostPorts) {
        return base::fail(base::ErrorKind::kUsage, "doctor looks at no more than " +
                                                       std::to_string(kMostPorts) +
                                                       " ports at once; ask for fewer");
      }
      if (port == 0) {
        return base::fail(base::ErrorKind::kUsage,
                          "port 0 is no port: who binds it is given one by the kernel");
      }
      out.push_back(static_cast<uint16_t>(port));
    }
  }
  return out;
}

/// Whom to try to reach, and at which ports.
struct PeerAsked {
  std::string host;
  std::vector<uint16_t> ports;
};

base::Result<PeerAsked> parse_peer_host(const std::string& text,
                                        const std::vector<uint16_t>& asked) {
  PeerAsked out{.host = text, .ports = asked};
  std::string port;
  const bool bracketed = text.starts_with('[');
  const size_t colon = text.rfind(':');
  const size_t end = bracketed ? text.find(']') : std::string::npos;
  if (bracketed && end != std::string::npos) {
    out.host = text.substr(1, end - 1);
    if (end + 1 < text.size()) port = text.substr(end + 1);
  } else if (colon != std::string::npos && text.find(':') == colon) {
    out.host = text.substr(0, colon);
    port = text.substr(colon);
  }
  const auto wrong = [&] {
    return base::fail(base::ErrorKind::kUsage,
                      "--peer: \"" + base::escape_for_terminal(text) +
                          "\" is no host; write HOST, HOST:1744, 10.0.0.5 or [2001:db8::5]:1744");
  };
  if (out.host.empty() || out.host.find_first_of(" /[]") != std::string::npos) return wrong();
  if (!port.empty()) {
    const auto number = base::parse_number<uint16_t>(std::string_view(port).substr(1));
    if (port[0] != ':' || !number || *number == 0) return wrong();
    out.ports = {*number};
  }
  if (out.ports.size() > kMostPeerPorts) {
    return base::fail(
        base::ErrorKind::kUsage,
        "--peer tries at most " + std::to_string(kMostPeerPorts) + " ports at once; ask for fewer");
  }
  return out;
}

// Both families whole, as a server does; where one is taken, which of its addresses are.
std::vector<BindTrial> try_port(uint16_t port, const ports::PortQuery& query,
                                const std::vector<model::IpAddress>& local, Machine& machine) {
  if (query.address) return {machine.try_bind({*query.address, port})};
  std::vector<BindTrial> out;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    out.push_back(machine.try_bind({model::IpAddress::any(family), port}));
  }
  const std::vector<BindTrial> whole = out;
  for (const BindTrial& trial : whole) {
    if (trial.outcome != model::BindOutcome::kInUse) continue;
    for (const model::IpAddress& address : local) {
      // A link-local address says nothing without its interface.
      if (address.family != trial.at.address.family || address.is_link_local()) continue;
      if (out.size() < kMostAddresses) out.push_back(machine.try_bind({address, port}));
    }
  }
  return out;
}

/// The fallback ports count where the data port is asked for.
std::optional<model::PortRange> fallback_range(const DoctorOptions& options,
                                               const std::vector<uint16_t>& asked) {
  if (std::ranges::find(asked, model::kDataPort) == asked.end()) return std::nullopt;
  return options.profile == "windows" ? model::kFallbackPortsWindowsProfile : model::kFallbackPorts;
}

ports::Fallback look_for_fallback(model::PortRange range, const model::Inventory& inventory,
                                  const model::PortPolicy& policy, Context& context) {
  std::vector<BindTrial> trials;
  const ports::PortQuery anywhere;
  for (uint32_t port = range.first; port <= range.last; ++port) {
    std::ranges::move(try_port(static_cast<uint16_t>(port), anywhere, {}, context.machine()),
                      std::back_inserter(trials));
  }
  const LoadedExpectations& expectations = context.expectations();
  return ports::find_fallback(range, trials, inventory, policy, ports::KnownUses::built_in(),
                              ports::Judge(expectations.all, expectations.loaded()));
}

}  // namespace

int run_doctor(const DoctorOptions& options, Context& context) {
  const auto query = understand(options.port, context);
  if (!query) return context.fail(query.error());
  const auto asked = single_ports(*query);
  if (!asked) return context.fail(asked.error());

  std::optional<PeerAsked> peer;
  if (!options.peer.empty()) {
    auto parsed = parse_peer_host(options.peer, *asked);
    if (!parsed) return context.fail(parsed.error());
    peer = std::move(*parsed);
  }

  LookRequest request;
  request.collector = options.collector;
  request.packages = true;
  const auto range = fallback_range(options, *asked);
  ports::PortQuery wide = *query;
  if (range) wide.ports.push_back(*range);
  const auto inventory = look_at_ports(wide, request, context);
  if (!inventory) return context.fail(inventory.error());

  Machine& machine = context.machine();
  DoctorAnswer answer;
  const auto local = machine.local_addresses();
  if (query->address || !query->ignored.empty()) {
    answer.understood = ports::understood_in_words(*query, local);
  }
  std::vector<BindTrial> trials;
  for (const uint16_t port : *asked) {
    std::ranges::move(try_port(port, *query, local, machine), std::back_inserter(trials));
  }
  answer.policy = machine.port_policy();
  if (range) answer.fallback = look_for_fallback(*range, *inventory, answer.policy, context);
  answer.netns = machine.own_netns();
  answer.report = inventory->report;
  answer.gaps = ports::find_gaps(*inventory);
  if (peer) answer.peer = machine.probe_peer(peer->host, peer->ports, options.timeout_s * 1000);
  const auto rules = machine.published_ports(answer.netns);
  answer.diagnosis = ports::diagnose(
      {.ports = *asked,
       .trials = trials,
       .inventory = *inventory,
       .policy = answer.policy,
       .peer = answer.peer ? &*answer.peer : nullptr,
       .fallback = answer.fallback ? &*answer.fallback : nullptr,
       .caller_is_root = machine.caller_is_root(),
       .filter_unread = rules ? rules->blind_spots
                              : std::vector{"The packet filter was not looked at: " +
                                            rules.error().message + "."}});
  if (context.json) {
    base::JsonWriter json = context.begin_json("doctor");
    write_doctor(json, answer);
    Context::end_json(json);
  } else {
    Page page = doctor_page(answer, machine.now_unix_s());
    if (!answer.understood.empty()) {
      page.lead.push_back({PageItemKind::kParagraph, "", answer.understood, Tone::kPlain});
    }
    context.out << page_as_text(page, context.style, context.text_width());
  }
  return answer.diagnosis.needs_attention() ? kAttention : kDone;
}

}  // namespace apps
