#include "host/unix_socket.h"

#include <cstring>

namespace host {

base::Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return base::fail(base::ErrorKind::kUsage,
                      "use the socket " + path +
                          ": a path of a socket has 1 to 107 bytes; choose a "
                          "shorter one with TWINPORT_SOCKET");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

std::optional<uint32_t> peer_uid(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

}  // namespace host
