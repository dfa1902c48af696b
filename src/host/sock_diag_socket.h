// SockDiagSocket: one NETLINK_SOCK_DIAG socket. It belongs to the network namespace in which its
// thread was when open() was called, and to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "format/sock_diag_message.h"
#include "model/socket.h"

namespace host {

class SockDiagSocket {
 public:
  static base::Result<SockDiagSocket> open();

  /// Appends every socket that answers the request; `netns` is copied into each. An interrupted or
  /// overrun dump is repeated from its start. True: consistent; false: still interrupted after the
  /// last repetition, so that sockets may be missing or listed twice. An error appends nothing;
  /// kNotFound means that this kernel does not list the protocol.
  base::Result<bool> dump(const format::SockDiagRequest& request, uint32_t netns,
                          std::vector<model::Socket>& sockets,
                          std::vector<model::TcpDetail>& details);

 private:
  enum class Outcome : uint8_t { kComplete, kInterrupted, kOverrun };
  SockDiagSocket(base::Fd fd, std::unique_ptr<std::byte[]> buffer);
  base::Result<Outcome> dump_once(const format::SockDiagRequest& request, uint32_t netns,
                                  std::vector<model::Socket>& sockets,
                                  std::vector<model::TcpDetail>& details);
  /// The size of the next datagram; 0 when the kernel dropped some because we were too slow.
  base::Result<size_t> receive();

  base::Fd fd_;
  std::unique_ptr<std::byte[]> buffer_;
  uint32_t sequence_ = 0;
};

}  // namespace host
