// The kernel's announcements of destroyed sockets, in a network namespace of the test's own.
#include "host/destroy_events.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "host/event_sources.h"
#include "host/net_namespaces.h"

namespace {

/// A network namespace with a process in it, as long as this lives.
class OtherNamespace {
 public:
  OtherNamespace() {
    std::array<int, 2> ends{};
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    EXPECT_EQ(::pipe(ready.data()), 0);
    pid_ = ::fork();
    char byte = 0;
    if (pid_ == 0) {
      ::close(ends[1]);
      if (::unshare(CLONE_NEWNET) != 0 || ::write(ready[1], &byte, 1) != 1) ::_exit(1);
      ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    ::close(ends[0]);
    ::close(ready[1]);
    until_ = base::Fd(ends[1]);
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    const std::string path = "/proc/" + std::to_string(pid_) + "/ns/net";
    fd_ = base::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  ~OtherNamespace() {
    until_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  OtherNamespace(const OtherNamespace&) = delete;
  OtherNamespace& operator=(const OtherNamespace&) = delete;
  [[nodiscard]] const base::Fd& fd() const { return fd_; }

 private:
  pid_t pid_ = 0;
  base::Fd until_;
  base::Fd fd_;
};

/// The calling thread without a right that it has, as long as this lives.
class WithoutRight {
 public:
  explicit WithoutRight(unsigned capability) {
    EXPECT_EQ(::syscall(SYS_capget, &header_, before_.data()), 0);
    auto fewer = before_;
    fewer[capability / 32].effective &= ~(1U << capability % 32);
    EXPECT_EQ(::syscall(SYS_capset, &header_, fewer.data()), 0);
  }
  ~WithoutRight() { ::syscall(SYS_capset, &header_, before_.data()); }
  WithoutRight(const WithoutRight&) = delete;
  WithoutRight& operator=(const WithoutRight&) = delete;

 private:
  __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> before_{};
};

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

  /// Makes a UDP socket where `space` is, closes it, and says what its port was.
  static uint16_t come_and_go(const base::Fd& space) {
    EXPECT_TRUE(host::enter_net_namespace(space.get()));
    const base::Fd socket(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    return port_of(socket);
  }
  /// Events of the namespace that are heard when each drain takes only one.
  std::vector<uint16_t> ports_of_one(const base::Fd& space) {
    seen_.clear();
    EXPECT_TRUE(events_->drain(seen_, 1));
    std::vector<uint16_t> out;
    for (const auto& event : seen_) {
      const auto& socket = std::get<model::SocketEvent>(event);
      if (socket.netns == host::net_namespace_inode(space.get())) out.push_back(socket.local.port);
    }
    return out;
  }
  /// Whether a closing in `quiet` is heard of while `busy` has more to tell than is taken.
  bool is_heard(const base::Fd& quiet, const base::Fd& busy) {
    for (int i = 0; i < 200; ++i) come_and_go(busy);
    for (int heard = 0; heard < 20;) heard += ports_of_one(busy).empty() ? 0 : 1;
    const uint16_t port = come_and_go(quiet);
    for (int i = 0; i < 50'000; ++i) {
      come_and_go(busy);
      come_and_go(busy);
      const auto ports = ports_of_one(quiet);
      if (std::ranges::find(ports, port) != ports.end()) return true;
    }
    return false;
  }
  static std::string blind_spots_of(const ports::EventSource& events) {
    std::string out;
    for (const auto& spot : events.report().blind_spots) out += spot + "\n";
    return out;
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

TEST_F(DestroyEventsTest, ABusyNamespaceDoesNotTalkAnotherDown) {
  const base::Fd here(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const OtherNamespace other;
  auto made = host::make_destroy_events("the test asks for it");
  ASSERT_TRUE(made) << made.error().message;
  events_ = std::move(*made);
  EXPECT_TRUE(is_heard(here, other.fd()));
  EXPECT_TRUE(is_heard(other.fd(), here));
  ASSERT_TRUE(host::enter_net_namespace(here.get()));
}

TEST_F(DestroyEventsTest, HearsANamespaceThatEndedToItsEnd) {
  const base::Fd here(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  auto sought_each_time = host::make_destroy_events("the test asks for it", 200, 0);
  ASSERT_TRUE(sought_each_time) << sought_each_time.error().message;
  uint16_t port = 0;
  {
    const OtherNamespace other;
    ASSERT_TRUE((*sought_each_time)->drain(seen_, 1000));
    ASSERT_TRUE(host::enter_net_namespace(other.fd().get()));
    auto witness = host::make_destroy_events("the test asks for it");
    ASSERT_TRUE(witness) << witness.error().message;
    port = come_and_go(other.fd());
    // The kernel tells all at once: when one has heard it, it waits for the other too.
    events_ = std::move(*witness);
    closing_of(port);
    ASSERT_TRUE(host::enter_net_namespace(here.get()));
  }
  seen_.clear();
  ASSERT_TRUE((*sought_each_time)->drain(seen_, 1000));
  EXPECT_TRUE(std::ranges::any_of(seen_, [&](const model::Event& event) {
    return std::get<model::SocketEvent>(event).local.port == port;
  }));
}

TEST_F(DestroyEventsTest, ALimitOfOursIsNotCalledALackOfRights) {
  const OtherNamespace other;
  const auto limited = host::make_destroy_events("the test asks for it", 1);
  ASSERT_TRUE(limited) << limited.error().message;
  const std::string spots = blind_spots_of(**limited);
  EXPECT_NE(spots.find("at most 1 "), std::string::npos) << spots;
  EXPECT_EQ(spots.find("CAP_SYS_ADMIN"), std::string::npos) << spots;
  EXPECT_FALSE((*limited)->report().complete);
}

TEST_F(DestroyEventsTest, ALackOfRightsIsNamed) {
  const OtherNamespace other;
  const WithoutRight barred(CAP_SYS_ADMIN);
  const auto made = host::make_destroy_events("the test asks for it");
  ASSERT_TRUE(made) << made.error().message;
  const std::string spots = blind_spots_of(**made);
  EXPECT_NE(spots.find("it takes CAP_SYS_ADMIN"), std::string::npos) << spots;
  EXPECT_EQ(spots.find("at most"), std::string::npos) << spots;
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
