// The clocks of this machine, and which boot it is in.
#pragma once

#include <string>

#include "base/result.h"
#include "ports/recorder.h"

namespace host {

/// Both clocks, read as near to each other as can be.
ports::ClockReading read_clocks();

/// Of /proc/sys/kernel/random/boot_id: another one after each restart of the machine.
base::Result<std::string> read_boot_id();

}  // namespace host
