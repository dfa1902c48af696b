// The recorder's programs against a real kernel. They see the whole machine, so each test looks
// only at events of the process or the ports that it made itself, in a network namespace of its
// own.
#include "host/bpf_events.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/ipv6.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "base/fd.h"

namespace {

using model::SocketEvent;
using model::SocketEventKind;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

int bind_to(int fd, uint16_t port) {
  const sockaddr_in address = loopback(port);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int connect_to(int fd, uint16_t port) {
  const sockaddr_in address = loopback(port);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

base::Fd tcp() { return base::Fd(::socket(AF_INET, SOCK_STREAM, 0)); }
base::Fd udp() { return base::Fd(::socket(AF_INET, SOCK_DGRAM, 0)); }

base::Fd listener() {
  base::Fd out = tcp();
  EXPECT_EQ(bind_to(out.get(), 0), 0);
  EXPECT_EQ(::listen(out.get(), 8), 0);
  return out;
}

// The parameter: do without what old kernels lack.
class BpfEventsTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    auto opened = host::make_bpf_events({.old_kernel = GetParam()});
    if (!opened) {
      // A kernel may refuse all programs; that it refuses ours is a fault of ours.
      ASSERT_EQ(opened.error().message.find("verifier"), std::string::npos)
          << opened.error().message;
      GTEST_SKIP() << opened.error().message;
    }
    source_ = std::move(*opened);
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    const base::Fd control = udp();
    ifreq request{};
    std::copy_n("lo", 3, request.ifr_name);
    request.ifr_flags = IFF_UP;
    ASSERT_EQ(::ioctl(control.get(), SIOCSIFFLAGS, &request), 0);
  }

  std::vector<model::Event> all() {
    std::vector<model::Event> out;
    for (;;) {
      const auto more = source_->drain(out, 1000);
      EXPECT_TRUE(more) << more.error().message;
      if (!more || !*more) return out;
    }
  }
  /// Events of one kind about one local port, in order.
  static std::vector<SocketEvent> of(const std::vector<model::Event>& events, SocketEventKind kind,
                                     uint16_t local_port) {
    std::vector<SocketEvent> out;
    for (const auto& event : events) {
      const auto* socket = std::get_if<SocketEvent>(&event);
      if (socket != nullptr && socket->kind == kind && socket->local.port == local_port) {
        out.push_back(*socket);
      }
    }
    return out;
  }

  /// The one connection to the port came through a listener that the child made, which ends well.
  void expect_made_by(pid_t child, uint16_t server_port) {
    int status = 1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    const auto accepted = of(all(), SocketEventKind::kAccepted, server_port);
    ASSERT_EQ(accepted.size(), 1U);
    EXPECT_EQ(accepted[0].creator.pid, child);
  }

  std::unique_ptr<ports::EventSource> source_;
};

TEST_P(BpfEventsTest, SeesBothSidesOfAConnectionFromOpeningToClosing) {
  uint16_t server_port = 0;
  uint16_t client_port = 0;
  {
    const base::Fd server = listener();
    server_port = port_of(server.get());
    const base::Fd client = tcp();
    ASSERT_EQ(connect_to(client.get(), server_port), 0);
    client_port = port_of(client.get());
    const base::Fd accepted(::accept(server.get(), nullptr, nullptr));
    ASSERT_EQ(::write(client.get(), "hello", 5), 5);
  }
  const auto events = all();
  const auto listening = of(events, SocketEventKind::kListening, server_port);
  ASSERT_EQ(listening.size(), 1U);
  EXPECT_EQ(listening[0].actor.pid, ::getpid());
  const auto connected = of(events, SocketEventKind::kConnected, client_port);
  ASSERT_EQ(connected.size(), 1U);
  EXPECT_EQ(connected[0].actor.pid, ::getpid());
  EXPECT_EQ(connected[0].remote.port, server_port);
  const auto accepted = of(events, SocketEventKind::kAccepted, server_port);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].remote.port, client_port);
  EXPECT_EQ(accepted[0].creator.pid, ::getpid());
  EXPECT_EQ(accepted[0].actor.pid, 0) << "nobody has accepted it at that moment";
  // The server's side went first and left "hello" unread, which resets the connection: by the time
  // the client lets go, the kernel has taken its port away. The cookie still tells.
  const auto closed = of(events, SocketEventKind::kClosed, 0);
  const auto its_end = std::ranges::find(closed, connected[0].cookie, &SocketEvent::cookie);
  ASSERT_NE(its_end, closed.end());
  EXPECT_EQ(its_end->totals.bytes_sent, 5U);
  EXPECT_EQ(its_end->actor.pid, ::getpid());
  EXPECT_EQ(of(events, SocketEventKind::kClosed, server_port).size(), 2U);
}

