#include <arpa/inet.h>

#include <random>

#include <gtest/gtest.h>

#include "model/address.h"
#include "model/endpoints.h"
#include "model/inventory.h"
#include "model/port.h"
#include "model/socket.h"

namespace {

using model::parse_ip_address;
using model::PortClass;
using model::PortRange;

TEST(PortRange, ReadsOnePortOrTwo) {
  EXPECT_EQ(model::parse_port_range("1744"), (PortRange{1744, 1744}));
  EXPECT_EQ(model::parse_port_range("1745-1844"), model::kFallbackPorts);
  EXPECT_EQ(model::parse_port_range("2-1"), std::nullopt);
  EXPECT_EQ(model::parse_port_range("65536"), std::nullopt);
  EXPECT_EQ(model::parse_port_range("1-"), std::nullopt);
  EXPECT_EQ(model::parse_port_range("-1"), std::nullopt);
  EXPECT_EQ(model::parse_port_range(""), std::nullopt);
  EXPECT_EQ(model::to_string(model::kFallbackPortsWindowsProfile), "1745-1749");
  EXPECT_EQ((PortRange{0, 65535}).size(), 65536U);
}

TEST(PortClass, FollowsRfc6335AtEveryEdge) {
  EXPECT_EQ(model::port_class(0), PortClass::kSystem);
  EXPECT_EQ(model::port_class(1023), PortClass::kSystem);
  EXPECT_EQ(model::port_class(1024), PortClass::kUser);
  EXPECT_EQ(model::port_class(49151), PortClass::kUser);
  EXPECT_EQ(model::port_class(49152), PortClass::kDynamic);
  EXPECT_EQ(model::port_class(65535), PortClass::kDynamic);
}

TEST(PortPolicy, DoesNotHandOutWhatIsReserved) {
  model::PortPolicy policy;
  policy.reserved = {{40000, 40010}};
  EXPECT_TRUE(policy.hands_out(39999));
  EXPECT_FALSE(policy.hands_out(40005));
  EXPECT_FALSE(policy.hands_out(61000));
}

TEST(IpAddress, ReadsAndPrintsBothFamilies) {
  for (const char* text : {"10.0.0.5", "0.0.0.0", "::", "::1", "2001:db8::1", "::ffff:10.0.0.5"}) {
    const auto address = parse_ip_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(model::to_string(*address), text);
  }
  EXPECT_EQ(model::to_string(*parse_ip_address("[2001:DB8:0::1]")), "2001:db8::1");
  for (const char* text : {"", "10.0.0", "10.0.0.256", "fe80::1%eth0", "[::1", ":::"}) {
    EXPECT_FALSE(parse_ip_address(text)) << text;
  }
  EXPECT_FALSE(parse_ip_address(std::string_view("::1\0x", 5)));
}

TEST(IpAddress, KnowsItsScopeAlsoWhenMapped) {
  EXPECT_TRUE(parse_ip_address("::ffff:127.0.0.1")->is_loopback());
  EXPECT_TRUE(parse_ip_address("127.9.9.9")->is_loopback());
  EXPECT_TRUE(parse_ip_address("::1")->is_loopback());
  EXPECT_FALSE(parse_ip_address("::2")->is_loopback());
  EXPECT_TRUE(parse_ip_address("172.31.0.1")->is_private());
  EXPECT_FALSE(parse_ip_address("172.32.0.1")->is_private());
  EXPECT_TRUE(parse_ip_address("fd00::1")->is_private());
  EXPECT_TRUE(parse_ip_address("fe80::1")->is_link_local());
  EXPECT_TRUE(parse_ip_address("ff02::fb")->is_multicast());
  EXPECT_TRUE(parse_ip_address("::")->is_any());
  EXPECT_EQ(model::to_string(parse_ip_address("::ffff:1.2.3.4")->unmapped()), "1.2.3.4");
}

TEST(Endpoint, BracketsIpv6) {
  EXPECT_EQ(model::to_string(model::Endpoint{*parse_ip_address("::1"), 22}), "[::1]:22");
  EXPECT_EQ(model::to_string(model::Endpoint{*parse_ip_address("10.0.0.5"), 22}), "10.0.0.5:22");
}

TEST(SocketState, CloseMeansUnconnectedForUdpAndClosedForTcp) {
  using model::Protocol;
  using model::SocketState;
  EXPECT_EQ(model::state_name(SocketState::kClose, Protocol::kUdp), "unconnected");
  EXPECT_EQ(model::state_name(SocketState::kClose, Protocol::kTcp), "closed");
  EXPECT_EQ(model::state_from_name("ESTAB"), SocketState::kEstablished);
  EXPECT_EQ(model::state_from_name("time-wait"), SocketState::kTimeWait);
  EXPECT_EQ(model::state_from_name("nonsense"), std::nullopt);
}

TEST(IpAddress, IsWrittenAsTheCLibraryWritesIt) {
  std::mt19937 random(1744);
  for (int round = 0; round < 20000; ++round) {
    std::array<uint8_t, 16> bytes{};
    // Groups are zero, small or large, so that runs of zeros of all lengths and places come up.
    for (size_t i = 0; i < 8; ++i) {
      const unsigned kind = random() % 4;
      const auto value = static_cast<uint16_t>(kind < 2 ? 0 : random() % (kind == 2 ? 16 : 65536));
      bytes[2 * i] = static_cast<uint8_t>(value >> 8U);
      bytes[2 * i + 1] = static_cast<uint8_t>(value & 0xFFU);
    }
    if (round % 8 == 0) {
      std::fill_n(bytes.begin(), 10, uint8_t{0});
      bytes[10] = bytes[11] = 0xFF;
    }
    std::array<char, INET6_ADDRSTRLEN> expected{};
    const auto v6 = model::IpAddress::v6(bytes.data());
    ASSERT_NE(inet_ntop(AF_INET6, bytes.data(), expected.data(), expected.size()), nullptr);
    ASSERT_EQ(model::to_string(v6), expected.data());
    const auto v4_bits = static_cast<uint32_t>(random());
    ASSERT_NE(inet_ntop(AF_INET, &v4_bits, expected.data(), expected.size()), nullptr);
    ASSERT_EQ(model::to_string(model::IpAddress::v4(v4_bits)), expected.data());
  }
  const std::array<uint8_t, 16> widest{255, 255, 255, 255, 255, 255, 255, 255,
                                       255, 255, 255, 255, 255, 255, 255, 255};
  EXPECT_EQ(model::to_string(model::IpAddress::v6(widest.data())).size(), 39U);
}

}  // namespace
