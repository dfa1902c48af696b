#include "net/tcp_probe.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/fd.h"
#include "net/name_resolver.h"

namespace net {
namespace {

using model::IpAddress;
using model::Probe;
using model::ProbeOutcome;
using Clock = std::chrono::steady_clock;

constexpr size_t kMostAddresses = 16;

struct Attempt {
  base::Fd socket;
  Probe probe;
};

IpAddress address_of(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    return IpAddress::v4(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
  }
  return IpAddress::v6(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr.s6_addr);
}

ProbeOutcome outcome_of_icmp(uint8_t code) {
  switch (code) {
    case ICMP_PORT_UNREACH:
      return ProbeOutcome::kPortUnreachable;
    case ICMP_NET_ANO:
    case ICMP_HOST_ANO:
    case ICMP_PKT_FILTERED:
    case ICMP_PREC_VIOLATION:
    case ICMP_PREC_CUTOFF:
      return ProbeOutcome::kProhibited;
    case ICMP_NET_UNREACH:
    case ICMP_NET_UNKNOWN:
    case ICMP_NET_UNR_TOS:
      return ProbeOutcome::kNetUnreachable;
    default:
      return ProbeOutcome::kHostUnreachable;
  }
}

ProbeOutcome outcome_of_icmp6(uint8_t code) {
  switch (code) {
    case ICMPV6_PORT_UNREACH:
      return ProbeOutcome::kPortUnreachable;
    case ICMPV6_ADM_PROHIBITED:
    case ICMPV6_POLICY_FAIL:
    case ICMPV6_REJECT_ROUTE:
      return ProbeOutcome::kProhibited;
    case ICMPV6_NOROUTE:
      return ProbeOutcome::kNetUnreachable;
    default:
      return ProbeOutcome::kHostUnreachable;
  }
}

// What an ICMP message said; false when none came, so that the error has another origin.
bool read_icmp(Attempt& attempt) {
  std::array<char, 512> control{};
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(attempt.socket.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    const bool v4 = one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_RECVERR;
    const bool v6 = one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_RECVERR;
    // The error, and behind it the address of who sent it.
    const size_t least =
        sizeof(sock_extended_err) + (v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    if ((!v4 && !v6) || one->cmsg_len < CMSG_LEN(least)) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(one), sizeof error);
    if (error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_type == ICMP_DEST_UNREACH) {
      attempt.probe.outcome = outcome_of_icmp(error.ee_code);
    } else if (error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_type == ICMPV6_DEST_UNREACH) {
      attempt.probe.outcome = outcome_of_icmp6(error.ee_code);
    } else {
      continue;
    }
    sockaddr_storage sender{};
    std::memcpy(&sender, CMSG_DATA(one) + sizeof error,
                v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    if (sender.ss_family == AF_INET || sender.ss_family == AF_INET6) {
      attempt.probe.said_by = address_of(reinterpret_cast<const sockaddr*>(&sender));
    }
    return true;
  }
  return false;
}

// `sent`: the attempt began, and this is how it ended.
void conclude(Attempt& attempt, int error, bool sent) {
  attempt.probe.error_number = error;
  if (error == 0) {
    attempt.probe.outcome = ProbeOutcome::kOpen;
  } else if (sent && read_icmp(attempt)) {
    // It said all there is to say.
  } else if (error == ECONNREFUSED) {
    attempt.probe.outcome = ProbeOutcome::kRefused;
  } else if (error == ETIMEDOUT) {
    attempt.probe.outcome = ProbeOutcome::kNoAnswer;
  } else if (error == EHOSTUNREACH) {
    attempt.probe.outcome = sent ? ProbeOutcome::kHostUnreachable : ProbeOutcome::kNoRoute;
  } else if (error == ENETUNREACH || error == EADDRNOTAVAIL || error == EAFNOSUPPORT) {
    attempt.probe.outcome = sent ? ProbeOutcome::kNetUnreachable : ProbeOutcome::kNoRoute;
  } else if (error == EACCES || error == EPERM) {
    attempt.probe.outcome = ProbeOutcome::kForbidden;
  } else {
    attempt.probe.outcome = ProbeOutcome::kFailed;
  }
  attempt.socket.reset();
}

Attempt begin(const SocketAddress& address, uint16_t port) {
  SocketAddress to = address;
  Attempt out;
  out.probe.to = {address_of(address.get()), port};
  const bool is_v6 = address.family() == AF_INET6;
  if (is_v6) {
    reinterpret_cast<sockaddr_in6*>(&to.storage)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&to.storage)->sin_port = htons(port);
  }
  out.socket =
      base::Fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!out.socket.valid()) {
    conclude(out, errno, false);
    return out;
  }
  // Without it an ICMP message is told as an errno alone. It failing loses only that detail.
  const int on = 1;
  ::setsockopt(out.socket.get(), is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
               is_v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof on);
  if (::connect(out.socket.get(), to.get(), to.size) == 0) {
    conclude(out, 0, true);
  } else if (errno != EINPROGRESS) {
    // A refusal within this machine comes back at once.
    conclude(out, errno, errno == ECONNREFUSED);
  }
  return out;
}

uint32_t since(Clock::time_point start) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
}

void finish(std::vector<Attempt>& attempts, Clock::time_point start, Clock::time_point deadline) {
  for (;;) {
    std::vector<pollfd> waiting;
    std::vector<Attempt*> whose;
    for (Attempt& attempt : attempts) {
      if (!attempt.socket.valid()) continue;
      waiting.push_back({attempt.socket.get(), POLLOUT, 0});
      whose.push_back(&attempt);
    }
    if (waiting.empty()) return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int found =
        left <= 0 ? 0 : ::poll(waiting.data(), waiting.size(), static_cast<int>(left));
    if (found < 0 && errno == EINTR) continue;
    for (size_t i = 0; i < whose.size(); ++i) {
      if (found > 0 && waiting[i].revents == 0) continue;
      int error = found > 0 ? 0 : ETIMEDOUT;
      socklen_t size = sizeof error;
      if (found > 0) ::getsockopt(whose[i]->socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      conclude(*whose[i], error, true);
      whose[i]->probe.waited_ms = since(start);
    }
  }
}

}  // namespace

model::PeerProbe probe_peer(const std::string& host, std::span<const uint16_t> ports,
                            std::chrono::milliseconds limit) {
  const auto start = Clock::now();
  model::PeerProbe out;
  out.host = host;
  auto addresses = NameResolver().resolve(host, ports.empty() ? uint16_t{0} : ports.front(),
                                          start + limit, [] { return false; });
  if (!addresses) {
    out.unresolved = addresses.error().message;
    return out;
  }
  if (addresses->empty()) out.unresolved = "the name has no address";
  std::vector<Attempt> attempts;
  const size_t count = std::min(addresses->size(), kMostAddresses);
  for (const uint16_t port : ports) {
    for (size_t i = 0; i < count; ++i) {
      const bool known = std::ranges::any_of(attempts, [&](const Attempt& attempt) {
        return attempt.probe.to == model::Endpoint{address_of((*addresses)[i].get()), port};
      });
      if (!known) attempts.push_back(begin((*addresses)[i], port));
    }
  }
  finish(attempts, start, start + limit);
  for (const Attempt& attempt : attempts) out.probes.push_back(attempt.probe);
  return out;
}

}  // namespace net
