// Which network namespaces there are, as far as names and processes show them, and how a thread of
// ours gets into one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace host {

/// A namespace and the ways to open it. Nothing is held open: a machine may have more namespaces
/// than we may have descriptors.
struct NamespaceRef {
  uint32_t inode = 0;
  std::string name;           ///< file name under /run/netns and its like, "" = none
  std::string mount;          ///< path of that file
  std::vector<int32_t> pids;  ///< a few of the processes that live in it
  bool own = false;
};

struct NamespaceList {
  std::vector<NamespaceRef> namespaces;  ///< ours is the first
  uint32_t processes_hidden = 0;         ///< processes whose namespace we may not learn
  std::vector<int32_t> hidden_pids;      ///< the first few of them
};

/// The namespace of the calling thread, then those with a name in /run/netns or /run/docker/netns
/// and those of every process that we may look at. A namespace kept alive only by an open
/// descriptor or by a socket is in neither.
base::Result<NamespaceList> find_net_namespaces();

/// Only the namespace of the calling thread.
base::Result<NamespaceRef> own_net_namespace();

/// Opens it through its name or one of its processes, and makes sure that it is the one meant.
base::Result<base::Fd> open_net_namespace(const NamespaceRef& ref);

/// The inode number of an open namespace, as in /proc/PID/ns/net.
base::Result<uint32_t> net_namespace_inode(int netns_fd);

/// Runs `work` on a thread of its own that has entered the namespace, and waits for it. The calling
/// thread stays where it is. kPermission without CAP_SYS_ADMIN over that namespace; the error of
/// `work` otherwise.
base::Result<void> run_in_net_namespace(int netns_fd,
                                        const std::function<base::Result<void>()>& work);

/// Moves the calling thread for good: only for a thread that ends soon after.
base::Result<void> enter_net_namespace(int netns_fd);

}  // namespace host
