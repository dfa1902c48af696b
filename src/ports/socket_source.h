// SocketSource: the interface of the three collectors (BPF, sock_diag, /proc). The domain owns it;
// src/host implements it on Linux and src/testkit in memory. Everything a source returns is raw:
// which socket belongs to whom is decided in one place, ports/merge.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/inventory.h"
#include "ports/ref_index.h"

namespace ports {

/// What to read. Narrowing is a permission to skip work, never a promise: a source may return more.
struct InventoryRequest {
  bool all_namespaces = true;
  bool tcp_detail = false;      ///< round trips, windows, counters, and which timer runs
  bool listeners_only = false;  ///< listening TCP, unconnected UDP and raw
  std::optional<model::PortRange> ports = std::nullopt;  ///< local or remote port inside
};

/// A holder's command as it was when its descriptors were read: what is left to tell if the process
/// ends before anybody can ask for more.
struct SeenProcess {
  int32_t pid = 0;
  uint64_t start_time_ns = 0;
  std::string command;  ///< comm of the thread group's leader, raw bytes
};

/// The kernel's socket tables and everybody's descriptors, not yet joined.
struct RawInventory {
  std::vector<model::Socket> listed;   ///< from the kernel's tables; cookie or inode set
  std::vector<ListedRef> listed_refs;  ///< likewise, no socket in both; only with `held`
  /// Of `listed_refs`, where the source had time to make it; it may lack those that came last.
  std::optional<RefIndex> ref_index;
  struct LookedUp {
    std::vector<model::Socket> sockets;  ///< what has gone since is left out
    size_t unread = 0;                   ///< so many could not be looked up again
    std::string why;
  };
  /// look_up(refs): those among `listed_refs` for which there is no holder after all, read again
  /// from the tables. Set where `listed_refs` has any. To be called before the source is used
  /// again, and not after its end.
  std::function<LookedUp(const std::vector<ListedRef>&)> look_up;
  std::vector<model::Holder> holders;  ///< every descriptor of a TCP, UDP or raw socket that we saw
  /// held(i): the socket as seen through holders[i]. Unset where the collector cannot look through
  /// a descriptor (sock_diag and /proc know a socket only from the tables). A function, because
  /// nearly every socket is listed too, and a second copy of each would be a third of our memory.
  std::function<model::Socket(size_t)> held;
  /// Whether the tables were searched for TCP sockets that are bound and nothing more.
  bool bound_listed = true;
  std::vector<SeenProcess> seen_processes;
  std::vector<model::TcpDetail> tcp_details;
  std::vector<model::NetNamespace> namespaces;
  model::CollectorReport report;
};

/// What a second look at one ownerless socket found; sockets are told apart by inode.
struct HoldingEvidence {
  uint64_t inode = 0;
  model::Holding holding = model::Holding::kUnknown;
};

class SocketSource {
 public:
  SocketSource() = default;
  SocketSource(const SocketSource&) = delete;
  SocketSource& operator=(const SocketSource&) = delete;
  virtual ~SocketSource() = default;

  virtual base::Result<RawInventory> read(const InventoryRequest& request) = 0;

  /// Looks again at sockets that have an inode but for which no descriptor was found: are they gone
  /// by now (kVanished), the kernel's own (kKernel), alive with a file but in no descriptor table
  /// (kNoDescriptor), or can we not tell (kUnknown, kHidden)? Sockets left out of the answer are
  /// kUnknown. A descriptor found only now comes back through `late_holders`.
  virtual base::Result<std::vector<HoldingEvidence>> look_again(
      const std::vector<model::Socket>& ownerless, std::vector<model::Holder>& late_holders) = 0;

  /// Nothing more will be asked about what was read last: lets go of what was kept for that.
  virtual void end_look() {}
};

}  // namespace ports
