// What the kernel told the recorder, decoded: plain values. Times are nanoseconds of CLOCK_BOOTTIME
// (they go on through suspend and never jump); wall-clock time is added by the recorder, which
// knows when the clock was set.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "model/address.h"
#include "model/port.h"
#include "model/recorded_socket.h"

namespace model {

enum class SocketEventKind : uint8_t {
  kBound = 1,  ///< bind() succeeded (TCP and UDP), or the kernel chose a UDP port
  kListening = 2,
  kConnected = 3,  ///< a program connects; kConnectFailed follows if nobody answers
  kAccepted = 4,   ///< an incoming connection is set up; it may wait to be accepted still
  kClosed = 5,     ///< the last descriptor went, or the kernel dropped an unaccepted connection
  kConnectFailed = 6,
  kBindFailed = 7,
};

/// Who acted, as seen from inside the kernel at that moment. pid 0 = the kernel, or unknown.
struct Actor {
  int32_t pid = 0;  ///< thread group, in the recorder's pid namespace
  uint32_t uid = 0;
  uint64_t start_time_ns = 0;  ///< of the process, since boot; with pid an identity for ever
  uint64_t cgroup_id = 0;
  std::array<char, 16> command{};  ///< NUL-padded comm
};

struct SocketEvent {
  uint64_t time_ns = 0;
  uint64_t cookie = 0;
  /// When a UDP socket was made, a TCP socket was bound or began to listen, a connection was
  /// accepted; 0 = before we looked, or TCP that only connects.
  uint64_t created_ns = 0;
  SocketEventKind kind = SocketEventKind::kBound;
  Protocol protocol = Protocol::kTcp;
  uint32_t netns = 0;
  uint32_t interface = 0;
  Endpoint local;
  Endpoint remote;
  /// Who made the socket; for an accepted one, who made its listener (DESIGN: attribution).
  Actor creator;
  /// Who acts now, only where the acting task is certainly a holder (bind, connect, listen, last
  /// close); pid 0 elsewhere. On an accepted connection the last closer is its acceptor.
  Actor actor;
  uint16_t error = 0;    ///< errno of a failed connect or bind where it is known
  TrafficTotals totals;  ///< at close, TCP only
};

/// A segment came for a port that nobody listens on, and the kernel answered with a reset.
struct ResetEvent {
  uint64_t time_ns = 0;
  uint32_t netns = 0;
  Endpoint local;
  Endpoint remote;
};

enum class ProcessEventKind : uint8_t { kFork = 1, kExec = 2, kExit = 3 };

struct ProcessEvent {
  uint64_t time_ns = 0;
  ProcessEventKind kind = ProcessEventKind::kExec;
  Actor process;
  int32_t parent_pid = 0;
  uint64_t parent_start_time_ns = 0;
  std::string exe;  ///< path given to execve, exec only
};

/// Events that never reached us, by kind of loss; counted since the source was opened.
struct LossCounters {
  uint64_t ring_full = 0;         ///< no room in the ring
  uint64_t recursion_misses = 0;  ///< the kernel skipped a program that was already running
  uint64_t storage_full = 0;      ///< owner storage could not be made
  [[nodiscard]] uint64_t total() const { return ring_full + recursion_misses + storage_full; }
  bool operator==(const LossCounters&) const = default;
};

using Event = std::variant<SocketEvent, ResetEvent, ProcessEvent>;

}  // namespace model
