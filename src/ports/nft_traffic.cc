#include "ports/nft_traffic.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace ports {

using model::Family;
using model::IpAddress;

namespace {

constexpr size_t kRegisterBytes = 4;
constexpr size_t kLongestAddress = 16;
constexpr size_t kInterfaceNameBytes = 16;

/// Some bytes of an address, as a rule demands them.
struct AddressFact {
  std::array<uint8_t, kLongestAddress> first{};
  std::array<uint8_t, kLongestAddress> last{};
  std::array<uint8_t, kLongestAddress> mask{};
  bool touched = false;
};

/// Leading bits that are fixed, when the fact is "this network"; nothing when it is another shape.
std::optional<uint8_t> prefix_bits(const AddressFact& fact) {
  uint8_t bits = 0;
  bool ended = false;
  for (size_t i = 0; i < kLongestAddress; ++i) {
    const auto fixed = static_cast<uint8_t>(fact.mask[i] & ~(fact.first[i] ^ fact.last[i]));
    const auto free = static_cast<uint8_t>(fact.mask[i] & ~fixed);
    if ((fact.first[i] & free) != 0 || (fact.last[i] & free) != free) return std::nullopt;
    for (unsigned bit = 0x80; bit != 0; bit >>= 1U) {
      if ((fixed & bit) == 0) {
        ended = true;
      } else if (ended) {
        return std::nullopt;
      } else {
        ++bits;
      }
    }
  }
  return bits;
}

IpAddress to_address(const std::array<uint8_t, kLongestAddress>& bytes, Family family) {
  IpAddress out;
  out.family = family;
  out.bytes = bytes;
  return out;
}

IpAddress network_of(IpAddress address, unsigned bits) {
  for (uint8_t& byte : address.bytes) {
    const unsigned kept = std::min(bits, 8U);
    byte = static_cast<uint8_t>(byte & (0xFF00U >> kept));
    bits -= kept;
  }
  return address;
}

std::string network_text(const AddressFact& fact, Family family) {
  const auto bits = prefix_bits(fact);
  const std::string first = to_string(to_address(fact.first, family));
  if (!bits) return first + "-" + to_string(to_address(fact.last, family));
  const unsigned whole = family == Family::kIpv4 ? 32 : 128;
  return *bits == whole ? first : first + "/" + std::to_string(*bits);
}

std::string_view meta_name(uint32_t key) {
  switch (key) {
    case NFT_META_PROTOCOL:
      return "meta protocol";
    case NFT_META_MARK:
      return "meta mark";
    case NFT_META_IIF:
      return "iif";
    case NFT_META_OIF:
      return "oif";
    case NFT_META_OIFNAME:
      return "oifname";
    case NFT_META_SKUID:
      return "meta skuid";
    case NFT_META_SKGID:
      return "meta skgid";
    case NFT_META_PKTTYPE:
      return "meta pkttype";
    case NFT_META_CGROUP:
      return "meta cgroup";
    default:
      return "meta";
  }
}

}  // namespace

ProtocolPorts ProtocolPorts::all() {
  ProtocolPorts out;
  out.sets.fill(PortSet::all());
  return out;
}

bool ProtocolPorts::empty() const { return std::ranges::all_of(sets, &PortSet::empty); }

ProtocolPorts ProtocolPorts::united_with(const ProtocolPorts& other) const {
  ProtocolPorts out;
  for (size_t i = 0; i < sets.size(); ++i) out.sets[i] = sets[i].united_with(other.sets[i]);
  return out;
}

ProtocolPorts ProtocolPorts::without(const ProtocolPorts& other) const {
  ProtocolPorts out;
  for (size_t i = 0; i < sets.size(); ++i) out.sets[i] = sets[i].without(other.sets[i]);
  return out;
}

void Traffic::add_condition(std::string condition) {
  if (std::ranges::find(conditions, condition) == conditions.end()) {
    conditions.push_back(std::move(condition));
  }
}

void Traffic::keep_ports(const PortSet& set) {
  for (PortSet& each : ports.sets) each = each.common_with(set);
}

void Traffic::keep_protocols(const std::vector<uint8_t>& numbers) {
  protocol_known = true;
  for (size_t i = 0; i < kPortProtocols.size(); ++i) {
    const auto number = static_cast<uint8_t>(kPortProtocols[i]);
    if (std::ranges::find(numbers, number) == numbers.end()) ports.sets[i] = {};
  }
}

