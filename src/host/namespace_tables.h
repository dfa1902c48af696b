// Takes a table reader through every network namespace: what sock_diag and /proc/net have in
// common.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/net_namespaces.h"
#include "model/socket.h"
#include "ports/socket_source.h"

namespace host {

/// What one thread has read.
struct TablePart {
  std::vector<model::Socket> listed;
  std::vector<ports::ListedRef> listed_refs;
  std::vector<model::TcpDetail> tcp_details;
  bool interrupted = false;  ///< the tables changed under every attempt to read them
};

/// Appends the tables of the network namespace in which the calling thread is, which is `netns` by
/// number. Called from several threads at a time, each with its own part.
using TableFunction = std::function<base::Result<void>(uint32_t netns, TablePart& part)>;

/// Our own namespace and, if all are wanted, every other one that has a name or a process.
base::Result<NamespaceList> list_namespaces(bool all_namespaces);

/// Applies `read` to each namespace of the list: to our own, if that is the first, in the calling
/// thread, and to the others in worker threads that enter them. Appends what they read, the
/// namespaces with their port policies, and to the report what was left out. An error is that of
/// our own namespace. `others` of the caller's threads are at work meanwhile: where no core is
/// left, our own namespace comes first, so that more threads do not keep those from getting on.
base::Result<void> read_listed_namespaces(const NamespaceList& list, const TableFunction& read,
                                          ports::RawInventory& into, unsigned others = 0);

/// Applies `read` to our own namespace, in the calling thread, and to each other one that has a
/// name or a process, in worker threads that enter it. Appends what they read, the namespaces with
/// their port policies, and to the report what was left out: see host/diag_tables.h. An error is
/// that of our own namespace. `only`, if set, names the namespaces that are wanted.
base::Result<void> read_each_namespace(bool all_namespaces, const TableFunction& read,
                                       ports::RawInventory& into,
                                       const std::optional<std::vector<uint32_t>>& only = {});

/// Applies `read` to one namespace that is open as `netns_fd`, in a worker thread.
base::Result<void> read_one_namespace(int netns_fd, const std::string& name,
                                      const TableFunction& read, ports::RawInventory& into);

}  // namespace host
