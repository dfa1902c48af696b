#include "testkit/socket_menagerie.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace testkit {
namespace {

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

Address address_of(const char* text, uint16_t port) {
  Address address{};
  if (::inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(port);
  } else {
    ::inet_pton(AF_INET6, text, &address.v6.sin6_addr);
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
  }
  return address;
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof(value));
}

struct Options {
  int protocol = 0;
  int v6only = -1;
  bool on_lo = false;
  bool reuse_port = false;
};

/// An open socket bound to the address; invalid when the kernel refuses.
base::Fd bound(int type, const char* text, uint16_t port, const Options& options = {}) {
  const Address address = address_of(text, port);
  base::Fd fd(::socket(address.any.sa_family, type | SOCK_CLOEXEC, options.protocol));
  if (!fd.valid()) return fd;
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.v6only >= 0) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.v6only);
  if (options.on_lo) ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
  if (options.reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (::bind(fd.get(), &address.any, sizeof(address)) != 0) fd.reset();
  return fd;
}

base::Fd listening(const char* text, uint16_t port, int backlog, const Options& options = {}) {
  base::Fd fd = bound(SOCK_STREAM, text, port, options);
  if (fd.valid() && ::listen(fd.get(), backlog) != 0) fd.reset();
  return fd;
}

}  // namespace

SocketMenagerie::SocketMenagerie() {
  make_listeners();
  make_connections();
  make_datagram_sockets();
  make_raw_sockets();
}

void SocketMenagerie::fail(const std::string& what) {
  if (failure_.empty()) failure_ = what + ": " + strerrordesc_np(errno);
}

int SocketMenagerie::keep(base::Fd fd, const std::string& what) {
  if (!fd.valid()) fail(what);
  fds_.push_back(std::move(fd));
  return fds_.back().get();
}

int SocketMenagerie::connect_to(uint16_t port, const std::string& what) {
  const Address address = address_of("127.0.0.1", port);
  const int fd =
      keep(base::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), what);
  // Loopback answers at once or, where a test means it to, never: nothing here may block.
  if (::connect(fd, &address.any, sizeof(address.v4)) != 0 && errno != EINPROGRESS) fail(what);
  return fd;
}

int SocketMenagerie::accept_from(int listener) {
  return keep(base::Fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)), "accept");
}

void SocketMenagerie::make_listeners() {
  plain_ = keep(listening("127.0.0.1", kPlainListener, 5), "plain listener");
  keep(listening("::1", kV6OnlyListener, 6, {.v6only = 1}), "v6only listener");
  dual_ = keep(listening("::", kDualListener, 7, {.v6only = 0}), "dual listener");
  keep(listening("127.0.0.1", kDeviceListener, 8, {.on_lo = true}), "listener on lo");
  keep(bound(SOCK_STREAM, "127.0.0.1", kBoundOnly), "bound socket");
  keep(listening("127.0.0.1", kGroupListener, 9, {.reuse_port = true}), "first of a group");
  keep(listening("127.0.0.1", kGroupListener, 9, {.reuse_port = true}), "second of a group");
  base::Fd mptcp = listening("127.0.0.1", kMptcpListener, 4, {.protocol = IPPROTO_MPTCP});
  has_mptcp_ = mptcp.valid();
  if (has_mptcp_) keep(std::move(mptcp), "MPTCP listener");
  // The raw system call changes this thread alone, unlike the one of the C library.
  ::syscall(SYS_setfsuid, kOtherUid);
  keep(listening("127.0.0.1", kOthersListener, 3), "another user's listener");
  ::syscall(SYS_setfsuid, ::geteuid());
}

void SocketMenagerie::make_connections() {
  const int client = connect_to(kPlainListener, "client with unread data");
  set_option(client, SOL_SOCKET, SO_KEEPALIVE, 1);
  accept_from(plain_);
  if (::send(client, "hello", 5, 0) != 5) fail("send");

  const int half_closed = connect_to(kDualListener, "half-closed client");
  const int other_half = accept_from(dual_);
  ::shutdown(half_closed, SHUT_WR);  // FIN_WAIT1 here, CLOSE_WAIT there
  // An answer carries the acknowledgement that would else be delayed: FIN_WAIT2 at once.
  if (::send(other_half, "!", 1, 0) != 1) fail("answer");

  connect_to(kDualListener, "client to close");
  accept_from(dual_);
  base::Fd server = std::move(fds_.back());
  fds_.pop_back();
  fds_.pop_back();  // the client closes first and stays behind in TIME_WAIT
  server.reset();

  connect_to(kPlainListener, "client that is not accepted");

  const int deferred = keep(listening("127.0.0.1", kDeferredListener, 5), "deferring listener");
  set_option(deferred, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30);
  connect_to(kDeferredListener, "client of a deferring listener");

  keep(listening("127.0.0.1", kFullListener, 0), "listener without backlog");
  connect_to(kFullListener, "client that fills the queue");
  connect_to(kFullListener, "client that is not answered");
}

void SocketMenagerie::make_datagram_sockets() {
  keep(bound(SOCK_DGRAM, "127.0.0.1", kUdpWithData), "UDP socket");
  keep(bound(SOCK_DGRAM, "::", kUdpDual, {.v6only = 0}), "dual UDP socket");
  keep(bound(SOCK_DGRAM, "::1", kUdpV6Only, {.v6only = 1}), "v6only UDP socket");
  const Address address = address_of("127.0.0.1", kUdpWithData);
  const int sender = keep(base::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), "UDP client");
  if (::connect(sender, &address.any, sizeof(address.v4)) != 0) fail("connect UDP");
  if (::send(sender, "datagram", 8, 0) != 8) fail("send UDP");
  base::Fd lite = bound(SOCK_DGRAM, "127.0.0.1", kUdpLite, {.protocol = IPPROTO_UDPLITE});
  has_udplite_ = lite.valid();
  if (has_udplite_) keep(std::move(lite), "UDP-Lite socket");
}

void SocketMenagerie::make_raw_sockets() {
  base::Fd v4(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  base::Fd v6(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  has_raw_ = v4.valid() && v6.valid();
  if (!has_raw_) return;
  keep(std::move(v4), "raw socket");
  keep(std::move(v6), "raw IPv6 socket");
}

}  // namespace testkit
