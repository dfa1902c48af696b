// The kernel's socket tables as /proc/net shows them, of the network namespace in which the calling
// thread is.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "model/socket.h"

namespace host {

/// Appends the sockets of one protocol, IPv4 and then IPv6. A file that this kernel does not have
/// counts as empty, but /proc/net itself must be there.
base::Result<void> read_proc_table(model::Protocol protocol, uint32_t netns,
                                   std::vector<model::Socket>& sockets);

}  // namespace host
