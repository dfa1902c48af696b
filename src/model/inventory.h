// Inventory: the sockets open now, their owners, and how far our eyes reached. Plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/port.h"
#include "model/process.h"
#include "model/socket.h"

namespace model {

/// What the kernel does with ports in one network namespace, read live from its sysctls.
struct PortPolicy {
  PortRange ephemeral{32768, 60999};   ///< ip_local_port_range
  std::vector<PortRange> reserved;     ///< ip_local_reserved_ports, sorted
  uint16_t unprivileged_start = 1024;  ///< ip_unprivileged_port_start
  bool known = false;                  ///< false: could not be read; the values are defaults
  /// True where the kernel may hand this port out by itself.
  [[nodiscard]] bool hands_out(uint16_t port) const;
};

struct NetNamespace {
  uint32_t inode = 0;
  std::string name;          ///< from /run/netns or the container, "" = none
  int32_t sample_pid = 0;    ///< a process that lives in it, 0 = none
  bool own = false;          ///< the one we run in
  bool tables_read = false;  ///< false: seen only through descriptors; `why` says what was missing
  std::string why;
  PortPolicy policy;
};

enum class CollectorKind : uint8_t { kBpf, kSockDiag, kProc };
std::string_view collector_name(CollectorKind kind);  ///< "bpf", "sock_diag", "proc"

/// Which collector looked, why that one, and what it cannot see. Always shown on request.
struct CollectorReport {
  CollectorKind kind = CollectorKind::kProc;
  std::string why;
  std::vector<std::string> blind_spots;  ///< whole sentences
  bool complete = true;                  ///< false: rights or a failure left something out (exit 1)
  uint32_t processes_hidden = 0;         ///< processes whose descriptors we could not read
  bool outsiders_unseen = false;  ///< we are in a PID namespace of our own: who is outside of
                                  ///< it, perhaps in another network, is out of sight
};

/// A port that the packet filter forwards elsewhere: reachable, with no socket behind it here.
struct PublishedPort {
  uint32_t netns = 0;
  Protocol protocol = Protocol::kTcp;
  PortRange ports;
  IpAddress destination;         ///< the address it is published on; any = all
  uint8_t destination_bits = 0;  ///< leading bits of `destination` that count: 32 or 128 for one
                                 ///< address, fewer for a network, 0 for all
  IpAddress target;              ///< where it is sent; any = unchanged (a redirect to this host)
  PortRange target_ports{0, 0};  ///< 0 = unchanged
  bool outgoing_only = false;    ///< only connections that this host itself makes are sent there
  std::string conditions;  ///< what else must hold, e.g. "iifname != docker0"; "" = nothing else.
                           ///< Partly bytes from outside: escape before printing
  std::string rule;        ///< "ip nat DOCKER", family, table and chain
};

struct PublishedPorts {
  std::vector<PublishedPort> ports;
  std::vector<std::string> blind_spots;  ///< whole sentences: rules not understood, not readable
};

struct Inventory {
  std::vector<Socket> sockets;
  std::vector<Owner> owners;
  std::vector<Process> processes;
  std::vector<TcpDetail> tcp_details;
  std::vector<NetNamespace> namespaces;
  std::vector<PublishedPort> published;
  CollectorReport report;

  [[nodiscard]] std::span<const Owner> owners_of(const Socket& socket) const {
    return std::span(owners).subspan(socket.first_owner, socket.owner_count);
  }
  [[nodiscard]] const NetNamespace* find_namespace(uint32_t inode) const;
};

}  // namespace model
