// twinport alerts: what the recorder told, newest first.
#pragma once

#include <cstddef>
#include <string>

#include "apps/context.h"

namespace apps {

struct AlertsOptions {
  std::string since;  ///< see ports/time_query.h; "" = all that is kept
  std::string rule;   ///< only this one; "" = all
  size_t limit = 20;
};

int run_alerts(const AlertsOptions& options, Context& context);

}  // namespace apps