void Traffic::drop_protocol(uint8_t number) {
  for (size_t i = 0; i < kPortProtocols.size(); ++i) {
    if (static_cast<uint8_t>(kPortProtocols[i]) == number) ports.sets[i] = {};
  }
}

void Traffic::keep_family(Family wanted) {
  if (family && *family != wanted) ports = {};
  family = wanted;
}

void Traffic::keep_destination(const IpAddress& address, uint8_t bits) {
  const uint8_t common = std::min(bits, destination_bits);
  if (network_of(address, common).bytes != network_of(destination, common).bytes) ports = {};
  if (bits <= destination_bits) return;
  destination = network_of(address, bits);
  destination_bits = bits;
}

bool Traffic::is_all_of_its_ports_in(const Traffic& whole) const {
  return family == whole.family && destination_bits == whole.destination_bits &&
         conditions.size() == whole.conditions.size() && unclear == whole.unclear;
}

// What one comparison says of each field that it touches.
struct NftPath::Facts {
  uint16_t port_first = 0, port_last = 0, port_mask = 0;
  bool port = false;
  uint8_t protocol_first = 0, protocol_last = 0;
  bool protocol = false;
  uint8_t family_first = 0, family_last = 0;
  bool family = false;
  AddressFact destination, source;
  std::string interface_first, interface_last;
  bool interface = false;
  std::array<uint8_t, 4> type_first{}, type_last{};
  bool type = false;
  std::vector<std::string_view> others;
  bool unclear = false;

  [[nodiscard]] int fields() const {
    return int{port} + int{protocol} + int{family} + int{destination.touched} +
           int{source.touched} + int{interface} + int{type} + static_cast<int>(others.size());
  }
  /// `port_first` to `port_last` is all that is said of the port.
  [[nodiscard]] bool port_is_plain() const { return port_mask == 0xFFFF; }
  /// Only the type "one of this host's own addresses", which goes without saying.
  [[nodiscard]] bool is_to_this_host() const {
    return type_first == type_last && type_first == std::array<uint8_t, 4>{RTN_LOCAL, 0, 0, 0};
  }
  /// As nft writes it: a name cut short stands for all that begin with it.
  [[nodiscard]] std::string interface_text() const {
    const size_t end = interface_first.find('\0');
    if (end == std::string::npos) return interface_first + "*";
    return interface_first.substr(0, end);
  }
};

std::string_view NftPath::ip_word() const {
  return traffic.family == Family::kIpv6 ? "ip6 " : "ip ";
}

NftPath::Byte NftPath::packet_byte(uint32_t base, uint32_t offset) const {
  const auto in = [&](uint32_t first, uint32_t size) {
    return offset >= first && offset < first + size;
  };
  const auto byte = [&](Field field, uint32_t first) {
    return Byte{.field = field, .index = static_cast<uint8_t>(offset - first), .name = {}};
  };
  if (base == NFT_PAYLOAD_TRANSPORT_HEADER) {
    if (in(2, 2)) return byte(Field::kPort, 2);
    return Byte{.name = in(0, 2) ? "sport" : "transport header"};
  }
  if (base == NFT_PAYLOAD_NETWORK_HEADER && traffic.family == Family::kIpv4) {
    if (in(9, 1)) return byte(Field::kProtocol, 9);
    if (in(12, 4)) return byte(Field::kSource, 12);
    if (in(16, 4)) return byte(Field::kDestination, 16);
  }
  if (base == NFT_PAYLOAD_NETWORK_HEADER && traffic.family == Family::kIpv6) {
    if (in(6, 1)) return byte(Field::kProtocol, 6);
    if (in(8, 16)) return byte(Field::kSource, 8);
    if (in(24, 16)) return byte(Field::kDestination, 24);
  }
  if (base == NFT_PAYLOAD_NETWORK_HEADER) return Byte{.name = "network header"};
  return Byte{.name = base == NFT_PAYLOAD_LL_HEADER ? "ether" : "payload"};
}

