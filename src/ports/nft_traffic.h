// What is known of the packets on their way through an nf_tables ruleset (Traffic), and one way
// through a rule (NftPath), whose registers hold not values but where the values come from. Pure;
// one thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/nft_message.h"
#include "model/address.h"
#include "model/port.h"
#include "ports/port_set.h"

namespace ports {

inline constexpr std::array<model::Protocol, 5> kPortProtocols{
    model::Protocol::kTcp, model::Protocol::kUdp, model::Protocol::kDccp, model::Protocol::kSctp,
    model::Protocol::kUdpLite};

/// A set of ports for each protocol that has ports, in the order of kPortProtocols.
struct ProtocolPorts {
  std::array<PortSet, kPortProtocols.size()> sets;

  static ProtocolPorts all();
  [[nodiscard]] bool empty() const;
  [[nodiscard]] ProtocolPorts united_with(const ProtocolPorts& other) const;
  [[nodiscard]] ProtocolPorts without(const ProtocolPorts& other) const;
};

/// Every demand of the rules passed so far.
struct Traffic {
  ProtocolPorts ports = ProtocolPorts::all();
  bool protocol_known = false;  ///< a rule named the protocol
  std::optional<model::Family> family = std::nullopt;
  model::IpAddress destination{};
  uint8_t destination_bits = 0;         ///< leading bits of `destination` that count
  std::vector<std::string> conditions;  ///< what else was demanded, as nft would write it
  bool unclear = false;  ///< something may have been demanded of the ports that we cannot read

  void add_condition(std::string condition);
  void keep_ports(const PortSet& set);
  void keep_protocols(const std::vector<uint8_t>& numbers);
  void drop_protocol(uint8_t number);
  /// `ports` becomes empty when the two families or destinations exclude each other.
  void keep_family(model::Family wanted);
  void keep_destination(const model::IpAddress& address, uint8_t bits);
  /// Whether this differs from `whole` in ports alone: then no other packet of these ports is left
  /// in `whole`.
  [[nodiscard]] bool is_all_of_its_ports_in(const Traffic& whole) const;
};

class NftPath {
 public:
  explicit NftPath(const Traffic& entry) : traffic(entry) {}

  Traffic traffic;

  void load(const format::NftPayload& payload);
  void load(const format::NftMeta& meta);
  void load(const format::NftFib& fib);
  void load(const format::NftLoad& load);
  void load(const format::NftBitwise& bitwise);
  void set_constant(uint8_t to, std::string_view bytes);
  /// After an expression that may have written anything anywhere.
  void forget_registers(std::string_view name);
  [[nodiscard]] std::optional<std::string> constant(uint8_t from, size_t size) const;

  /// The registers from `from` on lie between `first` and `last`, each field on its own.
  void demand(uint8_t from, std::string_view first, std::string_view last);
  /// They do not.
  void demand_not(uint8_t from, std::string_view first, std::string_view last);
  /// Something is demanded of so many bytes that cannot be spelled out.
  void demand_something(uint8_t from, size_t size);

  /// Whether these bytes are the whole destination port, or the protocol, and nothing else.
  [[nodiscard]] bool is_port_alone(uint8_t from, size_t size) const;
  [[nodiscard]] bool is_protocol_alone(uint8_t from, size_t size) const;
  /// Whether any of these bytes tells something that is reported.
  [[nodiscard]] bool matters(uint8_t from, size_t size) const;

 private:
  enum class Field : uint8_t {
    kOther,     ///< none of those below; the name tells
    kPadding,   ///< the rest of a register that was not filled
    kConstant,  ///< the rule's own bytes
    kPort,
    kProtocol,
    kFamily,
    kDestination,
    kSource,
    kInterface,
    kAddressType,  ///< routing's type of the destination
    kUnclear,      ///< computed from ports or protocol in a way that is not followed
  };
  struct Byte {
    Field field = Field::kOther;
    uint8_t index = 0;  ///< within the field
    uint8_t mask = 0xFF;
    uint8_t value = 0;  ///< of a constant
    std::string_view name = "nothing loaded";
  };
  struct Facts;

  void fill(uint8_t to, size_t size, Field field, std::string_view name);
  [[nodiscard]] Byte byte_at(uint8_t from, size_t at) const;
  [[nodiscard]] Byte packet_byte(uint32_t base, uint32_t offset) const;
  [[nodiscard]] bool has_field(uint8_t from, size_t size,
                               std::initializer_list<Field> any_of) const;
  [[nodiscard]] Facts facts(uint8_t from, std::string_view first, std::string_view last) const;
  [[nodiscard]] std::string_view ip_word() const;

  std::array<Byte, size_t{format::kNftRegisters} * 4> bytes_{};
};

}  // namespace ports
