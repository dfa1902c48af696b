// twinport registry: who a port is registered to, and what software really uses it.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "model/port.h"

namespace apps {

struct RegistryShowOptions {
  std::string port;  ///< a port, a range or a service name, as typed
};

struct RegistrySearchOptions {
  std::string words;
};

struct RegistryListOptions {
  std::optional<model::Protocol> protocol;
  bool no_header = false;
};

struct RegistryImportOptions {
  std::string file;
  bool force = false;  ///< take a file with implausibly few rows
};

int run_registry_show(const RegistryShowOptions& options, Context& context);
int run_registry_search(const RegistrySearchOptions& options, Context& context);
int run_registry_list(const RegistryListOptions& options, Context& context);
int run_registry_import(const RegistryImportOptions& options, Context& context);

}  // namespace apps
