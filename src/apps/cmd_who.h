// twinport who [ADDR:]PORT: everybody who holds a port now and why they run, or
// held it at a moment that is over.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct WhoOptions {
  std::string port;  ///< as typed; ports/port_query.h takes it apart
  std::string peer;  ///< "ADDR", "ADDR:PORT" or "[ADDR]:PORT"; "" = any
  std::string at;    ///< a time, as ports/time_query.h takes it; "" = now
  bool verify = false;
  std::optional<model::CollectorKind> collector;
};

/// 0 when every holder found is named, or it is certain that there is none; 1 when a holder cannot
/// be named, nobody is in sight and somebody may have escaped us, a holder is none that is
/// expected, or not all of the time asked about was recorded.
int run_who(const WhoOptions& options, Context& context);

}  // namespace apps
