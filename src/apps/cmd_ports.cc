#include "apps/cmd_ports.h"

#include <algorithm>
#include <compare>
#include <set>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/expect_look.h"
#include "apps/inventory_json.h"
#include "apps/look.h"
#include "apps/socket_columns.h"
#include "apps/table.h"
#include "base/ordered_work.h"
#include "base/text.h"
#include "ports/filter.h"
#include "ports/inventory_verdict.h"
#include "ports/known_uses.h"
#include "ports/port_query.h"

namespace apps {
namespace {

using base::ErrorKind;
using model::Inventory;
using model::Socket;
using ports::Filter;
using ports::FilterField;

constexpr std::string_view kListenerColumns = "proto,local,use,process,user,unit";
constexpr std::string_view kAllColumns = "proto,state,local,peer,use,process,user,unit";
constexpr std::string_view kNarrowColumns = "proto,state,local,peer,process,user";
constexpr unsigned kWidthForAllColumns = 110;

/// What was asked for, taken apart and checked.
struct Request {
  Filter filter;
  std::vector<const SocketColumn*> columns;  ///< empty = the usual ones
  const SocketColumn* sort = nullptr;
  bool descending = false;
  bool all_states = false;
  bool all_namespaces = false;
  bool packages = false;
};

base::Error unknown_column(std::string_view name) {
  std::string message = "there is no column \"" + base::escape_for_terminal(name) + "\"";
  const std::string_view near = nearest_socket_column(name);
  if (!near.empty()) message += "; did you mean \"" + std::string(near) + "\"?";
  return {ErrorKind::kUsage, message + "\nSee `twinport ports --columns help`."};
}

base::Result<std::vector<const SocketColumn*>> parse_columns(std::string_view names) {
  std::vector<const SocketColumn*> out;
  while (!names.empty()) {
    const std::string_view name = base::trim(base::take_until(names, ','));
    const SocketColumn* column = find_socket_column(name);
    if (column == nullptr) return std::unexpected(unknown_column(name));
    out.push_back(column);
  }
  return out;
}

base::Result<Request> parse_request(const PortsOptions& options, Context& context) {
  Request out;
  if (context.json && !options.columns.empty()) {
    return base::fail(ErrorKind::kUsage,
                      "--columns shapes the table; JSON always has every field. Leave one of the "
                      "two out.");
  }
  auto filter = Filter::parse(options.filter, [&](std::string_view word) {
    return ports::find_port(word, context.registry(), ports::KnownUses::built_in());
  });
  if (!filter) return std::unexpected(filter.error());
  out.filter = std::move(*filter);
  // A question about states, peers or idle holders is a question about more than listeners.
  out.all_states = options.all || out.filter.uses(FilterField::kState) ||
                   out.filter.uses(FilterField::kRemotePort) ||
                   out.filter.uses(FilterField::kRemoteAddress) ||
                   out.filter.uses(FilterField::kHolding);
  out.all_namespaces =
      options.all || options.all_namespaces || out.filter.uses(FilterField::kNamespace);
  auto columns = parse_columns(options.columns);
  if (!columns) return std::unexpected(columns.error());
  out.columns = std::move(*columns);
  std::string_view sort = options.sort;
  if (sort.starts_with('-')) {
    out.descending = true;
    sort.remove_prefix(1);
  }
  if (!options.sort.empty()) {
    out.sort = find_socket_column(sort);
    if (out.sort == nullptr) return std::unexpected(unknown_column(sort));
  }
  const SocketColumn* package = find_socket_column("package");
  out.packages = out.filter.uses(FilterField::kPackage) || out.sort == package ||
                 std::ranges::find(out.columns, package) != out.columns.end();
  return out;
}

/// By state and filter.
bool is_wanted(const Inventory& inventory, const Request& request, const Socket& socket) {
  if (!request.all_states && !socket.is_listener() &&
      socket.state != model::SocketState::kBoundInactive) {
    return false;
  }
  return request.filter.matches(inventory, socket);
}

/// Indices of the sockets to show, in the order in which the kernel told them.
std::vector<uint32_t> select(const Inventory& inventory, const Request& request) {
  const uint32_t own = own_namespace(inventory);
  std::vector<uint32_t> rows;
  for (uint32_t i = 0; i < inventory.sockets.size(); ++i) {
    const Socket& socket = inventory.sockets[i];
    if (!request.all_namespaces && own != 0 && socket.netns != own) continue;
    if (is_wanted(inventory, request, socket)) rows.push_back(i);
  }
  return rows;
}

/// A port that the packet filter sends elsewhere is shown when a socket on it would be.
bool is_selected(const Inventory& inventory, const Request& request,
                 const model::PublishedPort& published) {
  Socket stand_in;
  stand_in.protocol = published.protocol;
  stand_in.netns = published.netns;
  stand_in.local.address = published.destination;
  for (uint32_t port = published.ports.first; port <= published.ports.last; ++port) {
    stand_in.local.port = static_cast<uint16_t>(port);
    if (request.filter.matches(inventory, stand_in)) return true;
  }
  return false;
}

void sort_rows(std::vector<uint32_t>& rows, SocketView& view, const Request& request) {
  const std::vector<Socket>& sockets = view.inventory.sockets;
  if (request.sort == nullptr) {
    const auto key = [&](uint32_t row) {
      const Socket& socket = sockets[row];
      return std::tuple(socket.local.port, socket.protocol, !socket.is_listener(),
                        socket.local.address.family, socket.local.address.bytes,
                        socket.remote.address.bytes, socket.remote.port, row);
    };
    std::ranges::sort(rows, {}, key);
    return;
  }
  struct Key {
    uint64_t number;
    std::string text;
    auto operator<=>(const Key&) const = default;
  };
  std::vector<Key> keys(sockets.size());
  for (const uint32_t row : rows) {
    const Socket& socket = sockets[row];
    keys[row] = {request.sort->number == nullptr ? 0 : request.sort->number(view, socket),
                 request.sort->text(view, socket)};
  }
  std::ranges::sort(rows, [&](uint32_t left, uint32_t right) {
    const auto order = keys[left] <=> keys[right];
    if (order == 0) return left < right;
    return request.descending ? order > 0 : order < 0;
  });
}

/// How many of the sockets shown have a holder that could not be seen.
size_t count_unseen(const Inventory& inventory, const std::vector<uint32_t>& rows) {
  return static_cast<size_t>(std::ranges::count_if(rows, [&](uint32_t row) {
    const model::Holding holding = inventory.sockets[row].holding;
    return holding == model::Holding::kHidden || holding == model::Holding::kUnknown;
  }));
}

bool is_modified(const model::Process& process) {
  return process.package_check == model::PackageCheck::kModified;
}

/// Whether the file of a holder shown is not what its package installed.
bool shows_modified(const Inventory& inventory, const std::vector<uint32_t>& rows) {
  if (std::ranges::none_of(inventory.processes, is_modified)) return false;  // nearly always
  return std::ranges::any_of(rows, [&](uint32_t row) {
    return std::ranges::any_of(
        inventory.owners_of(inventory.sockets[row]),
        [&](const model::Owner& owner) { return is_modified(inventory.processes[owner.process]); });
  });
}

/// What of the rows shown needs attention.
struct Attention {
  size_t unseen = 0;      ///< sockets whose holder could not be seen
  size_t findings = 0;    ///< sockets that are not as expected
  bool modified = false;  ///< a holder's file is not what its package installed
  bool incomplete = false;

