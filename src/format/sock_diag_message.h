// Messages of NETLINK_SOCK_DIAG: the request for a dump of one protocol's sockets, and the
// datagrams that answer it. Pure functions over bytes; sending and receiving is
// host/sock_diag_socket.h.
//
// Source: the kernel's uapi headers linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h and
// linux/tcp.h; sock_diag(7). All numbers are in host byte order except ports and addresses.
//
//   request  = nlmsghdr body [ nlattr(INET_DIAG_REQ_BYTECODE) bytecode ]
//   body     = inet_diag_req_v2      type SOCK_DIAG_BY_FAMILY: one family, one protocol
//            | inet_diag_req         type TCPDIAG_GETSOCK: TCP of both families in one walk
//   datagram = *message              each aligned to 4 bytes
//   message  = nlmsghdr inet_diag_msg *attribute      a socket
//            | nlmsghdr(NLMSG_DONE) [ s32 -errno ]    the end of the dump
//            | nlmsghdr(NLMSG_ERROR) s32 -errno ...   the kernel refused
//            | nlmsghdr(NLMSG_NOOP) ...
//   attribute = nlattr value         each aligned to 4 bytes; unknown types are skipped
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/port.h"
#include "model/socket.h"

namespace format {

/// Bit n stands for model::SocketState n. Kernels before 6.8 ignore the bit of bound sockets.
inline constexpr uint32_t kEveryState = ~0U;
constexpr uint32_t state_bit(model::SocketState state) {
  return uint32_t{1} << static_cast<unsigned>(state);
}

/// Asks for a dump of the sockets of one protocol.
struct SockDiagRequest {
  model::Protocol protocol = model::Protocol::kTcp;
  /// Nothing: both families in one walk of the kernel's tables, which only TCP can.
  std::optional<model::Family> family = std::nullopt;
  uint32_t states = kEveryState;
  bool tcp_detail = false;  ///< ask for tcp_info and the congestion control
  std::optional<model::PortRange> ports =
      std::nullopt;  ///< only sockets with the local or remote port inside
  uint32_t sequence = 0;
};

struct SockDiagRequestBytes {
  std::array<std::byte, 128> storage{};
  size_t size = 0;
  [[nodiscard]] std::span<const std::byte> bytes() const { return {storage.data(), size}; }
};

/// A request without family that is not for TCP asks for IPv4.
SockDiagRequestBytes encode(const SockDiagRequest& request);

/// What a reply does not say itself.
struct SockDiagContext {
  model::Protocol protocol = model::Protocol::kTcp;
  uint32_t netns = 0;
  uint32_t sequence = 0;    ///< messages with another sequence are left over from before: skipped
  bool tcp_detail = false;  ///< keep tcp_info where it is present (never of listeners)
};

struct SockDiagProgress {
  bool done = false;         ///< the dump is over, well or not
  bool interrupted = false;  ///< the tables changed in a way that makes the dump inconsistent
  int error_number = 0;      ///< the kernel's errno; `done` is then set
};

/// Decodes one datagram and appends its sockets. kCorrupt says which length contradicted which;
/// sockets before the fault stay appended.
base::Result<SockDiagProgress> decode_sock_diag(std::span<const std::byte> datagram,
                                                const SockDiagContext& context,
                                                std::vector<model::Socket>& sockets,
                                                std::vector<model::TcpDetail>& details);

}  // namespace format
