// The collector that needs no BPF: sock_diag for the sockets, /proc for who holds them.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "ports/socket_source.h"

namespace host {

/// `why` tells a person why this collector was taken. kUnsupported or kPermission when the kernel
/// does not answer sock_diag requests here.
base::Result<std::unique_ptr<ports::SocketSource>> make_diag_collector(std::string why);

}  // namespace host
