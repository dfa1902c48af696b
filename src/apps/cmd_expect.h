// twinport expect learn|check|show: what should be open, and what is not as it should be.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct ExpectLearnOptions {
  std::string since;  ///< see ports/time_query.h; "" = the last seven days of the timeline
  std::string
      output;  ///< a file, "-" = standard output, "" = expectations.toml of the configuration
  bool force = false;           ///< replace a file that says otherwise
  bool open_only = false;       ///< nothing about who talks to others
  bool all_namespaces = false;  ///< network namespaces with a name, too
  std::optional<model::CollectorKind> collector;
};

/// 1 when the file says otherwise and was left as it is, or something could not be learned.
int run_expect_learn(const ExpectLearnOptions& options, Context& context);

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
