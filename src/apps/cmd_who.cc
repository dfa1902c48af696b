#include "apps/cmd_who.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "apps/expect_look.h"
#include "apps/explain_json.h"
#include "apps/explain_page.h"
#include "apps/inventory_json.h"
#include "apps/layout.h"
#include "apps/look_back.h"
#include "apps/past_page.h"
#include "apps/peer_option.h"
#include "apps/port_look.h"
#include "apps/timeline_json.h"
#include "base/text.h"
#include "ports/explain.h"
#include "ports/explain_range.h"
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
  bool everything_seen = true;  ///< else more may hold it than are in sight
  bool unnamed = false;         ///< a holder is there and cannot be named
  bool unanswered = false;      ///< of a port, nobody is in sight and not everything was seen
  bool modified = false;        ///< the file of a holder is not what its package installed

  bool judged = false;  ///< expectations are loaded

  [[nodiscard]] bool needs_attention() const {
    return unnamed || unanswered || modified ||
           std::ranges::any_of(ports,
                               [](const Explanation& port) { return port.verdict.is_finding(); });
  }

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

/// What of a pasted text was taken, and what not, and whether its address is ours; "" where there
/// is nothing to say.
std::string understood(const PortQuery& query, Context& context) {
  if (query.ignored.empty() && !query.address) return "";
  return ports::understood_in_words(query, context.machine().local_addresses());
}

void print_understood(const PortQuery& query, Context& context) {
  const std::string words = understood(query, context);
  if (!words.empty()) context.out << wrap_text(words, context.text_width()) << "\n";
}

/// Connections with one peer, by port: only these, and in words that say no more.
std::vector<Explanation> explain_peers(const Answer& answer) {
  std::map<uint16_t, Explanation> ports;
  for (const model::PortRange range : ports::merge_ranges(answer.query.ports)) {
    for (Hold& hold : ports::find_holds(answer.inventory, {.ports = range,
                                                           .protocol = answer.query.protocol,
                                                           .address = answer.query.address,
                                                           .peer = answer.peer})) {
      ports[hold.port].holds.push_back(std::move(hold));
    }
  }
  std::vector<Explanation> out;
  for (auto& [port, one] : ports) {
    one.port = port;
    uint32_t sockets = 0;
    for (const Hold& hold : one.holds) sockets += hold.sockets;
    one.headline = ports::counted(sockets, "connection") + " with " + peer_in_words(*answer.peer) +
                   (sockets == 1 ? " has" : " have") + " to do with port " +
                   ports::port_in_words({port, port}, answer.query.protocol) + ".";
    out.push_back(std::move(one));
  }
  return out;
}

bool is_modified(const Hold& hold) {
  return std::ranges::any_of(hold.programs, [](const ports::Program& program) {
    return program.process.package_check == model::PackageCheck::kModified;
  });
}

// Not a port that somebody may hold out of our sight, but none at all.
bool asks_for_port_zero_alone(const PortQuery& query) {
  return std::ranges::all_of(query.ports, [](model::PortRange range) { return range.last == 0; });
}

bool every_port_has_a_holder(const Answer& answer) {
  if (answer.peer) return !answer.ports.empty();  // connections were asked for, not holders
  uint32_t asked = 0;
  for (const model::PortRange range : ports::merge_ranges(answer.query.ports))
    asked += range.size();
  return std::ranges::count_if(answer.ports, ports::has_holder) == asked;
}

void find_answers(Answer& answer) {
  answer.ports =
      answer.peer ? explain_peers(answer) : ports::explain_holders(answer.query, answer.inventory);
  answer.gaps = ports::find_gaps(answer.inventory);
  answer.everything_seen = ports::sees_everything(answer.inventory);
  answer.unnamed = std::ranges::any_of(answer.ports, ports::has_unnamed_holder);
  answer.unanswered = !answer.everything_seen && !every_port_has_a_holder(answer) &&
                      !asks_for_port_zero_alone(answer.query);
  answer.modified = std::ranges::any_of(answer.ports, [](const Explanation& port) {
    return std::ranges::any_of(port.holds, is_modified) ||
           std::ranges::any_of(port.behind_published, is_modified);
  });
}