// Registers are filled in units of 4 bytes; what a short value leaves over is padding.
void NftPath::fill(uint8_t to, size_t size, Field field, std::string_view name) {
  const size_t begin = std::min(size_t{to} * kRegisterBytes, bytes_.size());
  const size_t end = std::min(begin + (size + 3) / 4 * 4, bytes_.size());
  for (size_t at = begin; at < end; ++at) {
    const size_t index = at - begin;
    bytes_[at] = Byte{.field = index < size ? field : Field::kPadding,
                      .index = static_cast<uint8_t>(index),
                      .name = name};
  }
}

NftPath::Byte NftPath::byte_at(uint8_t from, size_t at) const {
  const size_t position = size_t{from} * kRegisterBytes + at;
  return position < bytes_.size() ? bytes_[position] : Byte{};
}

bool NftPath::has_field(uint8_t from, size_t size, std::initializer_list<Field> any_of) const {
  for (size_t at = 0; at < size; ++at) {
    const Field field = byte_at(from, at).field;
    if (std::ranges::find(any_of, field) != any_of.end()) return true;
  }
  return false;
}

void NftPath::load(const format::NftPayload& payload) {
  const size_t size = std::min<size_t>(payload.length, bytes_.size());
  fill(payload.to, size, Field::kOther, {});
  const size_t begin = size_t{payload.to} * kRegisterBytes;
  for (size_t at = 0; at < size && begin + at < bytes_.size(); ++at) {
    bytes_[begin + at] = packet_byte(payload.base, payload.offset + static_cast<uint32_t>(at));
  }
}

void NftPath::load(const format::NftMeta& meta) {
  if (meta.key == NFT_META_L4PROTO) {
    fill(meta.to, 1, Field::kProtocol, {});
  } else if (meta.key == NFT_META_NFPROTO) {
    fill(meta.to, 1, Field::kFamily, {});
  } else if (meta.key == NFT_META_IIFNAME) {
    fill(meta.to, kInterfaceNameBytes, Field::kInterface, {});
  } else {
    const bool is_name = meta.key == NFT_META_OIFNAME;
    fill(meta.to, is_name ? kInterfaceNameBytes : kRegisterBytes, Field::kOther,
         meta_name(meta.key));
  }
}

void NftPath::load(const format::NftFib& fib) {
  const bool is_type = fib.result == NFT_FIB_RESULT_ADDRTYPE && (fib.flags & NFTA_FIB_F_DADDR) != 0;
  const bool is_name = fib.result == NFT_FIB_RESULT_OIFNAME;
  fill(fib.to, is_name ? kInterfaceNameBytes : kRegisterBytes,
       is_type ? Field::kAddressType : Field::kOther, "fib");
}

void NftPath::load(const format::NftLoad& load) {
  const bool unclear =
      load.may_tell_port ||
      has_field(load.from, kRegisterBytes, {Field::kPort, Field::kProtocol, Field::kUnclear});
  // How much it writes is not known; no value is longer than an address.
  fill(load.to, kLongestAddress, unclear ? Field::kUnclear : Field::kOther, load.name);
}

void NftPath::load(const format::NftBitwise& bitwise) {
  const size_t size = std::min<size_t>(bitwise.length, bytes_.size());
  const bool is_plain_mask = bitwise.operation == 0 && bitwise.mask.size() == size &&
                             bitwise.flip.find_first_not_of('\0') == std::string::npos;
  const auto before = bytes_;
  for (size_t at = 0; at < size; ++at) {
    const size_t source = size_t{bitwise.from} * kRegisterBytes + at;
    const size_t target = size_t{bitwise.to} * kRegisterBytes + at;
    if (target >= bytes_.size()) return;
    Byte byte = source < before.size() ? before[source] : Byte{};
    if (is_plain_mask) {
      const auto mask = static_cast<uint8_t>(bitwise.mask[at]);
      byte.mask &= mask;
      byte.value &= mask;
    } else if (byte.field == Field::kPort || byte.field == Field::kProtocol) {
      byte.field = Field::kUnclear;
    } else if (byte.field != Field::kUnclear) {
      byte.field = Field::kOther;
      byte.name = "a computed value";
    }
    bytes_[target] = byte;
  }
}

