// Port numbers and transport protocols: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace model {

/// The transports that have ports, by their IANA protocol number, and two that Linux shows beside
/// them. kRaw stands for a raw IP socket: its "port" is an IP protocol number, never a port.
enum class Protocol : uint8_t {
  kTcp = 6,
  kUdp = 17,
  kDccp = 33,
  kSctp = 132,
  kUdpLite = 136,
  kRaw = 255,
};

/// "tcp", "udp", "dccp", "sctp", "udplite", "raw".
std::string_view protocol_name(Protocol protocol);
std::optional<Protocol> protocol_from_name(std::string_view name);  ///< case is ignored

/// An inclusive range of ports; first <= last.
struct PortRange {
  uint16_t first = 0;
  uint16_t last = 65535;
  [[nodiscard]] bool contains(uint16_t port) const { return port >= first && port <= last; }
  [[nodiscard]] bool single() const { return first == last; }
  [[nodiscard]] uint32_t size() const { return uint32_t{last} - first + 1; }
  bool operator==(const PortRange&) const = default;
};

/// "22" or "1745-1844"; nothing for anything else (leading zeros are taken, signs are not).
std::optional<PortRange> parse_port_range(std::string_view text);
std::string to_string(PortRange range);

/// RFC 6335 section 6.
enum class PortClass : uint8_t {
  kSystem,   ///< 0-1023, "well-known"
  kUser,     ///< 1024-49151, "registered"
  kDynamic,  ///< 49152-65535, "ephemeral" by the RFC (the kernel's own range is another matter)
};
PortClass port_class(uint16_t port);
std::string_view port_class_name(PortClass port_class);  ///< "system", "user", "dynamic"

}  // namespace model
