#include "apps/cmd_ephemeral.h"

#include <algorithm>
#include <utility>

#include "apps/ephemeral_page.h"
#include "apps/ephemeral_past.h"
#include "apps/look.h"
#include "ports/ephemeral.h"

namespace apps {

int run_ephemeral(const EphemeralOptions& options, Context& context) {
  LookRequest request;
  request.collector = options.collector;
  request.published = false;
  request.inventory.tcp_detail = true;  // how long a connection has been silent
  const auto inventory = look(request, context);
  if (!inventory) return context.fail(inventory.error());
  const auto report = ports::measure_ephemeral(*inventory, context.machine().now_unix_s());
  EphemeralPast past;
  const auto own = std::ranges::find_if(report.namespaces, &ports::EphemeralUse::own);
  if (own != report.namespaces.end()) {
    auto read = read_ephemeral_past(options.since, *own, options.top, context);
    if (!read) return context.fail(read.error());
    past = std::move(*read);
  }
  const bool attention = report.needs_attention() || past.needs_attention();
  if (context.json) {
    base::JsonWriter json = context.begin_json("ephemeral");
    json.field("needs_attention", attention);
    write_ephemeral(json, report, options.top);
    if (own != report.namespaces.end()) write_ephemeral_past(json, past, *own, options.top);
    Context::end_json(json);
  } else {
    Page page = ephemeral_page(report, options.top);
    if (own != report.namespaces.end()) add_ephemeral_past(page, past, *own, options.top);
    page.sections.push_back(ephemeral_advice_section(report));
    context.out << page_as_text(page, context.style, context.text_width());
  }
  return attention ? kAttention : kDone;
}

}  // namespace apps
