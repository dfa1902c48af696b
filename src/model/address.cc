#include "model/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace model {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

uint16_t group(const IpAddress& address, size_t i) {
  return static_cast<uint16_t>(address.bytes[2 * i] << 8U | address.bytes[2 * i + 1]);
}

struct ZeroRun {
  int first = -1;
  int count = 0;
};

// RFC 5952 section 4.2: the first of the longest runs of zero groups, never a single group.
ZeroRun longest_zero_run(const IpAddress& address) {
  ZeroRun best;
  for (int i = 0; i < 8;) {
    int end = i;
    while (end < 8 && group(address, end) == 0) ++end;
    if (end - i > best.count && end - i > 1) best = {i, end - i};
    i = end + 1;
  }
  return best;
}

void hexadecimal(uint16_t value, char*& end) {
  bool started = false;
  for (int shift = 12; shift >= 0; shift -= 4) {
    const unsigned digit = value >> static_cast<unsigned>(shift) & 0xFU;
    started |= digit != 0 || shift == 0;
    if (started) *end++ = "0123456789abcdef"[digit];
  }
}

}  // namespace

bool IpAddress::is_v4_mapped() const {
  return family == Family::kIpv6 &&
         std::ranges::equal(
             kMappedPrefix,
             std::array<uint8_t, 12>{bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5],
                                     bytes[6], bytes[7], bytes[8], bytes[9], bytes[10], bytes[11]});
}

IpAddress IpAddress::unmapped() const {
  if (!is_v4_mapped()) return *this;
  IpAddress out;
  std::copy_n(bytes.begin() + 12, 4, out.bytes.begin());
  return out;
}

bool IpAddress::is_loopback() const {
  const IpAddress plain = unmapped();
  if (plain.family == Family::kIpv4) return plain.bytes[0] == 127;
  return std::all_of(bytes.begin(), bytes.begin() + 15, [](uint8_t b) { return b == 0; }) &&
         bytes[15] == 1;
}

bool IpAddress::is_link_local() const {
  const IpAddress plain = unmapped();
  if (plain.family == Family::kIpv4) return plain.bytes[0] == 169 && plain.bytes[1] == 254;
  return bytes[0] == 0xFE && (bytes[1] & 0xC0U) == 0x80;
}

bool IpAddress::is_private() const {
  const IpAddress plain = unmapped();
  if (plain.family == Family::kIpv6) return (bytes[0] & 0xFEU) == 0xFC;
  const auto& b = plain.bytes;
  return b[0] == 10 || (b[0] == 172 && (b[1] & 0xF0U) == 16) || (b[0] == 192 && b[1] == 168) ||
         (b[0] == 100 && (b[1] & 0xC0U) == 64);
}

bool IpAddress::is_multicast() const {
  const IpAddress plain = unmapped();
  if (plain.family == Family::kIpv4) return (plain.bytes[0] & 0xF0U) == 0xE0;
  return bytes[0] == 0xFF;
}

IpAddress IpAddress::v4(uint32_t network_order) {
  IpAddress out;
  std::memcpy(out.bytes.data(), &network_order, sizeof network_order);
  return out;
}

IpAddress IpAddress::v6(const uint8_t* sixteen_bytes) {
  IpAddress out;
  out.family = Family::kIpv6;
  std::memcpy(out.bytes.data(), sixteen_bytes, out.bytes.size());
  return out;
}

IpAddress IpAddress::any(Family family) {
  IpAddress out;
  out.family = family;
  return out;
}

char* format_address(const IpAddress& address, char (&out)[kLongestAddress]) {
  char* end = out;
  const auto decimal = [&](uint8_t byte) {
    if (byte >= 100) *end++ = static_cast<char>('0' + byte / 100);
    if (byte >= 10) *end++ = static_cast<char>('0' + byte / 10 % 10);
    *end++ = static_cast<char>('0' + byte % 10);
  };
  const auto dotted = [&](const uint8_t* four) {
    for (int i = 0; i < 4; ++i) {
      if (i > 0) *end++ = '.';
      decimal(four[i]);
    }
  };
  if (address.family == Family::kIpv4) {
    dotted(address.bytes.data());
    return end;
  }
  const ZeroRun zeros = longest_zero_run(address);
  // RFC 5952 section 5: the mixed form where the address holds an IPv4 one (mapped, or compatible
  // by RFC 4291), as every tool on the C library's inet_ntop() prints it.
  const bool holds_ipv4 = address.is_v4_mapped() || (zeros.first == 0 && zeros.count == 6);
  const int groups = holds_ipv4 ? 6 : 8;
  for (int i = 0; i < groups; ++i) {
    if (i == zeros.first) {
      *end++ = ':';
      *end++ = ':';
      i += zeros.count - 1;
      continue;
    }
    if (i > 0 && end[-1] != ':') *end++ = ':';
    hexadecimal(group(address, i), end);
  }
  if (holds_ipv4) {
    if (end[-1] != ':') *end++ = ':';
    dotted(address.bytes.data() + 12);
  }
  return end;
}

std::string to_string(const IpAddress& address) {
  char text[kLongestAddress];
  return {text, format_address(address, text)};
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  IpAddress out;
  if (inet_pton(AF_INET, copy.c_str(), out.bytes.data()) == 1) return out;
  out = IpAddress{};
  out.family = Family::kIpv6;
  if (inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

std::string to_string(const Endpoint& endpoint) {
  const std::string address = to_string(endpoint.address);
  const std::string port = std::to_string(endpoint.port);
  if (endpoint.address.family == Family::kIpv4) return address + ":" + port;
  return "[" + address + "]:" + port;
}

}  // namespace model