/// Of the ports asked for, those that nobody holds.
std::vector<model::PortRange> find_unheld(const Answer& answer) {
  std::vector<model::PortRange> out = answer.query.ports;
  std::erase_if(out, [&](model::PortRange range) {
    return std::ranges::any_of(answer.ports,
                               [&](const Explanation& held) { return range.contains(held.port); });
  });
  return out;
}

std::string nobody_in_words(const Answer& answer, const std::vector<model::PortRange>& unheld) {
  if (asks_for_port_zero_alone(answer.query)) {
    return "Nobody can hold port 0: it is a placeholder, not a port. `twinport explain 0` tells "
           "where logs have it from.";
  }
  std::vector<std::string> asked;
  for (const model::PortRange range : unheld) {
    asked.push_back(ports::port_in_words(range, answer.query.protocol));
  }
  const bool one = asked.size() == 1 && unheld.front().single();
  std::string port = (one ? "port " : "any port of ") + ports::listed_briefly(asked, 8);
  if (answer.query.address) port += " of " + to_string(*answer.query.address);
  if (answer.peer) {
    return "No connection with " + peer_in_words(*answer.peer) +
           (answer.everything_seen ? "" : " that we can see") + " has to do with " + port + " now.";
  }
  const bool own_unread = std::ranges::any_of(
      answer.inventory.namespaces,
      [](const model::NetNamespace& netns) { return netns.own && !netns.tables_read; });
  if (own_unread) return "Cannot tell who holds " + port + ".";
  if (!answer.everything_seen) {
    return "Nobody that we can see holds " + port + "; not all of this machine could be read.";
  }
  return "Nobody holds " + port + (answer.query.address ? " now." : " on this machine now.");
}

PageItem verdict_paragraph(const model::Verdict& verdict) {
  std::string name(verdict_name(verdict.kind));
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return {PageItemKind::kParagraph, "", name + ": " + verdict_in_words(verdict),
          verdict_tone(verdict.kind)};
}

void judge(Answer& answer, Context& context) {
  const LoadedExpectations& expectations = context.expectations();
  answer.judged = expectations.loaded();
  const ports::Judge by(expectations.all, expectations.loaded());
  const auto verdicts =
      judge_inventory(by, answer.inventory, context.machine().has_package_lists());
  for (Explanation& one : answer.ports) {
    one.verdict = judge_port(by, answer.inventory, verdicts, one.port, answer.query.protocol);
  }
}

/// Root is told of every blind spot. To others the one that sudo removes is what matters; the rest
/// would bury it.
PageSection unseen_section(const Answer& answer, Context& context) {
  PageSection section;
  section.title = "What could not be seen";
  for (const std::string& gap : answer.gaps) section.point(gap);
  const model::CollectorReport& report = answer.inventory.report;
  if (context.machine().caller_is_root() || report.processes_hidden == 0) {
    for (const std::string& spot : report.blind_spots) section.point(spot);
    if (!context.machine().caller_is_root()) section.point("Run as root to see more.");
    return section;
  }
  section.point("The open files of " +
                ports::counted(report.processes_hidden, "process", "processes") +
                " of other users, and sockets in network namespaces that only theirs live in: run "
                "as root to see them.");
  if (!report.blind_spots.empty()) {
    section.point("All " + ports::counted(report.blind_spots.size(), "blind spot") +
                  " of this look are listed by --json.");
  }
  return section;
}

void print_answer(const Answer& answer, Context& context) {
  const unsigned width = context.text_width();
  const int64_t now = context.machine().now_unix_s();
  const auto print = [&](const Page& page) {
    context.out << page_as_text(page, context.style, width);
  };
  print_understood(answer.query, context);
  for (size_t i = 0; i < answer.ports.size(); ++i) {
    if (i > 0) context.out << "\n";
    const Explanation& port = answer.ports[i];
    Page page;
    page.lead.push_back({PageItemKind::kParagraph, "", port.headline, Tone::kStrong});
    if (answer.judged) page.lead.push_back(verdict_paragraph(port.verdict));
    page.sections.push_back(holds_section(port, now, PageLength::kFull));
    print(page);
  }
  // A service's other ports are nobody's question; each one named by its number is.
  const auto unheld = find_unheld(answer);
  if (answer.ports.empty() || (answer.query.name.empty() && !unheld.empty())) {
    if (!answer.ports.empty()) context.out << "\n";
    Page page;
    page.lead.push_back(
        {PageItemKind::kParagraph, "", nobody_in_words(answer, unheld), Tone::kStrong});
    print(page);
  }
  if (answer.everything_seen && !answer.unnamed) return;
  if (asks_for_port_zero_alone(answer.query)) return;
  PageSection section = unseen_section(answer, context);
  if (section.items.empty()) return;
  Page page;
  context.out << "\n";
  page.sections.push_back(std::move(section));
  print(page);
}

