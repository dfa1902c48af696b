// ephemeral: how much is left of the ports that the kernel lends to outgoing connections, who uses
// them, and what stands in their way. A pure function over an inventory.
//
// One local port can serve many destinations at once: for TCP a connection is told from others by
// both ends, so what runs out is the pairs (local address, local port) toward one destination. A
// port that a program has bound or listens on is lost to all destinations (inet_hash_connect in
// net/ipv4/inet_hashtables.c passes over it). A UDP socket takes its port for itself
// (udp_lib_get_port), so there the pool is one for all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/inventory.h"
#include "ports/holds.h"

namespace ports {

/// How much of a pool is left.
enum class Headroom : uint8_t {
  kAmple,
  kSmall,      ///< less than a quarter is free
  kNearlyOut,  ///< less than a tenth is free: exit code 1
};
std::string_view headroom_name(Headroom headroom);  ///< "ample", "small", "nearly-out"
Headroom headroom_of(uint32_t free, uint32_t size);

inline constexpr unsigned kSmallPercent = 25;
inline constexpr unsigned kNearlyOutPercent = 10;
inline constexpr int64_t kLongHeld_s = 86400;
/// TCP_TIMEWAIT_LEN (include/net/tcp.h), which no setting changes.
inline constexpr uint32_t kTimeWait_s = 60;

/// A program and how many of the ports in question it uses.
struct Share {
  Program program;
  uint32_t ports = 0;
};

/// TCP connections from one local address to one destination.
struct DestinationUse {
  model::IpAddress local;
  model::Endpoint destination;
  uint32_t used = 0;       ///< local ports of the range in use toward it
  uint32_t time_wait = 0;  ///< of them, those whose connection is closed already
  uint32_t free = 0;       ///< what a further connect() can choose from
  Headroom headroom = Headroom::kAmple;
  std::vector<Share> programs;  ///< most ports first; time-wait belongs to nobody
};

/// A program whose connections have carried nothing for a day or more, so that they are at least
/// that old. (Younger data hides an old connection: only a record of events would tell.)
struct IdleHolder {
  Program program;
  uint32_t connections = 0;
  int64_t longest_idle_s = 0;
  model::Endpoint example;  ///< the other end of the longest
};

struct EphemeralUse {
  uint32_t netns = 0;
  std::string name;
  bool own = false;
  bool tables_read = true;
  model::PortPolicy policy;
  uint32_t size = 0;                  ///< ports in the range less the reserved ones
  uint32_t reserved = 0;              ///< ports of the range that are reserved
  Headroom worst = Headroom::kAmple;  ///< of UDP and all destinations

  uint32_t tcp_ports = 0;      ///< distinct ports of the range in use by TCP
  uint32_t tcp_taken = 0;      ///< of them, bound or listened on: lost to every destination
  uint32_t tcp_time_wait = 0;  ///< sockets in time-wait whose local port is in the range
  std::vector<DestinationUse> destinations;  ///< least free first

  uint32_t udp_ports = 0;  ///< distinct ports of the range in use by UDP
  uint32_t udp_free = 0;
  Headroom udp_headroom = Headroom::kAmple;

  std::vector<Share> programs;   ///< who uses the range, TCP and UDP, most ports first
  uint32_t unnamed_sockets = 0;  ///< sockets on ports of the range whose holder we may not see
  std::vector<Hold> listeners;   ///< inside the range, lowest port first
  std::vector<Hold> bound;       ///< TCP, bound and nothing more, likewise
  std::vector<IdleHolder> idle;  ///< longest first
  /// Programs that hold client ports and have run for more than a day: no more is known of the age
  /// of their connections.
  std::vector<Share> long_running;
  std::vector<Share> close_wait;  ///< programs with kCloseWaitPile or more such connections

  /// New connections a second to one destination that the range can sustain when this side closes
  /// first, since each port then rests for kTimeWait_s.
  [[nodiscard]] uint32_t sustained_per_second() const { return size / kTimeWait_s; }
};

struct EphemeralReport {
  std::vector<EphemeralUse> namespaces;  ///< our own first, then those with the least headroom
  model::CollectorReport collector;
  [[nodiscard]] bool needs_attention() const;
};

/// `inventory` with TCP details where idle holders are wanted.
EphemeralReport measure_ephemeral(const model::Inventory& inventory, int64_t now_unix_s);

/// What to do, in whole sentences; empty when there is room and nothing stands in the way.
std::vector<std::string> ephemeral_advice(const EphemeralUse& use);

}  // namespace ports
