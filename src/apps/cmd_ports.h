// twinport ports: who holds what, now.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct PortsOptions {
  bool all = false;             ///< all states, all namespaces
  bool all_namespaces = false;  ///< listeners of all namespaces
  std::string filter;           ///< see ports/filter.h
  std::string columns;          ///< names joined by commas, or "help"; "" = the usual ones
  std::string sort;             ///< a column's name, "-" in front to reverse; "" = by local port
  bool no_header = false;
  bool wide = false;    ///< never cut, and all blind spots
  bool detail = false;  ///< what TCP knows of each connection
  bool verify = false;  ///< compare the holders' files with their packages' checksums
  std::optional<model::CollectorKind> collector;
};

/// 1 when rights or a failure left something out of the view.
int run_ports(const PortsOptions& options, Context& context);

}  // namespace apps
