#include "apps/cmd_who.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "apps/explain_json.h"
#include "apps/explain_page.h"
#include "apps/inventory_json.h"
#include "apps/port_look.h"
#include "base/text.h"
#include "ports/explain.h"
#include "ports/holds.h"
#include "ports/known_uses.h"
#include "ports/port_query.h"
#include "ports/words.h"

namespace apps {
namespace {

using model::Inventory;
using ports::Explanation;
using ports::Hold;
using ports::PortQuery;

base::Result<std::optional<ports::PeerFilter>> parse_peer(const std::string& text) {
  if (text.empty()) return std::optional<ports::PeerFilter>{};
  if (const auto address = model::parse_ip_address(text)) {
    return ports::PeerFilter{address->unmapped(), 0};
  }
  const auto query = ports::parse_port_query(text);
  if (!query) return std::unexpected(query.error());
  if (!query->address || query->ports.size() != 1 || !query->ports.front().single()) {
    return base::fail(base::ErrorKind::kUsage,
                      "cannot read the peer \"" + base::escape_for_terminal(text) +
                          "\"; write ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT");
  }
  return ports::PeerFilter{query->address->unmapped(), query->ports.front().first};
}

std::string peer_in_words(const ports::PeerFilter& peer) {
  return peer.port == 0 ? to_string(peer.address)
                        : to_string(model::Endpoint{peer.address, peer.port});
}

/// What is asked, and what was found of it.
struct Answer {
  PortQuery query;
  std::optional<ports::PeerFilter> peer;
  Inventory inventory;
  std::vector<Explanation> ports;  ///< of the ports that somebody holds or publishes
  std::vector<std::string> gaps;
  bool certain = true;  ///< nothing that could change the answer was out of sight