TEST_P(BpfEventsTest, SaysThatTheWorkerServedNotTheListenersMaker) {
  const base::Fd server = listener();
  const uint16_t server_port = port_of(server.get());
  const base::Fd client = tcp();
  ASSERT_EQ(connect_to(client.get(), server_port), 0);
  const pid_t worker = ::fork();
  ASSERT_GE(worker, 0);
  if (worker == 0) {
    const int accepted = ::accept(server.get(), nullptr, nullptr);
    ::_exit(accepted >= 0 && ::close(accepted) == 0 ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(worker, &status, 0), worker);
  ASSERT_EQ(status, 0);
  const auto events = all();
  const auto accepted = of(events, SocketEventKind::kAccepted, server_port);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].creator.pid, ::getpid());
  const auto closed = of(events, SocketEventKind::kClosed, server_port);
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed[0].actor.pid, worker);
}

TEST_P(BpfEventsTest, KnowsTheMakerOfAListenerOnAllAddressesOfBothFamilies) {
  const base::Fd server(::socket(AF_INET6, SOCK_STREAM, 0));
  ASSERT_EQ(::listen(server.get(), 8), 0);
  sockaddr_in6 address{};
  socklen_t length = sizeof address;
  ASSERT_EQ(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  const uint16_t server_port = ntohs(address.sin6_port);
  const base::Fd client = tcp();
  ASSERT_EQ(connect_to(client.get(), server_port), 0);
  const auto accepted = of(all(), SocketEventKind::kAccepted, server_port);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].creator.pid, ::getpid());
}

