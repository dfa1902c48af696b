// The kernel's socket tables, read through sock_diag: TCP, UDP and UDP-Lite of both families, bound
// TCP sockets too (Linux 6.8), and raw sockets (from /proc/net where the kernel has no raw_diag).
// The sock_diag collector takes its `listed` sockets from here, and the BPF collector those that it
// cannot walk, or all of them when details of TCP are asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/namespace_tables.h"
#include "model/inventory.h"
#include "ports/socket_source.h"

namespace host {

/// Appends to `into` the sockets, TCP details and namespaces of our own network namespace and, if
/// the request asks for all, of every other one that has a name or a process; reads the port policy
/// of each. A namespace that cannot be entered is appended with `tables_read` false and the reason.
/// Whatever was left out clears `into.report.complete` and adds a sentence to its blind spots; the
/// other fields of the report are the caller's. Any thread may call; it is never moved to another
/// namespace (worker threads are). An error means that even our own tables cannot be read:
/// kUnsupported or kPermission where sock_diag is missing or forbidden, else kIo.
/// `only`, if set, narrows to the namespaces of these inode numbers.
base::Result<void> read_socket_tables(const ports::InventoryRequest& request,
                                      ports::RawInventory& into,
                                      const std::optional<std::vector<uint32_t>>& only = {});

/// Reads all tables of one namespace. It lives shorter than the request, like the next.
TableFunction diag_reader(const ports::InventoryRequest& request);

/// For a collector that has TCP and UDP from elsewhere: reads UDP-Lite and raw sockets. It lives
/// shorter than the request.
TableFunction rest_reader(const ports::InventoryRequest& request);

/// The listening TCP sockets of the calling thread's network namespace, which is `netns` by number.
base::Result<std::vector<model::Socket>> read_tcp_listeners(std::optional<model::PortRange> ports,
                                                            uint32_t netns);

/// Of one dump of TCP, which begins at `first`: the kernel lists sockets that are only bound before
/// those that are connected, so one that connects meanwhile is listed twice. Drops its first,
/// outdated listing. (Here for its test.)
void drop_outdated(std::vector<model::Socket>& sockets, size_t first);

}  // namespace host
