// LinuxMachine: the Machine we really run on.
#pragma once

#include <memory>

#include "apps/machine.h"

namespace apps {

std::unique_ptr<Machine> make_linux_machine();

}  // namespace apps
