// The kernel's socket tables as /proc/net shows them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "model/socket.h"
#include "ports/socket_source.h"

namespace host {

/// Appends the sockets of one protocol, IPv4 and then IPv6, of the network namespace in which the
/// calling thread is. A file that this kernel does not have counts as empty, but /proc/net itself
/// must be there.
base::Result<void> read_proc_table(model::Protocol protocol, uint32_t netns,
                                   std::vector<model::Socket>& sockets);

/// All protocols of every namespace: the same contract as read_socket_tables in host/diag_tables.h,
/// without TCP details.
base::Result<void> read_proc_tables(const ports::InventoryRequest& request,
                                    ports::RawInventory& into,
                                    const std::optional<std::vector<uint32_t>>& only = {});

}  // namespace host