  /// Whether the socket is one of those that the answer is about.
  [[nodiscard]] bool concerns(const model::Socket& socket) const;
};

bool Answer::concerns(const model::Socket& socket) const {
  return std::ranges::any_of(query.ports, [&](model::PortRange range) {
    return ports::has_to_do_with(
        socket,
        {.ports = range, .protocol = query.protocol, .address = query.address, .peer = peer});
  });
}

bool is_unseen(const Hold& hold) {
  return hold.holding == model::Holding::kHidden || hold.holding == model::Holding::kUnknown;
}

/// Connections with one peer, of one port: only these, and in words that say no more.
Explanation explain_peer(uint16_t port, const Answer& answer) {
  Explanation out;
  out.port = port;
  out.holds = ports::find_holds(answer.inventory, {.ports = {port, port},
                                                   .protocol = answer.query.protocol,
                                                   .address = answer.query.address,
                                                   .peer = answer.peer});
  uint32_t sockets = 0;
  for (const Hold& hold : out.holds) sockets += hold.sockets;
  out.headline = ports::counted(sockets, "connection") + " with " + peer_in_words(*answer.peer) +
                 (sockets == 1 ? " has" : " have") + " to do with port " +
                 ports::port_in_words({port, port}, answer.query.protocol) + ".";
  return out;
}

std::vector<uint16_t> ports_to_tell(const Answer& answer) {
  std::set<uint16_t> found;
  for (const model::PortRange range : answer.query.ports) {
    const auto holds = ports::find_holds(answer.inventory, {.ports = range,
                                                            .protocol = answer.query.protocol,
                                                            .address = answer.query.address,
                                                            .peer = answer.peer});
    for (const Hold& hold : holds) found.insert(hold.port);
    for (const model::PublishedPort& rule : answer.inventory.published) {
      if (answer.peer) break;
      const uint32_t last = std::min(range.last, rule.ports.last);
      for (uint32_t port = std::max(range.first, rule.ports.first); port <= last; ++port) {
        const auto number = static_cast<uint16_t>(port);
        const bool here = !ports::find_published(answer.inventory, number, answer.query.protocol,
                                                 answer.query.address)
                               .empty();
        if (here) found.insert(number);
      }
    }
  }
  return {found.begin(), found.end()};
}

void find_answers(const WhoOptions& options, Answer& answer, Context& context) {
  Machine& machine = context.machine();
  const auto addresses =
      answer.query.address ? machine.local_addresses() : std::vector<model::IpAddress>{};
  const ports::ExplainInput input{
      .inventory = answer.inventory,
      .known_uses = ports::KnownUses::built_in(),
      .entries = {},
      .local_addresses = addresses,
      .safety = {.caller_is_root = machine.caller_is_root(),
                 .processes_hidden = answer.inventory.report.processes_hidden,
                 .packages_known = machine.has_package_lists(),
                 .verified = options.verify}};
  for (const uint16_t port : ports_to_tell(answer)) {
    answer.ports.push_back(answer.peer ? explain_peer(port, answer)
                                       : ports::explain(answer.query, port, input));
  }
  answer.gaps = ports::find_gaps(answer.inventory);
  const bool unseen = std::ranges::any_of(answer.ports, [](const Explanation& port) {
    return std::ranges::any_of(port.holds, is_unseen);
  });
  answer.certain = ports::sees_everything(answer.inventory) && !unseen;
}

std::string nobody_in_words(const Answer& answer) {
  std::vector<std::string> asked;
  for (const model::PortRange range : answer.query.ports) {
    asked.push_back(ports::port_in_words(range, answer.query.protocol));
  }
  const bool one = asked.size() == 1 && answer.query.ports.front().single();
  std::string port = (one ? "port " : "any port of ") + ports::listed_briefly(asked, 8);
  if (answer.query.address) port += " of " + to_string(*answer.query.address);
  if (answer.peer) {
    return "No connection with " + peer_in_words(*answer.peer) +
           (answer.certain ? "" : " that we can see") + " has to do with " + port + " now.";
  }
  const bool own_unread = std::ranges::any_of(
      answer.inventory.namespaces,
      [](const model::NetNamespace& netns) { return netns.own && !netns.tables_read; });
  if (own_unread) return "Cannot tell who holds " + port + ".";
  if (!answer.certain) {
    return "Nobody that we can see holds " + port + "; not all of this machine could be read.";
  }
  return "Nobody holds " + port + (answer.query.address ? " now." : " on this machine now.");
}

void print_answer(const Answer& answer, Context& context) {
  const unsigned width = context.text_width();
  const int64_t now = context.machine().now_unix_s();
  const auto print = [&](Page page) { context.out << page_as_text(page, context.style, width); };
  if (answer.ports.empty()) {
    Page page;
    page.lead.push_back({PageItemKind::kParagraph, "", nobody_in_words(answer), Tone::kStrong});
    print(std::move(page));
  }
  for (size_t i = 0; i < answer.ports.size(); ++i) {
    if (i > 0) context.out << "\n";
    const Explanation& port = answer.ports[i];
    Page page;
    page.lead.push_back({PageItemKind::kParagraph, "", port.headline, Tone::kStrong});
    page.sections.push_back(holds_section(port, now, PageLength::kFull));
    print(std::move(page));
  }
  if (answer.certain) return;
  Page page;
  PageSection section;
  section.title = "What could not be seen";
  for (const std::string& gap : answer.gaps) section.point(gap);
  for (const std::string& spot : answer.inventory.report.blind_spots) section.point(spot);
  if (!context.machine().caller_is_root()) section.point("Run as root to see more.");
  if (section.items.empty()) return;
  context.out << "\n";
  page.sections.push_back(std::move(section));
  print(std::move(page));
}

void print_json(const Answer& answer, Context& context) {
  base::JsonWriter json = context.begin_json("who");
  json.key("ports").begin_array();
  for (const model::PortRange range : answer.query.ports) {
    json.begin_object().field("first", range.first).field("last", range.last).end_object();
  }
  json.end_array();
  const auto protocol = answer.query.protocol;
  write_text(json, "protocol", protocol ? model::protocol_name(*protocol) : std::string_view{});
  write_text(json, "address", answer.query.address ? to_string(*answer.query.address) : "");
  if (answer.peer) {
    json.key("peer").begin_object().field("address", to_string(answer.peer->address));
    json.key("port");
    if (answer.peer->port == 0) {
      json.null();
    } else {
      json.number_unsigned(answer.peer->port);
    }
    json.end_object();
  } else {
    json.key("peer").null();
  }
  json.field("needs_attention", !answer.certain).newline();
  write_collector(json, answer.inventory.report);
  json.key("gaps").begin_array();
  for (const std::string& gap : answer.gaps) json.string(gap);
  json.end_array().newline();
  json.key("held").begin_array();
  for (const Explanation& port : answer.ports) {
    json.newline();
    json.begin_object().field("port", port.port).field("headline", port.headline);
    json.key("holds").begin_array();
    for (const Hold& hold : port.holds) write_hold(json, hold);
    json.end_array().key("published").begin_array();
    for (const model::PublishedPort& rule : port.published) write_published(json, rule);
    json.end_array().key("behind_published").begin_array();
    for (const Hold& hold : port.behind_published) write_hold(json, hold);
    json.end_array().end_object();
  }
  json.end_array().newline();
  json.key("sockets").begin_array();
  for (const model::Socket& socket : answer.inventory.sockets) {
    if (!answer.concerns(socket)) continue;
    json.newline();
    write_socket(json, answer.inventory, socket);
  }
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_who(const WhoOptions& options, Context& context) {
  Answer answer;
  auto query = ports::find_port(options.port, context.registry(), ports::KnownUses::built_in());
  if (!query) return context.fail(query.error());
  answer.query = std::move(*query);
  auto peer = parse_peer(options.peer);
  if (!peer) return context.fail(peer.error());
  answer.peer = *peer;

  LookRequest request;
  request.collector = options.collector;
  request.packages = true;
  request.verify = options.verify;
  auto inventory = look_at_ports(answer.query, request, context);
  if (!inventory) return context.fail(inventory.error());
  answer.inventory = std::move(*inventory);
  find_answers(options, answer, context);
  if (context.json) {
    print_json(answer, context);
  } else {
    print_answer(answer, context);
  }
  return answer.certain ? kDone : kAttention;
}

}  // namespace apps
