#include "apps/context.h"

namespace apps {

const ports::Registry& Context::registry() {
  if (!opened_registry) {
    std::string warning;
    opened_registry = std::make_shared<const ports::Registry>(
        ports::Registry::open_preferred(state_directory, &warning));
    if (!warning.empty()) warn(warning);
  }
  return *opened_registry;
}

}  // namespace apps
