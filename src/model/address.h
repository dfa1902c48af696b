// IpAddress and Endpoint: plain values, 16 bytes and a family, in network byte order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace model {

enum class Family : uint8_t { kIpv4 = 4, kIpv6 = 6 };

struct IpAddress {
  /// IPv4 uses the first four bytes; the others are zero.
  std::array<uint8_t, 16> bytes{};
  Family family = Family::kIpv4;

  bool operator==(const IpAddress&) const = default;
  [[nodiscard]] bool is_any() const { return bytes == std::array<uint8_t, 16>{}; }
  [[nodiscard]] bool is_loopback() const;    ///< 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104
  [[nodiscard]] bool is_link_local() const;  ///< 169.254.0.0/16, fe80::/10
  [[nodiscard]] bool is_private() const;     ///< RFC 1918, RFC 4193, RFC 6598
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_v4_mapped() const;  ///< ::ffff:0:0/96
  /// The IPv4 address inside ::ffff:a.b.c.d; any other address unchanged.
  [[nodiscard]] IpAddress unmapped() const;

  static IpAddress v4(uint32_t network_order);
  static IpAddress v6(const uint8_t* sixteen_bytes);
  static IpAddress any(Family family);
};

/// Text per RFC 5952 for IPv6; no brackets, no zone.
std::string to_string(const IpAddress& address);
/// Writes the same text and returns its end. inet_ntop() formats IPv6 through printf, and a hundred
/// thousand sockets have two addresses each.
inline constexpr size_t kLongestAddress = 45;
char* format_address(const IpAddress& address, char (&out)[kLongestAddress]);
/// Takes "10.0.0.5", "::1", "[::1]" and "::ffff:10.0.0.5"; a zone ("%eth0") is refused.
std::optional<IpAddress> parse_ip_address(std::string_view text);

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

/// "10.0.0.5:22", "[::1]:22".
std::string to_string(const Endpoint& endpoint);

}  // namespace model
