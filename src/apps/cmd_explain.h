// twinport explain PORT: everything known about one port, in plain words.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct ExplainOptions {
  std::string port;  ///< as typed, words joined by blanks; ports/port_query.h takes it apart
  std::string at;    ///< also who held it then; a time as ports/time_query.h takes it, "" = no
  bool markdown = false;
  bool verify = false;  ///< compare the holder's file with its package's checksum
  std::optional<model::CollectorKind> collector;
};

int run_explain(const ExplainOptions& options, Context& context);

}  // namespace apps
