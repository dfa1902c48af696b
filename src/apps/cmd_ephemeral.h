// twinport ephemeral: the range of ports that the kernel hands out, how much of it is in use, and
// how that went as far as it was recorded.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct EphemeralOptions {
  unsigned top = 10;  ///< how many destinations and holders to list
  std::string since;  ///< how far to look back in the timeline; "" = an hour
  std::optional<model::CollectorKind> collector;
};

int run_ephemeral(const EphemeralOptions& options, Context& context);

}  // namespace apps
