#include "apps/cmd_ephemeral.h"

#include "apps/ephemeral_page.h"
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
  if (context.json) {
    base::JsonWriter json = context.begin_json("ephemeral");
    write_ephemeral(json, report, options.top);
    Context::end_json(json);
  } else {
    context.out << page_as_text(ephemeral_page(report, options.top), context.style,
                                context.text_width());
  }
  return report.needs_attention() ? kAttention : kDone;
}

}  // namespace apps
