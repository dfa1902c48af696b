// Socket, Holder and what explains a socket that no process holds: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/address.h"
#include "model/port.h"

namespace model {

/// Linux's own numbers (include/net/tcp_states.h). A UDP or raw socket is kEstablished when it has
/// a peer and kClose when it has none, which `ss` prints as UNCONN.
enum class SocketState : uint8_t {
  kUnknown = 0,
  kEstablished = 1,
  kSynSent = 2,
  kSynReceived = 3,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClose = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kListen = 10,
  kClosing = 11,
  kNewSynReceived = 12,  ///< a handshake whose request the kernel holds; shown as syn-recv
  kBoundInactive = 13,   ///< bound, neither listening nor connected (sock_diag since Linux 6.8)
};

/// "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "close-wait",
/// "last-ack", "listen", "closing", "bound"; kClose is "unconnected" for UDP and raw sockets and
/// "closed" for TCP. These are the words of filters and of JSON.
std::string_view state_name(SocketState state, Protocol protocol);
std::optional<SocketState> state_from_name(std::string_view name);  ///< also ss's short names

/// How a socket is held. Anything but kOwned means that no process can be named, and says why.
enum class Holding : uint8_t {
  kUnknown,       ///< not examined, or nothing we can read tells; never guessed
  kOwned,         ///< at least one process holds a descriptor for it
  kTimeWait,      ///< already closed; the kernel keeps the address pair so late segments do no harm
  kHandshake,     ///< a connection being set up; it belongs to no process before accept()
  kNotAccepted,   ///< set up, waiting in a listener's queue until the program accepts it
  kOrphaned,      ///< the program closed it; the kernel is still finishing the connection
  kKernel,        ///< opened by the kernel itself (NFS, VXLAN, WireGuard, ...)
  kNoDescriptor,  ///< alive with a file, but in no descriptor table: in flight or held by io_uring
  kHidden,        ///< it has a file that no process in sight holds, and some process hides its own:
                  ///< either that one holds it, or it is as kNoDescriptor says
  kVanished,      ///< it was gone when we looked for its holder
};
std::string_view holding_name(Holding holding);  ///< JSON word: "owned", "time-wait", ...

enum class TimerKind : uint8_t { kOff, kRetransmit, kKeepalive, kTimeWait, kPersist };

/// One socket, as the kernel tells it. Two sockets are the same one only if their cookies are equal
/// (and not 0); inodes are used again after 2^32 allocations, address pairs within microseconds.
struct Socket {
  uint64_t cookie = 0;     ///< 0: this collector cannot see cookies
  uint64_t inode = 0;      ///< 0: no process-side socket exists (time-wait, handshake, orphan, ...)
  uint32_t netns = 0;      ///< inode number of the network namespace, as in /proc/PID/ns/net
  uint32_t uid = 0;        ///< creator's uid; meaningless (and 0) where inode is 0
  uint32_t interface = 0;  ///< bound interface index, 0 = any
  uint32_t receive_queue = 0;  ///< bytes unread; for a listener, connections not yet accepted
  uint32_t send_queue = 0;     ///< bytes unacknowledged; for a listener, the backlog limit
  uint32_t timer_ms = 0;
  uint32_t first_owner = 0;  ///< index into Inventory::owners, filled by the merge
  uint32_t owner_count = 0;
  int32_t detail = -1;  ///< index into Inventory::tcp_details, -1 = none was asked for
  Endpoint local;
  Endpoint remote;  ///< all zero when there is no peer
  Protocol protocol = Protocol::kTcp;
  SocketState state = SocketState::kUnknown;
  Holding holding = Holding::kUnknown;
  TimerKind timer = TimerKind::kOff;
  uint8_t retransmits = 0;
  std::optional<bool> v6only;  ///< IPv6 only, where the kernel tells (listeners, unconnected)
  bool mptcp = false;  ///< held through a Multipath TCP socket (the default for Go listeners)
  bool listed = true;  ///< false: seen through a descriptor only, in none of the kernel's tables

  [[nodiscard]] bool is_listener() const {
    return state == SocketState::kListen ||
           (protocol != Protocol::kTcp && state == SocketState::kClose && local.port != 0);
  }
};

/// A descriptor that refers to a socket: one row of "who holds what".
struct Holder {
  uint64_t inode = 0;
  uint64_t cookie = 0;         ///< 0 = unknown to this collector
  uint64_t start_time_ns = 0;  ///< start of the process since boot, 0 = unknown; guards against
                               ///< a pid used again between two looks
  int32_t pid = 0;             ///< thread group, as user space numbers processes
  int32_t tid = 0;             ///< the thread whose descriptor table it is; pid for nearly all
  int32_t fd = -1;
  bool mptcp = false;  ///< a Multipath TCP socket: its TCP subflow has its inode, not its cookie
};

/// What tcp_info says, for `ports --detail`. Units as named; 0 where the kernel is silent.
struct TcpDetail {
  uint32_t rtt_us = 0, rtt_variation_us = 0, rto_us = 0;
  uint32_t send_mss_bytes = 0, receive_mss_bytes = 0, path_mtu_bytes = 0;
  uint32_t congestion_window = 0, slow_start_threshold = 0;
  uint32_t retransmits_total = 0, lost = 0, reordering = 0;
  uint32_t last_data_sent_ms = 0, last_data_received_ms = 0;
  uint64_t bytes_sent = 0, bytes_acked = 0, bytes_received = 0;
  uint64_t segments_out = 0, segments_in = 0;
  uint64_t delivery_rate_bytes_per_s = 0, pacing_rate_bytes_per_s = 0;
  char congestion_control[16] = {};  // NUL-terminated
};

}  // namespace model
