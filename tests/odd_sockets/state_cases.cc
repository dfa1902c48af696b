// In which state a socket is: every one that an ordinary program can bring about, and the families
// and protocols. Ports 32xx.
#include <netinet/icmp6.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "observation.h"
#include "zoo_support.h"

namespace odd {
namespace {

constexpr int kMptcp = 262;  // IPPROTO_MPTCP, newer than Debian's <netinet/in.h>

sockaddr_storage loopback(uint16_t port) { return zoo::loopback4(0, 0, 1, port); }

void set_option(int fd, int level, int name, int value, const char* tried) {
  zoo::check(setsockopt(fd, level, name, &value, sizeof value), tried);
}

const sockaddr* generic(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

int client_of(int listener) {
  const sockaddr_storage target = zoo::local_address(listener);
  const int fd = zoo::make_socket(target.ss_family, SOCK_STREAM);
  zoo::check(connect(fd, generic(target), zoo::length_of(target)), "connect");
  return fd;
}

/// Shuts the sending direction down and returns when the other side's kernel has acknowledged it.
void shut_down_sending(int fd) {
  zoo::check(shutdown(fd, SHUT_WR), "shut down");
  while (std::string_view(observe(fd).state) != "fin-wait-2") sched_yield();
}

int listener6(uint16_t port, int v6only) {
  const int fd = zoo::make_socket(AF_INET6, SOCK_STREAM);
  set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only, "set IPV6_V6ONLY");
  const sockaddr_storage address = zoo::any6(port);
  zoo::check(bind(fd, generic(address), zoo::length_of(address)), "bind");
  zoo::check(listen(fd, 8), "listen");
  return fd;
}

void dual_stack(Notebook& notebook) {
  const int listener = listener6(3201, 0);
  // An IPv4 client of an IPv6 listener: the accepted socket has IPv4-mapped addresses.
  const int client = zoo::connected_socket(SOCK_STREAM, loopback(0), loopback(3201));
  notebook.hold(listener);
  notebook.hold(client);
  notebook.hold(zoo::accepted_socket(listener));
}

void v6_only(Notebook& notebook) {
  notebook.hold(listener6(3202, 1));
  notebook.hold(zoo::listening_socket(zoo::any4(3202)));
}

void datagram(Notebook& notebook) {
  notebook.hold(zoo::bound_socket(SOCK_DGRAM, loopback(3203)));
  notebook.hold(zoo::connected_socket(SOCK_DGRAM, loopback(3204), loopback(3203)));
  notebook.hold(zoo::bound_socket(SOCK_DGRAM, zoo::any6(3205)));
  notebook.hold(zoo::connected_socket(SOCK_DGRAM, zoo::loopback6(0), zoo::loopback6(3205)));
}

void raw(Notebook& notebook) {
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  if (fd < 0) {
    notebook.skip(std::string("raw socket: ") + strerrordesc_np(errno));
    return;
  }
  notebook.hold(fd);
  notebook.hold(zoo::make_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
}

void time_wait(Notebook& notebook) {
  const int listener = zoo::listening_socket(loopback(3206));
  const int client = client_of(listener);
  const int server = zoo::accepted_socket(listener);
  const Observation seen = observe(client);
  close(client);  // who closes first waits
  char byte = 0;
  zoo::check(static_cast<int>(read(server, &byte, 1)), "read the end of a connection");
  close(server);
  notebook.write(without_holder(seen, "time-wait", "time-wait"));
  notebook.hold(listener);
}

/// The server's side of a connection that only the client's side has a descriptor for.
Observation other_side(Observation client, std::string_view state, std::string_view holding) {
  std::swap(client.local, client.remote);
  return without_holder(client, state, holding);
}

void not_accepted(Notebook& notebook) {
  const int listener = zoo::listening_socket(loopback(3207));
  for (int i = 0; i < 2; ++i) {
    const int client = client_of(listener);
    notebook.hold(client);
    notebook.write(other_side(observe(client), "established", "not-accepted"));
  }
  // The other side is gone already: close-wait, and still nobody's.
  const int client = client_of(listener);
  shut_down_sending(client);
  notebook.hold(client);
  notebook.write(other_side(observe(client), "close-wait", "not-accepted"));
  notebook.hold(listener);
}

void handshake(Notebook& notebook) {
  const int listener = zoo::listening_socket(loopback(3208));
  // The kernel keeps such a connection half open until the client sends something.
  set_option(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 60, "set TCP_DEFER_ACCEPT");
  const int client = client_of(listener);
  notebook.hold(client);
  notebook.write(other_side(observe(client), "syn-recv", "handshake"));
  notebook.hold(listener);
}

void syn_sent(Notebook& notebook) {
  const int listener = zoo::listening_socket(loopback(3209), 0);
  const int first = client_of(listener);  // fills the queue; what comes next gets no answer
  notebook.hold(first);
  notebook.write(other_side(observe(first), "established", "not-accepted"));
  notebook.hold(listener);
  const int client = zoo::make_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  const sockaddr_storage target = loopback(3209);
  if (connect(client, generic(target), zoo::length_of(target)) == 0 || errno != EINPROGRESS)
    zoo::die("leave a connect hanging");
  Observation seen = observe(client);
  seen.remote = target;  // getpeername does not tell before the connection stands
  notebook.write(seen);
}

void orphans(Notebook& notebook) {
  const int listener = zoo::listening_socket(loopback(3210));
  // The program closed its end, the other program did not: fin-wait-2 and close-wait.
  int client = client_of(listener);
  Observation seen = observe(client);
  int server = zoo::accepted_socket(listener);
  close(client);
  notebook.write(without_holder(seen, "fin-wait-2", "orphaned"));
  notebook.hold(server);
  // As before with data that the other side has no room for: fin-wait-1.
  client = client_of(listener);
  seen = observe(client);
  server = zoo::accepted_socket(listener);
  std::array<char, 65536> block{};
  while (send(client, block.data(), block.size(), MSG_DONTWAIT) > 0) {
  }
  close(client);
  notebook.write(without_holder(seen, "fin-wait-1", "orphaned"));
  notebook.hold(server);
  notebook.hold(listener);
}

void half_closed(Notebook& notebook) {
  const int listener = zoo::listening_socket(loopback(3211));
  const int client = client_of(listener);
  const int server = zoo::accepted_socket(listener);
  shut_down_sending(client);
  notebook.hold(listener);
  notebook.hold(client);
  notebook.hold(server);
}

void bound_only(Notebook& notebook) {
  notebook.hold(zoo::bound_socket(SOCK_STREAM, loopback(3212)));
  notebook.hold(zoo::bound_socket(SOCK_STREAM, zoo::loopback6(3212)));
}

void bound_to_interface(Notebook& notebook) {
  const int fd = zoo::make_socket(AF_INET, SOCK_STREAM);
  zoo::check(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), "bind to lo");
  const sockaddr_storage address = zoo::any4(3213);
  zoo::check(bind(fd, generic(address), zoo::length_of(address)), "bind");
  zoo::check(listen(fd, 8), "listen");
  notebook.hold(fd);
}

void multipath(Notebook& notebook) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, kMptcp);
  if (listener < 0) {
    notebook.skip(std::string("MPTCP socket: ") + strerrordesc_np(errno));
    return;
  }
  const sockaddr_storage address = loopback(3214);
  zoo::check(bind(listener, generic(address), zoo::length_of(address)), "bind");
  zoo::check(listen(listener, 8), "listen");
  const int client = zoo::make_socket(AF_INET, SOCK_STREAM, kMptcp);
  zoo::check(connect(client, generic(address), zoo::length_of(address)), "connect");
  notebook.hold(listener);
  notebook.hold(client);
  notebook.hold(zoo::accepted_socket(listener));
  // An ordinary client of a Multipath listener: the accepted socket fell back to TCP.
  const int plain = client_of(listener);
  notebook.hold(plain);
  notebook.hold(zoo::accepted_socket(listener));
}

}  // namespace

std::vector<Case> state_cases() {
  return {
      {"dual-stack", "an IPv6 listener that takes IPv4 too, with such a client", 3, dual_stack},
      {"v6-only", "IPv4 and IPv6 listeners side by side on one port", 2, v6_only},
      {"datagram", "UDP with and without a peer, IPv4 and IPv6", 4, datagram},
      {"raw", "raw ICMP sockets", 2, raw},
      {"time-wait", "a connection that is over", 2, time_wait},
      {"not-accepted", "connections that wait in a listener's queue", 7, not_accepted},
      {"handshake", "a connection that is half open", 3, handshake},
      {"syn-sent", "a connect that gets no answer", 4, syn_sent},
      {"orphans", "connections that one program closed and the other did not", 5, orphans},
      {"half-closed", "a connection shut down in one direction, held at both ends", 3, half_closed},
      {"bound-only", "TCP sockets that are bound and neither listen nor connect", 2, bound_only},
      {"interface", "a listener bound to one interface", 1, bound_to_interface},
      {"multipath", "Multipath TCP: a listener and its connections", 5, multipath},
  };
}

}  // namespace odd