TEST_P(BpfEventsTest, APlaceIsItsPresentListenersAndNotThatOfTheOneBefore) {
  base::Fd first = listener();
  const uint16_t server_port = port_of(first.get());
  const base::Fd client = tcp();
  const pid_t successor = ::fork();
  ASSERT_GE(successor, 0);
  if (successor == 0) {
    first.reset();
    const base::Fd second = tcp();
    const int one = 1;
    ::setsockopt(second.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    while (bind_to(second.get(), server_port) != 0) ::usleep(1000);
    ::_exit(::listen(second.get(), 8) == 0 && connect_to(client.get(), server_port) == 0 ? 0 : 1);
  }
  first.reset();
  expect_made_by(successor, server_port);
}

TEST_P(BpfEventsTest, WhoWasShutDownNoLongerListensAtItsPlace) {
  const base::Fd first = listener();  // at an address of its own, and let go by nobody
  const uint16_t server_port = port_of(first.get());
  ASSERT_EQ(::shutdown(first.get(), SHUT_RDWR), 0);
  const base::Fd client = tcp();
  const pid_t successor = ::fork();
  ASSERT_GE(successor, 0);
  if (successor == 0) {
    const base::Fd second = tcp();
    const int one = 1;
    ::setsockopt(second.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(server_port);
    if (::bind(second.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) ::_exit(1);
    ::_exit(::listen(second.get(), 8) == 0 && connect_to(client.get(), server_port) == 0 ? 0 : 2);
  }
  expect_made_by(successor, server_port);
}

TEST_P(BpfEventsTest, ConnectionsOverIpv4AreNotOfWhoTakesIpv6Alone) {
  const auto listen_at = [](const char* address, int v6only, uint16_t port) {
    base::Fd out(::socket(AF_INET6, SOCK_STREAM, 0));
    sockaddr_in6 place{};
    place.sin6_family = AF_INET6;
    place.sin6_port = htons(port);
    const bool listens =
        ::inet_pton(AF_INET6, address, &place.sin6_addr) == 1 &&
        ::setsockopt(out.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) == 0 &&
        ::bind(out.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0 &&
        ::listen(out.get(), 8) == 0;
    return listens ? std::move(out) : base::Fd();
  };
  const uint16_t server_port = 6202;
  const base::Fd ours = listen_at("::ffff:0.0.0.0", 0, server_port);
  ASSERT_TRUE(ours.valid());
  const pid_t other = ::fork();
  ASSERT_GE(other, 0);
  if (other == 0) {
    const base::Fd theirs = listen_at("::", 1, server_port);
    const base::Fd client = tcp();
    ::_exit(theirs.valid() && connect_to(client.get(), server_port) == 0 ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  ASSERT_EQ(status, 0);
  const auto accepted = of(all(), SocketEventKind::kAccepted, server_port);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_NE(accepted[0].creator.pid, other);
}

TEST_P(BpfEventsTest, AListenerThatMovedToAnotherInterfaceIsNotKnownByItsOldPlace) {
  const base::Fd server = listener();
  const uint16_t server_port = port_of(server.get());
  ASSERT_EQ(::setsockopt(server.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
  const base::Fd client = tcp();
  ASSERT_EQ(connect_to(client.get(), server_port), 0);
  const auto accepted = of(all(), SocketEventKind::kAccepted, server_port);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].creator.pid, 0);
}

TEST_P(BpfEventsTest, KnowsTheMakerOfAListenerThatIsReachedByALinkLocalAddress) {
  const base::Fd server(::socket(AF_INET6, SOCK_STREAM, 0));
  ASSERT_EQ(::listen(server.get(), 8), 0);
  sockaddr_in6 address{};
  socklen_t length = sizeof address;
  ASSERT_EQ(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  in6_ifreq request{};
  ASSERT_EQ(::inet_pton(AF_INET6, "fe80::1", &request.ifr6_addr), 1);
  request.ifr6_prefixlen = 64;
  request.ifr6_ifindex = 1;  // lo
  ASSERT_EQ(::ioctl(server.get(), SIOCSIFADDR, &request), 0);
  address.sin6_addr = request.ifr6_addr;
  address.sin6_scope_id = 1;
  // The kernel lends the address a moment after the call.
  sockaddr_in6 own = address;
  own.sin6_port = 0;
  const base::Fd client(::socket(AF_INET6, SOCK_STREAM, 0));
  int tries = 10'000;
  while (::bind(client.get(), reinterpret_cast<const sockaddr*>(&own), length) != 0) {
    ASSERT_EQ(errno, EADDRNOTAVAIL);
    ASSERT_GT(--tries, 0);
    ::usleep(1000);
  }
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  const auto accepted = of(all(), SocketEventKind::kAccepted, ntohs(address.sin6_port));
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(model::to_string(accepted[0].local.address), "fe80::1");
  EXPECT_EQ(accepted[0].creator.pid, ::getpid());
}

TEST_P(BpfEventsTest, TellsListenersApartThatShareAPlace) {
  const auto shared_listener = [](uint16_t port) {
    base::Fd out = tcp();
    const int one = 1;
    EXPECT_EQ(::setsockopt(out.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one), 0);
    EXPECT_EQ(bind_to(out.get(), port), 0);
    EXPECT_EQ(::listen(out.get(), 64), 0);
    return out;
  };
  const base::Fd ours = shared_listener(0);
  const uint16_t server_port = port_of(ours.get());
  constexpr int kClients = 32;
  const pid_t other = ::fork();
  ASSERT_GE(other, 0);
  if (other == 0) {
    const base::Fd theirs = shared_listener(server_port);
    base::Fd clients[kClients];
    for (auto& client : clients) {
      client = tcp();
      if (connect_to(client.get(), server_port) != 0) ::_exit(1);
    }
    ::fcntl(theirs.get(), F_SETFL, O_NONBLOCK);
    while (base::Fd(::accept(theirs.get(), nullptr, nullptr)).valid()) {
    }
    ::_exit(0);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  ASSERT_EQ(status, 0);
  const auto events = all();
  const auto accepted = of(events, SocketEventKind::kAccepted, server_port);
  ASSERT_EQ(accepted.size(), size_t{kClients});
  // What the other process took from its queue came through its listener, all else through ours.
  int theirs = 0;
  for (const auto& closed : of(events, SocketEventKind::kClosed, server_port)) {
    const auto opened = std::ranges::find(accepted, closed.cookie, &SocketEvent::cookie);
    if (opened == accepted.end() || closed.actor.pid != other) continue;
    EXPECT_EQ(opened->creator.pid, other);
    ++theirs;
  }
  EXPECT_EQ(std::ranges::count(accepted, other, [](const auto& one) { return one.creator.pid; }),
            theirs);
  EXPECT_EQ(
      std::ranges::count(accepted, ::getpid(), [](const auto& one) { return one.creator.pid; }),
      kClients - theirs);
}

TEST_P(BpfEventsTest, SeesUdpBoundByHandAndByTheKernel) {
  uint16_t bound_port = 0;
  uint16_t sender_port = 0;
  uint16_t connected_port = 0;
  {
    const base::Fd bound = udp();
    ASSERT_EQ(bind_to(bound.get(), 0), 0);
    bound_port = port_of(bound.get());
    const sockaddr_in to = loopback(bound_port);
    const base::Fd sender = udp();
    ASSERT_EQ(::sendto(sender.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
              1);
    sender_port = port_of(sender.get());
    const base::Fd resolver = udp();
    ASSERT_EQ(connect_to(resolver.get(), bound_port), 0);
    ASSERT_EQ(::send(resolver.get(), "x", 1, 0), 1);
    connected_port = port_of(resolver.get());
  }
  const auto events = all();
  EXPECT_EQ(of(events, SocketEventKind::kBound, bound_port).size(), 1U);
  EXPECT_EQ(of(events, SocketEventKind::kBound, sender_port).size(), 1U);
  for (const uint16_t port : {bound_port, sender_port, connected_port}) {
    const auto closed = of(events, SocketEventKind::kClosed, port);
    ASSERT_EQ(closed.size(), 1U) << port;
    EXPECT_EQ(closed[0].actor.pid, ::getpid());
    EXPECT_EQ(closed[0].protocol, model::Protocol::kUdp);
    EXPECT_NE(closed[0].created_ns, 0U);
  }
}

TEST_P(BpfEventsTest, SeesABindThatFails) {
  const base::Fd holder = listener();
  const uint16_t port = port_of(holder.get());
  {
    const base::Fd late = tcp();
    ASSERT_NE(bind_to(late.get(), port), 0);
  }
  const auto events = all();
  const auto failed = of(events, SocketEventKind::kBindFailed, port);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].actor.pid, ::getpid());
  EXPECT_EQ(model::to_string(failed[0].local.address), "127.0.0.1");
}

TEST_P(BpfEventsTest, SeesAConnectThatIsRefusedAndTheResetThatWasSent) {
  uint16_t closed_port = 0;
  {
    const base::Fd gone = listener();
    closed_port = port_of(gone.get());
  }
  all();
  {
    const base::Fd client = tcp();
    ASSERT_NE(connect_to(client.get(), closed_port), 0);
  }
  size_t failed = 0;
  size_t resets = 0;
  int32_t connecting = 0;
  for (const auto& event : all()) {
    if (const auto* socket = std::get_if<SocketEvent>(&event)) {
      if (socket->kind == SocketEventKind::kConnected) connecting = socket->actor.pid;
      if (socket->kind != SocketEventKind::kConnectFailed || socket->remote.port != closed_port) {
        continue;
      }
      ++failed;
      EXPECT_EQ(socket->error, ECONNREFUSED);
      EXPECT_EQ(connecting, ::getpid());
      EXPECT_NE(socket->local.port, 0);
    } else if (const auto* reset = std::get_if<model::ResetEvent>(&event)) {
      if (reset->local.port == closed_port) ++resets;
    }
  }
  EXPECT_EQ(failed, 1U);
  EXPECT_EQ(resets, 1U);
}

TEST_P(BpfEventsTest, SeesTheEndsOfWhatASocketAcceptsThatFailedToConnectBefore) {
  constexpr uint16_t kPort = 6201;  // asked for by number, it outlives the failure
  {
    const base::Fd server = tcp();
    ASSERT_EQ(bind_to(server.get(), kPort), 0);
    ASSERT_NE(connect_to(server.get(), 1), 0);
    ASSERT_EQ(::listen(server.get(), 8), 0);
    const base::Fd client = tcp();
    ASSERT_EQ(connect_to(client.get(), kPort), 0);
    const base::Fd accepted(::accept(server.get(), nullptr, nullptr));
    ASSERT_TRUE(accepted.valid());
  }
  const auto events = all();
  EXPECT_EQ(of(events, SocketEventKind::kConnectFailed, kPort).size(), 1U);
  const auto closed = of(events, SocketEventKind::kClosed, kPort);
  EXPECT_EQ(closed.size(), 2U) << "the listener's, and that of the connection";
  for (const auto kind : {SocketEventKind::kListening, SocketEventKind::kAccepted}) {
    const auto opened = of(events, kind, kPort);
    ASSERT_EQ(opened.size(), 1U);
    EXPECT_EQ(std::ranges::count(closed, opened[0].cookie, &SocketEvent::cookie), 1);
  }
}

TEST_P(BpfEventsTest, SeesTheEndOfAClientThatTookItsPeerBack) {
  const base::Fd server = listener();
  uint16_t client_port = 0;
  {
    const base::Fd client = tcp();
    ASSERT_EQ(connect_to(client.get(), port_of(server.get())), 0);
    client_port = port_of(client.get());
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    ASSERT_EQ(::connect(client.get(), &nobody, sizeof nobody), 0);
  }
  const auto events = all();
  const auto connected = of(events, SocketEventKind::kConnected, client_port);
  ASSERT_EQ(connected.size(), 1U);
  // With the peer went the port.
  const auto closed = of(events, SocketEventKind::kClosed, 0);
  EXPECT_EQ(std::ranges::count(closed, connected[0].cookie, &SocketEvent::cookie), 1);
}

TEST_P(BpfEventsTest, ASocketThatWasNeverUsedTellsNothing) {
  all();
  uint64_t cookie = 0;
  {
    const base::Fd never = tcp();
    const base::Fd last = listener();
    socklen_t size = sizeof cookie;
    ASSERT_EQ(::getsockopt(last.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  }
  size_t others = 0;
  for (const auto& event : all()) {
    const auto* socket = std::get_if<SocketEvent>(&event);
    if (socket == nullptr || socket->actor.pid != ::getpid()) continue;
    if (socket->cookie != cookie) ++others;
  }
  EXPECT_EQ(others, 0U);
}

TEST_P(BpfEventsTest, SeesASocketOnceThatIsLetGoWhileItConnects) {
  const base::Fd server = tcp();
  ASSERT_EQ(bind_to(server.get(), 0), 0);
  ASSERT_EQ(::listen(server.get(), 0), 0);
  const uint16_t server_port = port_of(server.get());
  const base::Fd first = tcp();  // fills the queue: whoever comes now gets no answer
  ASSERT_EQ(connect_to(first.get(), server_port), 0);
  {
    const base::Fd late = tcp();
    ASSERT_EQ(::fcntl(late.get(), F_SETFL, O_NONBLOCK), 0);
    ASSERT_NE(connect_to(late.get(), server_port), 0);
  }
  std::vector<SocketEventKind> kinds;
  uint64_t cookie = 0;
  for (const auto& event : all()) {
    const auto* socket = std::get_if<SocketEvent>(&event);
    if (socket == nullptr) continue;
    const bool connects = socket->kind == SocketEventKind::kConnected;
    if (connects && socket->remote.port == server_port) {
      kinds.clear();
      cookie = socket->cookie;
    }
    if (socket->cookie == cookie) kinds.push_back(socket->kind);
  }
  EXPECT_EQ(kinds, (std::vector{SocketEventKind::kConnected, SocketEventKind::kClosed}));
}

TEST_P(BpfEventsTest, TakesALateSegmentOfAForgottenConnectionForNoCall) {
  const base::Fd server = listener();
  uint16_t forgotten_port = 0;
  base::Fd accepted;
  {
    const base::Fd client = tcp();
    ASSERT_EQ(connect_to(client.get(), port_of(server.get())), 0);
    forgotten_port = port_of(client.get());
    accepted = base::Fd(::accept(server.get(), nullptr, nullptr));
    // Closed in repair mode it goes without a word to the other side.
    const int on = 1;
    ASSERT_EQ(::setsockopt(client.get(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof on), 0);
  }
  ASSERT_EQ(::write(accepted.get(), "hello", 5), 5);
  // The reset is here: it came in the same call.
  ASSERT_LT(::send(accepted.get(), "hello", 5, MSG_NOSIGNAL), 0);
  for (const auto& event : all()) {
    if (const auto* reset = std::get_if<model::ResetEvent>(&event)) {
      EXPECT_NE(reset->local.port, forgotten_port);
    }
  }
}

TEST_P(BpfEventsTest, SeesTheEndOfAConnectionThatNobodyAccepted) {
  uint16_t server_port = 0;
  {
    const base::Fd server = listener();
    server_port = port_of(server.get());
    const base::Fd client = tcp();
    ASSERT_EQ(connect_to(client.get(), server_port), 0);
  }
  const auto events = all();
  const auto accepted = of(events, SocketEventKind::kAccepted, server_port);
  ASSERT_EQ(accepted.size(), 1U);
  const auto closed = of(events, SocketEventKind::kClosed, server_port);
  const auto its_end = std::ranges::find(closed, accepted[0].cookie, &SocketEvent::cookie);
  ASSERT_NE(its_end, closed.end());
  EXPECT_EQ(its_end->actor.pid, 0);
}

TEST_P(BpfEventsTest, SeesProcessesComeAndGo) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  std::vector<model::ProcessEventKind> kinds;
  for (const auto& event : all()) {
    const auto* process = std::get_if<model::ProcessEvent>(&event);
    if (process == nullptr || process->process.pid != child) continue;
    kinds.push_back(process->kind);
    if (process->kind == model::ProcessEventKind::kFork) {
      EXPECT_EQ(process->parent_pid, ::getpid());
    }
    if (process->kind == model::ProcessEventKind::kExec) EXPECT_EQ(process->exe, "/bin/true");
  }
  using enum model::ProcessEventKind;
  EXPECT_EQ(kinds, (std::vector{kFork, kExec, kExit}));
}

INSTANTIATE_TEST_SUITE_P(Kernels, BpfEventsTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "Old" : "Ours"; });

TEST(BpfEvents, CountsExactlyWhatAFullRingLoses) {
  auto opened = host::make_bpf_events({.ring_bytes = 4096, .old_kernel = false});
  if (!opened) GTEST_SKIP() << opened.error().message;
  constexpr int kMade = 500;
  for (int i = 0; i < kMade; ++i) {
    const base::Fd socket = udp();
    ASSERT_EQ(bind_to(socket.get(), 0), 0);
  }
  std::vector<model::Event> events;
  while (true) {
    const auto more = (*opened)->drain(events, 1000);
    ASSERT_TRUE(more);
    if (!*more) break;
  }
  // Others on the machine may add to both sides of the sum, never take from it.
  EXPECT_GE(events.size() + (*opened)->losses().ring_full, 2U * kMade);
  EXPECT_GT((*opened)->losses().ring_full, 0U);
}

}  // namespace
