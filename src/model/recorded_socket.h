// What the timeline keeps: one row for each socket's life, and the process behind it. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"
#include "model/port.h"

namespace model {

struct TrafficTotals {
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  uint32_t rtt_us = 0;
  uint32_t retransmits = 0;
};

/// What a socket was for. Stored as a number: never renumber.
enum class SocketRole : uint8_t {
  kListener = 1,  ///< TCP listen, from listen() to close
  kOutgoing = 2,  ///< a connection this host made, or a UDP socket with a peer
  kIncoming = 3,  ///< a connection made to this host
  kBound = 4,     ///< UDP with a port and no peer; TCP bound and never used
  kConnectFailed = 5,
  kBindFailed = 6,
  kRefused = 7,  ///< not a socket: somebody asked for a closed port and got a reset
};

inline constexpr SocketRole kSocketRoles[] = {
    SocketRole::kListener,      SocketRole::kOutgoing,   SocketRole::kIncoming, SocketRole::kBound,
    SocketRole::kConnectFailed, SocketRole::kBindFailed, SocketRole::kRefused};
/// "listener", "outgoing", "incoming", "bound", "connect-failed", "bind-failed", "refused".
std::string_view socket_role_name(SocketRole role);
std::optional<SocketRole> socket_role_from_name(std::string_view name);

/// A role that is an event rather than a life.
constexpr bool is_moment(SocketRole role) {
  return role == SocketRole::kConnectFailed || role == SocketRole::kBindFailed ||
         role == SocketRole::kRefused;
}
/// Whether a row with this role is the end of the open socket with its cookie. One that failed to
/// bind lives on.
constexpr bool ends_what_was_open(SocketRole role) {
  return role != SocketRole::kBindFailed && role != SocketRole::kRefused;
}

/// How sure we are of the owner. Stored as a number: never renumber.
enum class OwnerProof : uint8_t {
  kNone = 0,       ///< nobody can be named; `owner_reason` says why
  kActed = 1,      ///< the process itself bound, connected, listened or closed it
  kHeld = 2,       ///< an inventory saw its descriptor
  kInherited = 3,  ///< only the listener's maker is known (accepted and gone unseen)
};

std::string_view owner_proof_name(OwnerProof proof);  ///< "none", "acted", "held", "inherited"

/// `owner_reason` of a row whose owner is named, where the owner ended, or was found not to hold
/// the socket any more, and the socket lived on: the row ends there, and another with the same
/// cookie begins, which says of its owner one of the other two.
inline constexpr std::string_view kHandedOn = "handed-on";
inline constexpr std::string_view kTakenOver = "taken-over";
inline constexpr std::string_view kTakenOverUnseen = "taken-over-unseen";  ///< owner not known

/// A process for ever: (boot, pid, start time) is never used twice.
struct RecordedProcess {
  int64_t id = 0;     ///< in the store, 0 = not stored yet
  uint32_t boot = 0;  ///< number of the boot in the store
  int32_t pid = 0;
  uint64_t start_time_ns = 0;  ///< since boot
  uint32_t uid = 0;
  std::string user;
  std::string command;  ///< comm
  std::string exe;      ///< "" = it was gone before it could be read
  std::string unit;     ///< systemd unit, or user unit
  std::string container;
  int32_t parent_pid = 0;
  std::string parent_command;
};

/// One socket's life. Each moment stands on both clocks, in microseconds: boot time (since this
/// boot, never jumps) decides order, length and what was open when; wall time (since 1970 UTC) is
/// what the clock showed then. The store keeps boot times and the steps of the wall clock, and
/// gives back wall times made from those.
struct RecordedSocket {
  uint64_t cookie = 0;
  uint32_t boot = 0;
  uint32_t netns = 0;
  uint32_t interface = 0;  ///< bound interface index, 0 = any
  Protocol protocol = Protocol::kTcp;
  SocketRole role = SocketRole::kBound;
  Endpoint local;
  Endpoint remote;
  int64_t opened_boot_us = 0;
  int64_t opened_us = 0;                  ///< wall
  std::optional<int64_t> closed_boot_us;  ///< set exactly when closed_us is
  std::optional<int64_t> closed_us;       ///< wall; nothing: still open when last heard of
  bool opened_before = false;  ///< it was older than the recorder: opened is a latest guess
  bool close_unseen = false;   ///< found gone by an inventory: closed is a latest guess
  uint16_t error = 0;          ///< errno of a failed connect or bind where it is known
  OwnerProof proof = OwnerProof::kNone;
  std::string owner_reason;  ///< why nobody is named, a stable word; "" = not known, or not needed
  int64_t owner = 0;         ///< RecordedProcess::id, 0 = nobody
  int64_t creator = 0;       ///< when somebody else made the socket, 0 = the owner did
  std::vector<int64_t> also_held_by;  ///< other processes whose descriptors an inventory saw
  TrafficTotals totals;
};

/// Whether the socket was open before, as somebody else's.
inline bool was_taken_over(const RecordedSocket& socket) {
  return socket.owner_reason == kTakenOver || socket.owner_reason == kTakenOverUnseen;
}

/// Whether a length would say nothing of it. A connect may take minutes to fail.
inline bool has_no_length(const RecordedSocket& socket) {
  return is_moment(socket.role) && socket.closed_boot_us.value_or(0) <= socket.opened_boot_us;
}

/// A stretch of wall time in which events were lost or nobody recorded.
struct RecordedGap {
  uint32_t boot = 0;
  int64_t from_us = 0;
  int64_t until_us = 0;
  /// "not-recording", "not-written", "store-damaged": nothing of it was kept. "ring-full",
  /// "recursion", "storage-full": some events are missing. "clock-set": the wall clock was set over
  /// it. "no-bpf": what lived for less than a moment was not seen.
  std::string kind;
  uint64_t lost = 0;  ///< events known to be lost, 0 = cannot be counted
};

}  // namespace model
