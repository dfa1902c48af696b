// The collector that needs nothing but /proc: its socket tables, and the walk for who holds them.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "ports/socket_source.h"

namespace host {

/// `why` tells a person why this collector was taken. kUnsupported where /proc has no socket
/// tables.
base::Result<std::unique_ptr<ports::SocketSource>> make_proc_collector(std::string why);

}  // namespace host