void NftPath::set_constant(uint8_t to, std::string_view bytes) {
  fill(to, bytes.size(), Field::kConstant, "a constant");
  const size_t begin = size_t{to} * kRegisterBytes;
  for (size_t at = 0; at < bytes.size() && begin + at < bytes_.size(); ++at) {
    bytes_[begin + at].value = static_cast<uint8_t>(bytes[at]);
  }
}

void NftPath::forget_registers(std::string_view name) {
  for (Byte& byte : bytes_) {
    const bool unclear = byte.field == Field::kPort || byte.field == Field::kProtocol ||
                         byte.field == Field::kUnclear;
    byte = Byte{.field = unclear ? Field::kUnclear : Field::kOther, .name = name};
  }
}

std::optional<std::string> NftPath::constant(uint8_t from, size_t size) const {
  std::string out;
  for (size_t at = 0; at < size; ++at) {
    const Byte byte = byte_at(from, at);
    if (byte.field != Field::kConstant) return std::nullopt;
    out += static_cast<char>(byte.value);
  }
  return out;
}

bool NftPath::is_port_alone(uint8_t from, size_t size) const {
  if (size < 2) return false;
  for (size_t at = 0; at < size; ++at) {
    const Byte byte = byte_at(from, at);
    const bool fits = at < 2 ? byte.field == Field::kPort && byte.index == at && byte.mask == 0xFF
                             : byte.field == Field::kPadding;
    if (!fits) return false;
  }
  return true;
}

bool NftPath::is_protocol_alone(uint8_t from, size_t size) const {
  if (size < 1) return false;
  for (size_t at = 0; at < size; ++at) {
    const Byte byte = byte_at(from, at);
    const bool fits = at < 1 ? byte.field == Field::kProtocol && byte.mask == 0xFF
                             : byte.field == Field::kPadding;
    if (!fits) return false;
  }
  return true;
}

bool NftPath::matters(uint8_t from, size_t size) const {
  return has_field(
      from, size,
      {Field::kPort, Field::kProtocol, Field::kFamily, Field::kDestination, Field::kUnclear});
}

NftPath::Facts NftPath::facts(uint8_t from, std::string_view first, std::string_view last) const {
  Facts out;
  const auto note = [](AddressFact& fact, const Byte& byte, uint8_t low, uint8_t high) {
    fact.touched = true;
    if (byte.index >= kLongestAddress) return;
    fact.first[byte.index] = static_cast<uint8_t>(low & byte.mask);
    fact.last[byte.index] = static_cast<uint8_t>(high & byte.mask);
    fact.mask[byte.index] = byte.mask;
  };
  for (size_t at = 0; at < std::min(first.size(), last.size()); ++at) {
    const Byte byte = byte_at(from, at);
    const auto low = static_cast<uint8_t>(first[at]);
    const auto high = static_cast<uint8_t>(last[at]);
    switch (byte.field) {
      case Field::kPadding:
        break;
      case Field::kPort: {
        const unsigned shift = byte.index == 0 ? 8 : 0;
        out.port = true;
        out.port_first = static_cast<uint16_t>(out.port_first | low << shift);
        out.port_last = static_cast<uint16_t>(out.port_last | high << shift);
        out.port_mask = static_cast<uint16_t>(out.port_mask | byte.mask << shift);
        break;
      }
      case Field::kProtocol:
        out.protocol = true;
        out.protocol_first = low;
        out.protocol_last = high;
        out.unclear = out.unclear || byte.mask != 0xFF;
        break;
      case Field::kFamily:
        out.family = true;
        out.family_first = low;
        out.family_last = high;
        break;
      case Field::kDestination:
        note(out.destination, byte, low, high);
        break;
      case Field::kSource:
        note(out.source, byte, low, high);
        break;
      case Field::kInterface:
        out.interface = true;
        out.interface_first += static_cast<char>(low);
        out.interface_last += static_cast<char>(high);
        break;
      case Field::kAddressType:
        out.type = true;
        if (byte.index < out.type_first.size()) {
          out.type_first[byte.index] = low;
          out.type_last[byte.index] = high;
        }
        break;
      case Field::kUnclear:
        out.unclear = true;
        break;
      case Field::kConstant:
      case Field::kOther:
        if (std::ranges::find(out.others, byte.name) == out.others.end()) {
          out.others.push_back(byte.name);
        }
        break;
    }
  }
  return out;
}

