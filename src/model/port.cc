#include "model/port.h"

#include <array>

#include "base/text.h"

namespace model {
namespace {

struct NamedProtocol {
  Protocol protocol;
  std::string_view name;
};

constexpr std::array<NamedProtocol, 6> kProtocols{{
    {Protocol::kTcp, "tcp"},
    {Protocol::kUdp, "udp"},
    {Protocol::kDccp, "dccp"},
    {Protocol::kSctp, "sctp"},
    {Protocol::kUdpLite, "udplite"},
    {Protocol::kRaw, "raw"},
}};

}  // namespace

std::string_view protocol_name(Protocol protocol) {
  for (const auto& named : kProtocols) {
    if (named.protocol == protocol) return named.name;
  }
  return "unknown";
}

std::optional<Protocol> protocol_from_name(std::string_view name) {
  for (const auto& named : kProtocols) {
    if (base::equals_ignoring_case(named.name, name)) return named.protocol;
  }
  return std::nullopt;
}

std::optional<PortRange> parse_port_range(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = base::parse_number<uint16_t>(text.substr(0, dash));
  if (!first) return std::nullopt;
  if (dash == std::string_view::npos) return PortRange{*first, *first};
  const auto last = base::parse_number<uint16_t>(text.substr(dash + 1));
  if (!last || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

std::string to_string(PortRange range) {
  std::string out = std::to_string(range.first);
  if (!range.single()) out += "-" + std::to_string(range.last);
  return out;
}

PortClass port_class(uint16_t port) {
  if (port < 1024) return PortClass::kSystem;
  if (port < 49152) return PortClass::kUser;
  return PortClass::kDynamic;
}

std::string_view port_class_name(PortClass port_class) {
  switch (port_class) {
    case PortClass::kSystem:
      return "system";
    case PortClass::kUser:
      return "user";
    case PortClass::kDynamic:
      return "dynamic";
  }
  return "unknown";
}

}  // namespace model
