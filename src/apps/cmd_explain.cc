#include "apps/cmd_explain.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/explain_json.h"
#include "apps/explain_page.h"
#include "apps/look_back.h"
#include "apps/past_page.h"
#include "apps/port_look.h"
#include "apps/timeline_json.h"
#include "ports/explain.h"
#include "ports/explain_range.h"
#include "ports/known_uses.h"
#include "ports/port_query.h"

namespace apps {
namespace {

LookRequest what_to_read(const ExplainOptions& options) {
  LookRequest request;
  request.collector = options.collector;
  request.packages = true;
  request.verify = options.verify;
  return request;
}

std::vector<model::RegistryEntry> entries_of(const ports::PortQuery& query,
                                             const ports::Registry& registry) {
  std::vector<model::RegistryEntry> out = registry.all();
  std::erase_if(out, [&](const model::RegistryEntry& entry) {
    return std::ranges::none_of(query.ports, [&](model::PortRange asked) {
      return asked.first <= entry.ports.last && entry.ports.first <= asked.last;
    });
  });
  return out;
}

using Past = std::optional<ports::PastAnswer>;

// What was then comes first: it is what was asked.
void add_past(Page& page, const Past& past) {
  if (!past) return;
  page.lead.insert(page.lead.begin(),
                   {PageItemKind::kParagraph, "", ports::past_headline(*past), Tone::kStrong});
  auto sections = past_sections(*past);
  page.sections.insert(page.sections.begin(), std::make_move_iterator(sections.begin()),
                       std::make_move_iterator(sections.end()));
}

/// The answer in either form. `write` puts the explanation's fields into an open JSON object.
int print_answer(Page page, const std::function<void(base::JsonWriter&, bool attention)>& write,
                 const ExplainOptions& options, const Past& past, bool attention,
                 Context& context) {
  attention |= past && past->needs_attention();
  if (context.json) {
    base::JsonWriter json = context.begin_json("explain");
    write(json, attention);
    if (past) {
      json.key("then").begin_object();
      json.field("needs_attention", past->needs_attention());
      write_past(json, *past);
      json.end_object();
    }
    Context::end_json(json);
  } else {
    add_past(page, past);
    context.out << (options.markdown ? page_as_markdown(page)
                                     : page_as_text(page, context.style, context.text_width()));
  }
  return attention ? kAttention : kDone;
}

}  // namespace

int run_explain(const ExplainOptions& options, Context& context) {
  const auto& known_uses = ports::KnownUses::built_in();
  const auto query = ports::find_ports(options.port, context.registry(), known_uses);
  if (!query) return context.fail(query.error());
  Past past;
  if (!options.at.empty()) {
    auto found = look_back(*query, std::nullopt, options.at, context);
    if (!found) return context.fail(found.error());
    past = std::move(*found);
  }
  const auto inventory = look_at_ports(*query, what_to_read(options), context);
  if (!inventory) return context.fail(inventory.error());

  Machine& machine = context.machine();
  const bool one_port = query->ports.size() == 1 && query->ports.front().single();
  const uint16_t port = query->ports.front().first;
  const auto entries = one_port ? context.registry().find(port, query->protocol)
                                : entries_of(*query, context.registry());
  const auto addresses =
      query->address ? machine.local_addresses() : std::vector<model::IpAddress>{};
  const LoadedExpectations& expectations = context.expectations();
  const ports::Judge judge(expectations.all, expectations.loaded());
  const ports::ExplainInput input{.inventory = *inventory,
                                  .known_uses = known_uses,
                                  .entries = entries,
                                  .local_addresses = addresses,
                                  .safety = {.caller_is_root = machine.caller_is_root(),
                                             .processes_hidden = inventory->report.processes_hidden,
                                             .own_pid = machine.own_pid(),
                                             .packages_known = machine.has_package_lists(),
                                             .verified = options.verify},
                                  .judge = &judge};
  const PageLength length = options.markdown ? PageLength::kFull : PageLength::kShort;
  if (one_port) {
    const ports::Explanation explanation = ports::explain(*query, port, input);
    return print_answer(
        explain_page(explanation, machine.now_unix_s(), length),
        [&](base::JsonWriter& json, bool attention) {
          write_explanation(json, explanation, attention);
        },
        options, past, explanation.needs_attention(), context);
  }
  const ports::RangeExplanation explanation = ports::explain_range(*query, input);
  return print_answer(
      explain_range_page(explanation, length),
      [&](base::JsonWriter& json, bool attention) {
        write_range_explanation(json, explanation, attention);
      },
      options, past, explanation.needs_attention(), context);
}

}  // namespace apps
