// The kernel's announcements of destroyed sockets, in a network namespace of the test's own.
#include "host/destroy_events.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "host/event_sources.h"

namespace {

class DestroyEventsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "may not make a network namespace";
    const base::Fd control(::socket(AF_INET, SOCK_DGRAM, 0));
    ifreq request{};
    std::copy_n("lo", 3, request.ifr_name);
    request.ifr_flags = IFF_UP;
    ASSERT_EQ(::ioctl(control.get(), SIOCSIFFLAGS, &request), 0);
    auto made = host::make_destroy_events("the test asks for it");
    ASSERT_TRUE(made) << made.error().message;
    events_ = std::move(*made);
  }

  /// All events until one has this local port; the kernel tells of a closing a little after it.
  model::SocketEvent closing_of(uint16_t port) {
    for (;;) {
      const auto more = events_->drain(seen_, 1000);
      EXPECT_TRUE(more) << more.error().message;
      for (const auto& event : seen_) {
        const auto& socket = std::get<model::SocketEvent>(event);
        if (socket.local.port == port) return socket;
      }
      ::usleep(1000);
    }
  }

  static sockaddr_in loopback() {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
  }
  static uint16_t port_of(const base::Fd& fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  static uint64_t cookie_of(const base::Fd& fd) {
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size);
    return cookie;
  }

  std::unique_ptr<ports::EventSource> events_;
  std::vector<model::Event> seen_;
};

TEST_F(DestroyEventsTest, TellsOfTheClosingOfATcpConnection) {
  base::Fd server(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = loopback();
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(server.get(), 4), 0);
  address.sin_port = htons(port_of(server));
  base::Fd client(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  base::Fd accepted(::accept(server.get(), nullptr, nullptr));
  ASSERT_EQ(::send(client.get(), "hello", 5, 0), 5);
  char bytes[8];
  ASSERT_EQ(::recv(accepted.get(), bytes, sizeof bytes, 0), 5);
  const uint16_t port = port_of(client);
  const uint64_t cookie = cookie_of(client);
  client.reset();
  accepted.reset();
  const auto closed = closing_of(port);
  EXPECT_EQ(closed.kind, model::SocketEventKind::kClosed);
  EXPECT_EQ(closed.cookie, cookie);
  EXPECT_EQ(closed.protocol, model::Protocol::kTcp);
  EXPECT_EQ(closed.remote.port, ntohs(address.sin_port));
  EXPECT_EQ(closed.actor.pid, 0) << "nobody is named";
  EXPECT_EQ(closed.created_ns, 0U);
  EXPECT_GE(closed.totals.bytes_sent, 5U);
  EXPECT_GT(closed.time_ns, 0U);
}

TEST_F(DestroyEventsTest, TellsOfTheClosingOfAUdpSocket) {
  base::Fd client(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in address = loopback();
  ASSERT_EQ(::bind(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const uint16_t port = port_of(client);
  const uint64_t cookie = cookie_of(client);
  client.reset();
  const auto closed = closing_of(port);
  EXPECT_EQ(closed.cookie, cookie);
  EXPECT_EQ(closed.protocol, model::Protocol::kUdp);
  EXPECT_EQ(events_->losses().total(), 0U);
}

TEST_F(DestroyEventsTest, SaysWhatItCannotSee) {
  const auto report = events_->report();
  EXPECT_EQ(report.kind, model::CollectorKind::kSockDiag);
  EXPECT_NE(report.why.find("the test asks for it"), std::string::npos);
  EXPECT_GE(report.blind_spots.size(), 2U);
  const auto none = host::make_event_source(model::CollectorKind::kProc, 4096);
  ASSERT_TRUE(none);
  std::vector<model::Event> events;
  EXPECT_FALSE((*none)->drain(events, 10).value());
  EXPECT_TRUE(events.empty());
  EXPECT_FALSE((*none)->report().blind_spots.empty());
}

}  // namespace
