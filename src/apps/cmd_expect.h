// twinport expect check|show: what should be open, and what is not as it should be.
#pragma once

#include <optional>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct ExpectCheckOptions {
  std::optional<model::CollectorKind> collector;
};

/// 1 when something is not as it should be, or could not be seen.
int run_expect_check(const ExpectCheckOptions& options, Context& context);

struct ExpectShowOptions {
  bool wide = false;  ///< never cut
  std::optional<model::CollectorKind> collector;
};

/// 1 like check.
int run_expect_show(const ExpectShowOptions& options, Context& context);

}  // namespace apps
