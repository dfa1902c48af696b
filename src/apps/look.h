// look: what the machine shows of its ports, in one call: sockets, holders, processes, ports that
// the packet filter publishes, packages. What every command about live ports begins with.
#pragma once

#include <optional>

#include "apps/context.h"
#include "base/result.h"
#include "model/inventory.h"
#include "ports/socket_source.h"

namespace apps {

struct LookRequest {
  ports::InventoryRequest inventory;
  std::optional<model::CollectorKind> collector;
  bool published = true;  ///< ports that the packet filter sends elsewhere
  bool packages = false;  ///< the Debian package of every holder
  bool verify = false;    ///< and whether its file is what the package shipped
};

/// What could be read. A packet filter that cannot be read is one more blind spot in the report,
/// not a failure.
base::Result<model::Inventory> look(const LookRequest& request, Context& context);

/// What `look` adds to an inventory of sockets and processes, by `published`, `packages` and
/// `verify` of the request.
void complete_inventory(model::Inventory& inventory, const LookRequest& request, Context& context);

/// Number of the namespace we run in, 0 = unknown.
uint32_t own_namespace(const model::Inventory& inventory);

}  // namespace apps
