#include "host/bind_trial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"

namespace host {
namespace {

using model::BindOutcome;

int bind_to(int socket, const model::Endpoint& at) {
  if (at.address.family == model::Family::kIpv4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(at.port);
    std::copy_n(at.address.bytes.begin(), 4, reinterpret_cast<uint8_t*>(&address.sin_addr));
    return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(at.port);
  std::ranges::copy(at.address.bytes, address.sin6_addr.s6_addr);
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// 0, or the errno of the step that failed.
int attempt(const model::Endpoint& at, bool as_a_server) {
  const bool is_v6 = at.address.family == model::Family::kIpv6;
  const base::Fd socket(
      ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return errno;
  const int on = 1;
  if (is_v6 && ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
    return errno;
  }
  if (as_a_server && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return errno;
  }
  if (bind_to(socket.get(), at) != 0) return errno;
  if (as_a_server && ::listen(socket.get(), 1) != 0) return errno;
  return 0;
}

BindOutcome outcome_of(int error_number) {
  switch (error_number) {
    case EADDRINUSE:
      return BindOutcome::kInUse;
    case EACCES:
    case EPERM:
      return BindOutcome::kDenied;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return BindOutcome::kNoAddress;
    default:
      return BindOutcome::kFailed;
  }
}

}  // namespace

model::BindTrial try_bind(const model::Endpoint& at) {
  int error = attempt(at, false);
  if (error == 0) return {.at = at, .outcome = BindOutcome::kFree};
  if (error == EADDRINUSE) error = attempt(at, true);
  if (error == 0) return {.at = at, .outcome = BindOutcome::kFreeWithReuse};
  return {.at = at, .outcome = outcome_of(error), .error_number = error};
}

}  // namespace host
