#include "net/tcp_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include <gtest/gtest.h>

#include "base/fd.h"

namespace {

using model::ProbeOutcome;

// Nothing here waits for it: loopback answers at once.
constexpr std::chrono::seconds kLimit{60};

/// A socket on a port of 127.0.0.1 that the kernel chose.
struct Local {
  base::Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t port = 0;

  explicit Local(bool listening) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    if (listening) EXPECT_EQ(::listen(socket.get(), 4), 0);
    EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
  }
};

TEST(TcpProbe, TellsOpenFromRefused) {
  const Local open(true);
  const Local closed(false);  // bound, so that nobody else takes it meanwhile
  const std::array<uint16_t, 2> ports{open.port, closed.port};
  const auto peer = net::probe_peer("127.0.0.1", ports, kLimit);
  EXPECT_EQ(peer.host, "127.0.0.1");
  EXPECT_EQ(peer.unresolved, "");
  ASSERT_EQ(peer.probes.size(), 2U);
  EXPECT_EQ(peer.probes[0].to.port, open.port);
  EXPECT_EQ(peer.probes[0].outcome, ProbeOutcome::kOpen);
  EXPECT_EQ(peer.probes[1].outcome, ProbeOutcome::kRefused);
  EXPECT_EQ(peer.probes[1].error_number, ECONNREFUSED);
  EXPECT_FALSE(peer.probes[1].said_by) << "a reset is no ICMP message";
}

TEST(TcpProbe, TriesNothingWithoutPorts) {
  const auto peer = net::probe_peer("127.0.0.1", {}, kLimit);
  EXPECT_TRUE(peer.probes.empty());
  EXPECT_EQ(peer.unresolved, "");
}

}  // namespace
