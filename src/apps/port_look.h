// What the machine shows of one port, or of a few: look.h narrowed to them.
#pragma once

#include "apps/context.h"
#include "apps/look.h"
#include "base/result.h"
#include "model/inventory.h"
#include "ports/port_query.h"

namespace apps {

/// Reads no more than the ports that are asked for, unless the packet filter sends one of them to a
/// port of another number: then a listener of any port may be what answers.
base::Result<model::Inventory> look_at_ports(const ports::PortQuery& query, LookRequest request,
                                             Context& context);

}  // namespace apps
