#include <algorithm>
#include <string>
#include <vector>

#include "apps/cmd_expect.h"
#include "apps/expect_json.h"
#include "apps/expect_look.h"
#include "apps/inventory_json.h"
#include "apps/table.h"
#include "base/text.h"
#include "ports/words.h"

namespace apps {
namespace {

using model::Expectation;
using model::VerdictKind;

std::string protocols_of(const Expectation& one) {
  return ports::joined(ports::each_in_words(one.protocols,
                                            [](model::Protocol protocol) {
                                              return std::string(protocol_name(protocol));
                                            }),
                       ",");
}

std::string ports_of(const Expectation& one) {
  const auto ports =
      ports::each_in_words(one.ports, [](model::PortRange range) { return to_string(range); });
  return (one.outgoing ? "to " : "") + ports::joined(ports, ",");
}

std::string scopes_of(const Expectation& one) {
  return ports::joined(
      ports::each_in_words(one.scopes, [](const model::Scope& scope) { return to_string(scope); }),
      ",");
}

/// Most telling first: a table cuts the end.
std::string holder_of(const Expectation& one) {
  std::vector<std::string> parts;
  const auto add = [&parts](std::string_view what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    std::vector<std::string> shown;
    for (const std::string& name : names) {
      shown.push_back(base::escape_for_terminal(ports::base_name(name)));
    }
    parts.push_back(std::string(what) + ports::joined(shown, "|"));
  };
  add("", one.holder.exes);
  add("", one.holder.units);
  add("package ", one.holder.packages);
  add("container ", one.holder.containers);
  add("user ", one.holder.users);
  if (one.published) parts.emplace_back("the packet filter");
  return parts.empty() ? "anybody" : ports::joined(parts, ", ");
}

std::string_view now_name(const Expectation& one, const std::optional<VerdictKind>& now) {
  if (now) return verdict_name(*now);
  return one.outgoing ? "quiet" : "not open";
}

bool is_finding(const std::optional<VerdictKind>& kind) {
  return kind && model::Verdict{.kind = *kind, .reason = {}, .expectation = {}}.is_finding();
}

void print_table(const ExpectLook& look, bool wide, Context& context) {
  Table table({{.header = "PROTO"},
               {.header = "PORT", .least = 5},
               {.header = "SCOPE", .least = 8},
               {.header = "HOLDER", .least = 12},
               {.header = "ANSWERS", .least = 7},
               {.header = "NOW"}});
  for (size_t i = 0; i < look.expectations->all.size(); ++i) {
    const Expectation& one = look.expectations->all[i];
    const auto& now = look.verdicts.now[i];
    table.cell(protocols_of(one));
    table.cell(ports_of(one), Tone::kStrong);
    table.cell(scopes_of(one));
    table.cell(holder_of(one));
    table.cell(one.owner.empty() ? "-" : base::escape_for_terminal(one.owner),
               one.owner.empty() ? Tone::kFaint : Tone::kPlain);
    table.cell(now_name(one, now), now ? verdict_tone(*now) : Tone::kFaint);
    if (!one.why.empty()) table.note(base::escape_for_terminal(one.why));
  }
  table.print(context.out, context.style, wide ? 0 : context.width, true);
  const auto unowned =
      std::ranges::count_if(look.expectations->all, [](auto& one) { return one.owner.empty(); });
  std::string line = ports::counted(look.expectations->all.size(), "expectation") + " from " +
                     ports::listed_briefly(look.expectations->files, 3) + ".";
  if (unowned > 0) {
    line += " Nobody is named to answer for " + ports::grouped(static_cast<uint64_t>(unowned)) +
            " of them (owner = ...).";
  }
  context.out.flush();
  std::string text = wrap_text(base::escape_for_terminal(line), context.text_width());
  if (text.ends_with('\n')) text.pop_back();
  context.err << context.error_style(text, Tone::kFaint) << "\n";
  context.err.flush();
}

void print_json(const ExpectLook& look, bool attention, Context& context) {
  base::JsonWriter json = context.begin_json("expect show");
  json.field("needs_attention", attention).newline();
  write_strings(json, "files", look.expectations->files);
  json.newline();
  write_collector(json, look.inventory.report);
  json.newline().key("expectations").begin_array();
  for (size_t i = 0; i < look.expectations->all.size(); ++i) {
    json.newline();
    json.begin_object();
    write_expectation_fields(json, look.expectations->all[i]);
    const auto& now = look.verdicts.now[i];
    write_text(json, "now", now ? verdict_name(*now) : std::string_view{});
    json.end_object();
  }
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_expect_show(const ExpectShowOptions& options, Context& context) {
  const auto look = look_by_expectations(options.collector, context);
  if (!look) return context.fail(look.error());
  const bool attention = std::ranges::any_of(look->verdicts.now, is_finding);
  if (context.json) {
    print_json(*look, attention, context);
  } else {
    print_table(*look, options.wide, context);
  }
  return attention ? kAttention : kDone;
}

}  // namespace apps
