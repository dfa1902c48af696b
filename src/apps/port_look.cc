#include "apps/port_look.h"

#include <algorithm>

namespace apps {
namespace {

bool is_forwarded_elsewhere(const model::Inventory& inventory, const ports::PortQuery& query) {
  return std::ranges::any_of(inventory.published, [&](const model::PublishedPort& rule) {
    return rule.target_ports.first != 0 &&
           std::ranges::any_of(query.ports, [&](model::PortRange asked) {
             return asked.first <= rule.ports.last && rule.ports.first <= asked.last;
           });
  });
}

}  // namespace

base::Result<model::Inventory> look_at_ports(const ports::PortQuery& query, LookRequest request,
                                             Context& context) {
  // The request takes one range; several are asked for as the one that spans them.
  model::PortRange span = query.ports.front();
  for (const auto range : query.ports) {
    span.first = std::min(span.first, range.first);
    span.last = std::max(span.last, range.last);
  }
  // A range that ends at 0 is port 0 alone, which no socket has.
  if (span.last != 0) request.inventory.ports = span;
  auto inventory = look(request, context);
  if (!inventory || !is_forwarded_elsewhere(*inventory, query)) return inventory;
  request.inventory.ports.reset();
  return look(request, context);
}

}  // namespace apps
