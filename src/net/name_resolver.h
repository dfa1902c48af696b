// NameResolver: the addresses of a host, within a time limit. getaddrinfo() may take as long as the
// name servers of the machine like, and cannot be ended: so it is called in a thread that is left
// behind when the answer comes too late. Copies share what is under way. Any thread.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] int family() const { return storage.ss_family; }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

using SocketAddresses = std::vector<SocketAddress>;

/// What getaddrinfo() says of a TCP port of a host; blocks for as long as that takes.
base::Result<SocketAddresses> look_up(const std::string& host, uint16_t port);

/// So many look-ups that nobody waits for any more may go on; beyond, none is begun.
inline constexpr size_t kLookUpsLeftBehind = 4;

class NameResolver {
 public:
  /// Called in a thread that may outlive the resolver and whoever made it.
  using LookUp = std::function<base::Result<SocketAddresses>(const std::string&, uint16_t)>;
  explicit NameResolver(LookUp look_up = net::look_up);

  /// Ends at `deadline` at the latest, or soon after `given_up`, which is asked every now and then,
  /// says so. A numeric address needs no look-up.
  base::Result<SocketAddresses> resolve(const std::string& host, uint16_t port,
                                        std::chrono::steady_clock::time_point deadline,
                                        const std::function<bool()>& given_up) const;

  /// Look-ups that go on though nobody waits for them.
  [[nodiscard]] size_t left_behind() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace net
