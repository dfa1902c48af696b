#include "apps/cmd_registry.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "apps/inventory_json.h"
#include "apps/knowledge_json.h"
#include "apps/layout.h"
#include "apps/table.h"
#include "base/file.h"
#include "base/text.h"
#include "ports/explain.h"
#include "ports/port_query.h"
#include "ports/registry_import.h"
#include "ports/words.h"

namespace apps {
namespace {

constexpr size_t kMostJudged = 500;

using model::KnownUse;
using model::PortRange;
using model::RegistryEntry;

std::string safe(std::string_view text) { return base::escape_for_terminal(text); }

bool overlap(PortRange left, PortRange right) {
  return left.first <= right.last && right.first <= left.last;
}

/// What was found, for one port or many.
struct Findings {
  std::vector<RegistryEntry> entries;
  std::vector<const KnownUse*> uses;
};

Findings find_all(const ports::PortQuery& query, const ports::Registry& registry,
                  const ports::KnownUses& known_uses) {
  Findings out;
  const auto wanted = [&](model::Protocol protocol) {
    return !query.protocol || *query.protocol == protocol;
  };
  const bool one_port = query.ports.size() == 1 && query.ports.front().single();
  if (one_port) {
    out.entries = registry.find(query.ports.front().first, query.protocol);
    out.uses = known_uses.find(query.ports.front().first, query.protocol);
    return out;
  }
  out.entries = registry.all();
  std::erase_if(out.entries, [&](const RegistryEntry& entry) {
    return !wanted(entry.protocol) || std::ranges::none_of(query.ports, [&](PortRange range) {
      return overlap(range, entry.ports);
    });
  });
  for (const KnownUse& use : known_uses.all()) {
    const bool here = std::ranges::any_of(use.ports, [&](PortRange used) {
      return std::ranges::any_of(query.ports,
                                 [&](PortRange range) { return overlap(range, used); });
    });
    if (here && std::ranges::any_of(use.protocols, wanted)) out.uses.push_back(&use);
  }
  return out;
}

/// Rows that differ in nothing but the transport, which a person counts as one.
struct Row {
  RegistryEntry entry;
  std::vector<model::Protocol> protocols;
};

/// Rows of one port stand side by side, so a look back over a few of them finds its like.
std::vector<Row> gather(const std::vector<RegistryEntry>& entries) {
  std::vector<Row> out;
  for (const RegistryEntry& entry : entries) {
    Row* same = nullptr;
    for (auto other = out.rbegin(); other != out.rend(); ++other) {
      if (other->entry.ports.first != entry.ports.first) break;
      if (other->entry.ports == entry.ports && other->entry.service == entry.service &&
          other->entry.description == entry.description &&
          other->entry.assignee == entry.assignee) {
        same = &*other;
        break;
      }
    }
    if (same == nullptr) {
      out.push_back({entry, {entry.protocol}});
    } else {
      same->protocols.push_back(entry.protocol);
    }
  }
  return out;
}

std::string names_of(const std::vector<model::Protocol>& protocols) {
  std::string out;
  for (const model::Protocol protocol : protocols) {
    if (!out.empty()) out += ", ";
    out += model::protocol_name(protocol);
  }
  return out;
}

std::string ports_of(const KnownUse& use) {
  std::string out;
  for (const PortRange range : use.ports) {
    if (!out.empty()) out += ", ";
    out += to_string(range);
  }
  return out;
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

class Page {
 public:
  explicit Page(Context& context) : context_(context), width_(context.text_width()) {}

  void heading(std::string_view text) {
    context_.out << "\n" << context_.style(text, Tone::kStrong) << "\n";
  }
  void item(std::string_view text) { context_.out << wrap_text(text, width_, "  ", "    "); }
  void detail(std::string_view text) {
    context_.out << wrap_text(text, width_, "      ", "      ");
  }
  /// Nothing when there is nothing to say.
  void detail(std::string_view label, std::string_view text) {
    if (!text.empty()) detail(std::string(label) + ": " + std::string(text));
  }

 private:
  Context& context_;
  size_t width_;
};

void print_registration(Page& page, const ports::Registration& registration) {
  const RegistryEntry& entry = registration.entry;
  // IANA's rows without a service say "Unassigned" or "Reserved" instead.
  const std::string_view name = entry.service.empty() ? entry.description : entry.service;
  std::string title = safe(name) + " (" + names_of(registration.protocols) + ")";
  if (!entry.ports.single()) title += ", ports " + to_string(entry.ports);
  if (!entry.description.empty() && entry.description != name) {
    title += ": " + safe(entry.description);
  }
  page.item(title);
  page.detail("assignee", safe(ports::spaced(entry.assignee)));
  if (entry.contact != entry.assignee) page.detail("contact", safe(ports::spaced(entry.contact)));
  page.detail("registered", safe(entry.registered));
  page.detail("modified", safe(entry.modified));
  page.detail("reference", safe(entry.reference));
  page.detail("unauthorized use", safe(entry.unauthorized));
  page.detail("note", safe(entry.notes));
  if (entry.service.empty()) return;
  const ports::GhostJudgement& judgement = registration.ghost;
  const auto present = std::ranges::count(judgement.signals, true, &ports::GhostSignal::present);
  page.detail(fmt::format("{}: {} of {} signs say that its tenant left no documentation{}",
                          judgement.ghost ? "A ghost registration" : "Not a ghost registration",
                          present, judgement.signals.size(),
                          judgement.ghost ? "; about one in five judged so has some" : ""));
  for (const ports::GhostSignal& signal : judgement.signals) {
    page.detail((signal.present ? "sign of a ghost: " : "sign of life: ") + safe(signal.evidence));
  }
}

void print_use(Page& page, const KnownUse& use) {
  page.item(fmt::format("{} ({} {}): {}", safe(use.software), ports_of(use),
                        names_of(use.protocols), safe(use.role)));
  page.detail(safe(use.summary));
  page.detail("firewall", safe(use.firewall));
  page.detail("usual programs", safe(joined(use.exes)));
  page.detail("usual packages", safe(joined(use.packages)));
  page.detail("usual units", safe(joined(use.units)));
  page.detail("only on", safe(use.profile));
  page.detail("source", safe(use.source));
}

std::string class_in_words(uint16_t port) {
  switch (model::port_class(port)) {
    case model::PortClass::kSystem:
      return "a system port (0-1023)";
    case model::PortClass::kUser:
      return "a user port (1024-49151)";
    case model::PortClass::kDynamic:
      return "a dynamic port (49152-65535), which IANA registers to nobody";
  }
  return "a port";
}

void print_page(const ports::PortQuery& query, const Findings& findings,
                const std::vector<ports::Registration>& registrations, Context& context) {
  Page page(context);
  const uint16_t port = query.ports.front().first;
  context.out << wrap_text(fmt::format("{} is {}.", port, class_in_words(port)),
                           context.text_width());
  page.heading("Registered with IANA");
  if (registrations.empty()) page.item("to nobody");
  for (const ports::Registration& one : registrations) print_registration(page, one);
  page.heading("Really used by");
  if (findings.uses.empty()) page.item("no software that we know of");
  for (const KnownUse* use : findings.uses) print_use(page, *use);
  context.out << "\n"
              << wrap_text("Registry " + safe(context.registry().origin()) + ".",
                           context.text_width());
}

void print_entries(const std::vector<RegistryEntry>& entries, bool header, Context& context) {
  Table table({{.header = "PORT", .right = true},
               {.header = "PROTO"},
               {.header = "SERVICE"},
               {.header = "DESCRIPTION", .least = 20},
               {.header = "ASSIGNEE", .least = 8}});
  const auto cell = [&](const std::string& text) { table.cell(text.empty() ? "-" : text); };
  for (const Row& row : gather(entries)) {
    table.cell(to_string(row.entry.ports), Tone::kStrong);
    table.cell(names_of(row.protocols));
    cell(safe(row.entry.service));
    cell(safe(row.entry.description));
    cell(safe(ports::spaced(row.entry.assignee)));
  }
  table.print(context.out, context.style, context.width, header);
}

void print_uses(const std::vector<const KnownUse*>& uses, Context& context) {
  Table table({{.header = "PORT", .right = true, .least = 11},
               {.header = "PROTO"},
               {.header = "SOFTWARE", .least = 12},
               {.header = "ROLE", .least = 10},
               {.header = "PROGRAMS", .least = 8}});
  for (const KnownUse* use : uses) {
    table.cell(ports_of(*use), Tone::kStrong);
    table.cell(names_of(use->protocols));
    table.cell(safe(use->software));
    table.cell(safe(use->role));
    table.cell(use->exes.empty() ? "-" : safe(joined(use->exes)));
  }
  table.print(context.out, context.style, context.width, true);
}

/// Both tables, each only where it has rows.
void print_tables(const Findings& findings, Context& context) {
  if (!findings.entries.empty()) {
    context.out << context.style("Registered with IANA", Tone::kStrong) << "\n";
    print_entries(findings.entries, true, context);
  }
  if (findings.uses.empty()) return;
  if (!findings.entries.empty()) context.out << "\n";
  context.out << context.style("Really used by", Tone::kStrong) << "\n";
  print_uses(findings.uses, context);
}

void write_rows(base::JsonWriter& json, const std::vector<RegistryEntry>& entries,
                const Context& context) {
  json.key("registrations").begin_array();
  for (const Row& row : gather(entries)) {
    if (context.out.closed()) break;
    json.newline();
    write_registration(json, row.entry, row.protocols, nullptr);
  }
  json.end_array();
}

void write_registrations(base::JsonWriter& json, const std::vector<ports::Registration>& judged) {
  json.key("registrations").begin_array();
  for (const ports::Registration& one : judged) {
    json.newline();
    write_registration(json, one.entry, one.protocols, &one.ghost);
  }
  json.end_array();
}

void write_uses(base::JsonWriter& json, const std::vector<const KnownUse*>& uses) {
  json.newline().key("known_uses").begin_array();
  for (const KnownUse* use : uses) {
    json.newline();
    write_known_use(json, *use);
  }
  json.end_array();
}

bool has_all_words(std::string_view words, const KnownUse& use) {
  for (auto word = base::take_word(words); !word.empty(); word = base::take_word(words)) {
    const bool found = std::ranges::any_of(
        std::vector{use.software, use.service, use.role, use.summary},
        [&](std::string_view text) { return base::contains_ignoring_case(text, word); });
    if (!found) return false;
  }
  return true;
}

}  // namespace

int run_registry_show(const RegistryShowOptions& options, Context& context) {
  const ports::KnownUses& known_uses = ports::KnownUses::built_in();
  const auto query = ports::find_ports(options.port, context.registry(), known_uses);
  if (!query) return context.fail(query.error());
  const std::string understood =
      query->ignored.empty() ? "" : ports::understood_in_words(*query, {});
  const Findings findings = find_all(*query, context.registry(), known_uses);
  // The judgement looks at every known use for every row: too slow for thousands of rows.
  const bool judged = findings.entries.size() <= kMostJudged;
  const auto registrations =
      judged ? ports::gather_registrations(findings.entries, std::nullopt, known_uses)
             : std::vector<ports::Registration>{};
  if (context.json) {
    base::JsonWriter json = context.begin_json("registry");
    json.field("origin", context.registry().origin());
    json.key("ports").begin_array();
    for (const PortRange range : query->ports) {
      json.begin_object().field("first", range.first).field("last", range.last).end_object();
    }
    json.end_array();
    const std::optional<model::Protocol> protocol = query->protocol;
    write_text(json, "protocol", protocol ? model::protocol_name(*protocol) : "");
    write_text(json, "understood", understood);
    json.newline();
    if (judged) {
      write_registrations(json, registrations);
    } else {
      write_rows(json, findings.entries, context);
    }
    write_uses(json, findings.uses);
    Context::end_json(json);
    return kDone;
  }
  if (!understood.empty()) context.out << wrap_text(understood, context.text_width()) << "\n";
  if (query->ports.size() == 1 && query->ports.front().single()) {
    print_page(*query, findings, registrations, context);
    return kDone;
  }
  if (findings.entries.empty() && findings.uses.empty()) {
    context.out << "Nothing is registered there, and no software that we know of uses it.\n";
  }
  print_tables(findings, context);
  return kDone;
}

int run_registry_search(const RegistrySearchOptions& options, Context& context) {
  if (base::trim(options.words).empty()) {
    return context.fail({base::ErrorKind::kUsage, "no words to search for were given"});
  }
  Findings findings;
  findings.entries = context.registry().search(options.words);
  for (const KnownUse& use : ports::KnownUses::built_in().all()) {
    if (has_all_words(options.words, use)) findings.uses.push_back(&use);
  }
  if (context.json) {
    base::JsonWriter json = context.begin_json("registry search");
    json.field("origin", context.registry().origin()).field("words", options.words).newline();
    write_rows(json, findings.entries, context);
    write_uses(json, findings.uses);
    Context::end_json(json);
    return kDone;
  }
  if (findings.entries.empty() && findings.uses.empty()) {
    context.out << "Nothing in the registry or in the known uses has \"" << safe(options.words)
                << "\".\n";
  }
  print_tables(findings, context);
  return kDone;
}

int run_registry_list(const RegistryListOptions& options, Context& context) {
  std::vector<RegistryEntry> entries = context.registry().all();
  std::erase_if(entries, [&](const RegistryEntry& entry) {
    return options.protocol && entry.protocol != *options.protocol;
  });
  if (context.json) {
    base::JsonWriter json = context.begin_json("registry list");
    json.field("origin", context.registry().origin());
    write_rows(json, entries, context);
    Context::end_json(json);
    return kDone;
  }
  print_entries(entries, !options.no_header, context);
  return kDone;
}

int run_registry_import(const RegistryImportOptions& options, Context& context) {
  ports::ImportOptions import;
  import.force = options.force;
  import.date = utc_time(context.machine().now_unix_s()).substr(0, 10);
  const auto summary = ports::import_registry(options.file, context.state_directory, import);
  if (!summary) return context.fail(summary.error());
  if (context.json) {
    base::JsonWriter json = context.begin_json("registry import");
    json.field("table", summary->table_path).field("rows", uint64_t{summary->rows});
    json.field("without_port", uint64_t{summary->without_port});
    json.field("unknown_transports", uint64_t{summary->unknown_transports});
    json.key("rows_by_protocol").begin_object();
    for (const auto& [protocol, rows] : summary->per_protocol) {
      json.field(model::protocol_name(protocol), uint64_t{rows});
    }
    json.end_object();
    Context::end_json(json);
    return kDone;
  }
  std::string counts;
  for (const auto& [protocol, rows] : summary->per_protocol) {
    counts +=
        fmt::format("{}{} {}", counts.empty() ? "" : ", ", rows, model::protocol_name(protocol));
  }
  context.out << wrap_text(
      fmt::format("Imported {} rows ({}); {} names without a port and {} rows of other transports "
                  "were left out. Look-ups now use {}.",
                  summary->rows, counts, summary->without_port, summary->unknown_transports,
                  safe(summary->table_path)),
      context.text_width());
  return kDone;
}

}  // namespace apps