void NftPath::demand(uint8_t from, std::string_view first, std::string_view last) {
  const Facts facts = this->facts(from, first, last);
  traffic.unclear = traffic.unclear || facts.unclear || (facts.port && !facts.port_is_plain());
  if (facts.port && facts.port_is_plain()) {
    traffic.keep_ports(PortSet(std::vector{model::PortRange{facts.port_first, facts.port_last}}));
  }
  if (facts.protocol) {
    std::vector<uint8_t> numbers;
    for (unsigned n = facts.protocol_first; n <= facts.protocol_last; ++n) {
      numbers.push_back(static_cast<uint8_t>(n));
    }
    traffic.keep_protocols(numbers);
  }
  if (facts.family) {
    if (facts.family_first != facts.family_last) {
      traffic.add_condition("meta nfproto");
    } else if (facts.family_first == NFPROTO_IPV4 || facts.family_first == NFPROTO_IPV6) {
      traffic.keep_family(facts.family_first == NFPROTO_IPV4 ? Family::kIpv4 : Family::kIpv6);
    } else {
      traffic.ports = {};
    }
  }
  const Family family = traffic.family.value_or(Family::kIpv4);
  if (facts.destination.touched) {
    if (const auto bits = prefix_bits(facts.destination)) {
      traffic.keep_destination(to_address(facts.destination.first, family), *bits);
    } else {
      traffic.add_condition(std::string(ip_word()) + "daddr " +
                            network_text(facts.destination, family));
    }
  }
  if (facts.source.touched) {
    traffic.add_condition(std::string(ip_word()) + "saddr " + network_text(facts.source, family));
  }
  if (facts.interface) {
    const bool is_one = facts.interface_first == facts.interface_last;
    traffic.add_condition(is_one ? "iifname " + facts.interface_text() : "iifname");
  }
  if (facts.type && !facts.is_to_this_host()) traffic.add_condition("fib daddr type");
  for (const std::string_view name : facts.others) traffic.add_condition(std::string(name));
}

void NftPath::demand_not(uint8_t from, std::string_view first, std::string_view last) {
  const Facts facts = this->facts(from, first, last);
  if (facts.unclear || (facts.port && !facts.port_is_plain()) || (facts.port && facts.protocol)) {
    traffic.unclear = true;
    return;
  }
  if (facts.fields() > 1) {
    // "Not both" leaves every port some packets: those that differ in the other field.
    traffic.add_condition("exceptions");
    return;
  }
  const Family family = traffic.family.value_or(Family::kIpv4);
  if (facts.port) {
    const PortSet excluded(std::vector{model::PortRange{facts.port_first, facts.port_last}});
    traffic.keep_ports(excluded.complement());
  } else if (facts.protocol) {
    for (unsigned n = facts.protocol_first; n <= facts.protocol_last; ++n) {
      traffic.drop_protocol(static_cast<uint8_t>(n));
    }
  } else if (facts.family) {
    traffic.add_condition("meta nfproto");
  } else if (facts.destination.touched) {
    traffic.add_condition(std::string(ip_word()) +
                          "daddr != " + network_text(facts.destination, family));
  } else if (facts.source.touched) {
    traffic.add_condition(std::string(ip_word()) +
                          "saddr != " + network_text(facts.source, family));
  } else if (facts.interface) {
    traffic.add_condition("iifname != " + facts.interface_text());
  } else if (facts.type) {
    traffic.add_condition("fib daddr type");
  }
  for (const std::string_view name : facts.others) traffic.add_condition(std::string(name));
}

void NftPath::demand_something(uint8_t from, size_t size) {
  const std::string any(size, '\0');
  const Facts facts = this->facts(from, any, any);
  traffic.unclear = traffic.unclear || facts.unclear || facts.port || facts.protocol;
  if (facts.family) traffic.add_condition("meta nfproto");
  if (facts.destination.touched) traffic.add_condition(std::string(ip_word()) + "daddr");
  if (facts.source.touched) traffic.add_condition(std::string(ip_word()) + "saddr");
  if (facts.interface) traffic.add_condition("iifname");
  if (facts.type) traffic.add_condition("fib daddr type");
  for (const std::string_view name : facts.others) traffic.add_condition(std::string(name));
}

}  // namespace ports
