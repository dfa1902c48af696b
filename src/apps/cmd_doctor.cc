#include "apps/cmd_doctor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "apps/doctor_page.h"
#include "apps/look.h"
#include "apps/port_look.h"
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

}  // namespace

int run_doctor(const DoctorOptions& options, Context& context) {
  const auto query = understand(options.port, context);
  if (!query) return context.fail(query.error());
  const auto asked = single_ports(*query);
  if (!asked) return context.fail(asked.error());

  LookRequest request;
  request.collector = options.collector;
  request.packages = true;
  const auto inventory = look_at_ports(*query, request, context);
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
  answer.netns = machine.own_netns();
  answer.policy = machine.port_policy();
  answer.report = inventory->report;
  answer.gaps = ports::find_gaps(*inventory);
  const auto rules = machine.published_ports(answer.netns);
  answer.diagnosis = ports::diagnose(
      {.ports = *asked,
       .trials = trials,
       .inventory = *inventory,
       .policy = answer.policy,
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