void write_question(base::JsonWriter& json, const PortQuery& query,
                    const std::optional<ports::PeerFilter>& peer, Context& context) {
  write_text(json, "understood", understood(query, context));
  json.key("ports").begin_array();
  for (const model::PortRange range : query.ports) {
    json.begin_object().field("first", range.first).field("last", range.last).end_object();
  }
  json.end_array();
  const auto protocol = query.protocol;
  write_text(json, "protocol", protocol ? model::protocol_name(*protocol) : std::string_view{});
  write_text(json, "address", query.address ? to_string(*query.address) : "");
  if (peer) {
    json.key("peer").begin_object().field("address", to_string(peer->address));
    json.key("port");
    if (peer->port == 0) {
      json.null();
    } else {
      json.number_unsigned(peer->port);
    }
    json.end_object();
  } else {
    json.key("peer").null();
  }
}

void print_json(const Answer& answer, Context& context) {
  base::JsonWriter json = context.begin_json("who");
  write_question(json, answer.query, answer.peer, context);
  json.field("needs_attention", answer.needs_attention()).newline();
  write_collector(json, answer.inventory.report);
  json.key("gaps").begin_array();
  for (const std::string& gap : answer.gaps) json.string(gap);
  json.end_array().newline();
  json.key("held").begin_array();
  for (const Explanation& port : answer.ports) {
    json.newline();
    json.begin_object().field("port", port.port).field("headline", port.headline);
    json.field("verdict", verdict_name(port.verdict.kind));
    json.field("verdict_reason", port.verdict.reason);
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

/// The same question about a moment that is over, asked of the timeline.
int run_who_at(PortQuery query, const std::optional<ports::PeerFilter>& peer, const std::string& at,
               Context& context) {
  const auto past = look_back(std::move(query), peer, at, context);
  if (!past) return context.fail(past.error());
  if (context.json) {
    base::JsonWriter json = context.begin_json("who");
    write_question(json, past->question.port, past->question.peer, context);
    json.field("needs_attention", past->needs_attention()).newline();
    write_past(json, *past);
    Context::end_json(json);
  } else {
    print_understood(past->question.port, context);
    Page page;
    page.lead.push_back({PageItemKind::kParagraph, "", ports::past_headline(*past), Tone::kStrong});
    page.sections = past_sections(*past);
    context.out << page_as_text(page, context.style, context.text_width());
  }
  return past->needs_attention() ? kAttention : kDone;
}

}  // namespace

int run_who(const WhoOptions& options, Context& context) {
  Answer answer;
  auto query = ports::find_ports(options.port, context.registry(), ports::KnownUses::built_in());
  if (!query) return context.fail(query.error());
  answer.query = std::move(*query);
  auto peer = parse_peer(options.peer);
  if (!peer) return context.fail(peer.error());
  answer.peer = *peer;
  if (!options.at.empty()) {
    if (options.verify || options.collector) {
      return context.fail({base::ErrorKind::kUsage,
                           "--at asks what was recorded; --verify and --collector look at what is "
                           "there now\nSee `twinport who --help`."});
    }
    return run_who_at(std::move(answer.query), answer.peer, options.at, context);
  }

  LookRequest request;
  request.collector = options.collector;
  request.packages = true;
  request.verify = options.verify;
  auto inventory = look_at_ports(answer.query, request, context);
  if (!inventory) return context.fail(inventory.error());
  answer.inventory = std::move(*inventory);
  find_answers(answer);
  judge(answer, context);
  if (context.json) {
    print_json(answer, context);
  } else {
    print_answer(answer, context);
  }
  return answer.needs_attention() ? kAttention : kDone;
}

}  // namespace apps