  [[nodiscard]] int exit_code() const {
    return incomplete || unseen > 0 || findings > 0 || modified ? kAttention : kDone;
  }
};

/// `verdicts` is empty where no expectations are loaded.
Attention find_attention(const Inventory& inventory, const std::vector<model::Verdict>& verdicts,
                         const std::vector<uint32_t>& rows) {
  Attention out;
  out.unseen = count_unseen(inventory, rows);
  out.modified = shows_modified(inventory, rows);
  out.incomplete = !inventory.report.complete;
  if (verdicts.empty()) return out;
  out.findings = static_cast<size_t>(
      std::ranges::count_if(rows, [&](uint32_t row) { return verdicts[row].is_finding(); }));
  return out;
}

std::string detail_in_words(const model::TcpDetail& detail) {
  std::string out = fmt::format(
      "rtt {:.3f} ms (±{:.3f}), retransmit after {} ms, {}, window {} x {} bytes, path MTU {}; ",
      detail.rtt_us / 1000.0, detail.rtt_variation_us / 1000.0, detail.rto_us / 1000,
      base::escape_for_terminal(detail.congestion_control), detail.congestion_window,
      detail.send_mss_bytes, detail.path_mtu_bytes);
  out += fmt::format("sent {} bytes ({} acknowledged), received {}; ", detail.bytes_sent,
                     detail.bytes_acked, detail.bytes_received);
  out +=
      fmt::format("{} segments sent again, {} lost; last sent {} ms ago, last received {} ms ago",
                  detail.retransmits_total, detail.lost, detail.last_data_sent_ms,
                  detail.last_data_received_ms);
  return out;
}

Tone tone_of(const SocketColumn& column, const Socket& socket, const model::Verdict* verdict) {
  if (column.name == "local") return Tone::kStrong;
  if (column.name == "use") return Tone::kFaint;
  if (column.name == "verdict")
    return verdict == nullptr ? Tone::kFaint : verdict_tone(verdict->kind);
  if (column.name != "process" && column.name != "holding") return Tone::kPlain;
  switch (socket.holding) {
    case model::Holding::kOwned:
      return Tone::kPlain;
    case model::Holding::kUnknown:
    case model::Holding::kHidden:
      return Tone::kWarning;
    default:
      return Tone::kFaint;
  }
}

/// What answers "who holds what" on this terminal; the namespace only where it tells rows apart.
std::vector<const SocketColumn*> usual_columns(const std::vector<uint32_t>& rows,
                                               const Inventory& inventory, const Request& request,
                                               bool judged, bool verify, unsigned width) {
  const bool narrow = width != 0 && width < kWidthForAllColumns;
  auto columns = *parse_columns(!request.all_states ? kListenerColumns
                                : narrow            ? kNarrowColumns
                                                    : kAllColumns);
  if (judged) columns.push_back(find_socket_column("verdict"));
  if (verify) columns.push_back(find_socket_column("package"));
  const uint32_t own = own_namespace(inventory);
  if (std::ranges::any_of(rows,
                          [&](uint32_t row) { return inventory.sockets[row].netns != own; })) {
    columns.push_back(find_socket_column("netns"));
  }
  return columns;
}

bool shows(const std::vector<const SocketColumn*>& columns, std::string_view name) {
  return std::ranges::any_of(columns, [&](const SocketColumn* one) { return one->name == name; });
}

/// Which of the usual columns may be left out. Rows of two namespaces look alike without theirs, so
/// it stays; beside a verdict, which stays too, the state has to give way.
unsigned spare_of(const SocketColumn& column, const std::vector<const SocketColumn*>& shown) {
  if (column.name == "netns") return 0;
  if (column.name == "state" && shows(shown, "netns") && shows(shown, "verdict")) return 1;
  return column.spare;
}

/// Answers which columns found no room.
std::vector<std::string> print_table(const std::vector<uint32_t>& rows, SocketView& view,
                                     const Request& request, const PortsOptions& options,
                                     Context& context) {
  const unsigned width = options.wide ? 0 : context.width;
  const std::vector<const SocketColumn*> shown =
      request.columns.empty() ? usual_columns(rows, view.inventory, request, !view.verdicts.empty(),
                                              options.verify, width)
                              : request.columns;
  std::vector<Column> columns;
  columns.reserve(shown.size());
  for (const SocketColumn* column : shown) {
    columns.push_back({std::string(column->header), column->right, column->least, column->cut,
                       request.columns.empty() ? spare_of(*column, shown) : 0});
  }
  Table table(std::move(columns));
  for (const uint32_t row : rows) {
    const Socket& socket = view.inventory.sockets[row];
    for (const SocketColumn* column : shown) {
      const std::string text = column->text(view, socket);
      table.cell(text.empty() ? "-" : text,
                 text.empty() ? Tone::kFaint : tone_of(*column, socket, view.verdict_of(socket)));
    }
    if (options.detail && socket.detail >= 0) {
      table.note(detail_in_words(view.inventory.tcp_details[static_cast<size_t>(socket.detail)]));
    }
  }
  return table.print(context.out, context.style, width, !options.no_header);
}

void print_published(const std::vector<const model::PublishedPort*>& published, Context& context) {
  if (published.empty()) return;
  std::string text = "\nSent elsewhere by the packet filter, with no socket here:\n";
  for (const model::PublishedPort* port : published) {
    std::string target = port->target.is_any() ? "this host" : to_string(port->target);
    if (port->target_ports.last != 0) target += " port " + to_string(port->target_ports);
    std::string line =
        fmt::format("{} {} to {}, by {}", model::protocol_name(port->protocol),
                    to_string(port->ports), target, base::escape_for_terminal(port->rule));
    if (port->destination_bits != 0) line += ", for " + to_string(port->destination);
    if (port->outgoing_only) line += ", only for connections made here";
    if (!port->conditions.empty()) line += ", if " + base::escape_for_terminal(port->conditions);
    text += wrap_text(line, context.text_width(), "  ", "    ");
  }
  context.out << text;
}

/// Where one port is asked for, what holds it in other network namespaces, which the table leaves
/// out: a look of its own, so that what cannot be seen there does not touch the answer.
std::string elsewhere_in_words(const Request& request, const LookRequest& wanted,
                               Context& context) {
  if (request.all_namespaces || !wanted.inventory.ports) return {};
  LookRequest further = wanted;
  further.inventory.all_namespaces = true;
  further.published = false;
  const auto inventory = look(further, context);
  if (!inventory) return {};
  const uint32_t own = own_namespace(*inventory);
  std::set<uint32_t> others;
  for (const Socket& socket : inventory->sockets) {
    if (socket.netns != own && is_wanted(*inventory, request, socket)) others.insert(socket.netns);
  }
  if (others.empty()) return {};
  return fmt::format(" {} other network namespace{} such sockets; --all-namespaces shows them.",
                     others.size(), others.size() == 1 ? " has" : "s have");
}

/// What the table cannot say: who looked, what was hidden, what could not be seen. On standard
/// error, so that a script that reads the table gets nothing else.
void print_footer(const std::vector<uint32_t>& rows, const Attention& attention,
                  const std::vector<std::string>& left_out, const std::string& elsewhere,
                  const Inventory& inventory, const Request& request, const PortsOptions& options,
                  Context& context) {
  const model::CollectorReport& report = inventory.report;
  const size_t shown = rows.size();
  if (options.no_header && attention.exit_code() == kDone) return;
  std::string line = fmt::format("{} {}{}, seen by {}.", shown,
                                 request.all_states ? "socket" : "listening or bound socket",
                                 shown == 1 ? "" : "s", model::collector_name(report.kind));
  if (attention.unseen > 0) {
    const size_t unseen = attention.unseen;
    const bool root = context.machine().caller_is_root();
    line +=
        fmt::format(" {} {} not be seen{}.", unseen, unseen == 1 ? "holder could" : "holders could",
                    root ? ", even as root" : "; run as root to name more");
  }
  if (attention.findings > 0) {
    line +=
        fmt::format(" {} not as expected; `twinport expect check` says why.",
                    attention.findings == 1 ? "1 is" : std::to_string(attention.findings) + " are");
  }
  if (attention.modified) {
    line += " A program's file WAS CHANGED since its package was installed.";
  }
  line += elsewhere;
  if (!request.all_states && !options.filter.empty()) {
    line += " Connections are left out; --all shows them.";
  }
  if (!report.complete) line += " The view is incomplete.";
  if (!left_out.empty()) {
    line += fmt::format(" No room for {}; --wide has all.", fmt::join(left_out, ", "));
  }
  if (!options.wide && !report.blind_spots.empty()) {
    const size_t count = report.blind_spots.size();
    line += fmt::format(" {} blind spot{}, listed by --wide.", count, count == 1 ? "" : "s");
  }
  context.out.flush();
  const size_t width = context.text_width();
  std::string text = wrap_text(line, width);
  if (options.wide) {
    for (const std::string& sentence : report.blind_spots) {
      text += wrap_text(base::escape_for_terminal(sentence), width, "- ", "  ");
    }
    if (!report.why.empty()) {
      text += wrap_text("Why " + std::string(model::collector_name(report.kind)) + ": " +
                            base::escape_for_terminal(report.why),
                        width);
    }
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  context.err << context.error_style(text, Tone::kFaint) << "\n";
  context.err.flush();
}

/// Which timer runs is a detail of TCP, and not read unless somebody wants to know.
bool shows_timer(const Request& request) {
  const SocketColumn* timer = find_socket_column("timer");
  return request.sort == timer ||
         std::ranges::find(request.columns, timer) != request.columns.end();
}

constexpr std::ptrdiff_t kRowsPerChunk = 512;  // little enough to stay in a core's cache

/// For each process, whether it holds one of the sockets shown.
std::vector<bool> find_holding(const Inventory& inventory, const std::vector<uint32_t>& rows) {
  std::vector<bool> holds(inventory.processes.size());
  if (rows.size() == inventory.sockets.size()) {  // all are shown: no need to go socket by socket
    for (const model::Owner& owner : inventory.owners) holds[owner.process] = true;
    return holds;
  }
  for (const uint32_t row : rows) {
    for (const model::Owner& owner : inventory.owners_of(inventory.sockets[row])) {
      holds[owner.process] = true;
    }
  }
  return holds;
}

void print_json(const std::vector<uint32_t>& rows,
                const std::vector<const model::PublishedPort*>& published,
                const Inventory& inventory, const std::vector<model::Verdict>& verdicts,
                const Attention& attention, Context& context) {
  base::JsonWriter json = context.begin_json("ports");
  json.field("needs_attention", attention.exit_code() != kDone);
  write_collector(json, inventory.report);
  json.key("summary").begin_object();
  json.field("sockets", uint64_t{rows.size()})
      .field("holders_not_seen", uint64_t{attention.unseen});
  json.end_object().newline();
  json.key("namespaces").begin_array();
  for (const model::NetNamespace& netns : inventory.namespaces) {
    json.newline();
    write_namespace(json, netns);
  }
  json.end_array().newline();
  const std::vector<bool> holds = find_holding(inventory, rows);
  json.key("processes").begin_array();
  for (size_t i = 0; i < holds.size(); ++i) {
    if (!holds[i]) continue;
    json.newline();
    write_process(json, inventory.processes[i]);
  }
  json.end_array().newline();
  json.key("published").begin_array();
  for (const model::PublishedPort* port : published) write_published(json, *port);
  json.end_array().newline();
  json.key("sockets").begin_array();
  // A hundred thousand sockets take a while to write, so several threads do.
  const size_t chunks = (rows.size() + kRowsPerChunk - 1) / size_t{kRowsPerChunk};
  const auto write_chunk = [&](size_t chunk) {
    return base::json_elements([&](base::JsonWriter& part) {
      const auto first = rows.begin() + static_cast<std::ptrdiff_t>(chunk * kRowsPerChunk);
      const auto last = chunk + 1 == chunks ? rows.end() : first + kRowsPerChunk;
      for (auto row = first; row != last; ++row) {
        if (row != first) part.newline();
        write_socket(part, inventory, inventory.sockets[*row],
                     verdicts.empty() ? nullptr : &verdicts[*row]);
      }
    });
  };
  base::make_in_order(chunks, write_chunk, [&](const std::string& text) {
    json.newline().elements(text);
    return !context.out.closed();
  });
  json.end_array();
  Context::end_json(json);
}

int print_column_help(Context& context) {
  Table table({{.header = "COLUMN"}, {.header = "WHAT IT SHOWS", .least = 20}});
  for (const SocketColumn& column : socket_columns()) {
    table.cell(column.name, Tone::kStrong);
    table.cell(column.help);
  }
  table.print(context.out, context.style, context.width, true);
  return kDone;
}

}  // namespace

int run_ports(const PortsOptions& options, Context& context) {
  if (options.columns == "help") return print_column_help(context);
  auto request = parse_request(options, context);
  if (!request) return context.fail(request.error());

  LookRequest wanted;
  wanted.inventory.all_namespaces = request->all_namespaces;
  wanted.inventory.listeners_only = !request->all_states;
  wanted.inventory.tcp_detail = options.detail || shows_timer(*request);
  wanted.inventory.ports = request->filter.port_bounds();
  wanted.collector = options.collector;
  const LoadedExpectations& expectations = context.expectations();
  const ports::Judge judge(expectations.all, expectations.loaded());
  // Which connections came in is told by listeners on other ports, perhaps, than those asked for.
  if (expectations.loaded() && request->all_states) wanted.inventory.ports.reset();
  wanted.packages = request->packages || judge.needs_packages();
  wanted.verify = options.verify;
  const auto inventory = look(wanted, context);
  if (!inventory) return context.fail(inventory.error());

  std::vector<uint32_t> rows = select(*inventory, *request);
  std::vector<const model::PublishedPort*> published;
  for (const model::PublishedPort& port : inventory->published) {
    if (is_selected(*inventory, *request, port)) published.push_back(&port);
  }
  std::vector<model::Verdict> verdicts;
  if (expectations.loaded()) {
    verdicts = judge_inventory(judge, *inventory, context.machine().has_package_lists()).sockets;
  }
  const Attention attention = find_attention(*inventory, verdicts, rows);
  if (context.json && request->sort == nullptr) {
    print_json(rows, published, *inventory, verdicts, attention, context);
    return attention.exit_code();
  }
  UseHints hints(*inventory, context.registry(), ports::KnownUses::built_in());
  SocketView view{*inventory, hints, context.machine().caller_is_root(), verdicts};
  sort_rows(rows, view, *request);
  if (context.json) {
    print_json(rows, published, *inventory, verdicts, attention, context);
  } else {
    const auto left_out = print_table(rows, view, *request, options, context);
    std::string elsewhere;
    if (!options.no_header) {
      print_published(published, context);
      elsewhere = elsewhere_in_words(*request, wanted, context);
    }
    print_footer(rows, attention, left_out, elsewhere, *inventory, *request, options, context);
  }
  return attention.exit_code();
}

}  // namespace apps
