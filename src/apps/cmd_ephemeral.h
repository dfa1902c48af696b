// twinport ephemeral: the range of ports that the kernel hands out, and how much of it is in use.
#pragma once

#include <optional>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct EphemeralOptions {
  unsigned top = 10;  ///< how many destinations and holders to list
  std::optional<model::CollectorKind> collector;
};

int run_ephemeral(const EphemeralOptions& options, Context& context);

}  // namespace apps
