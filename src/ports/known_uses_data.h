// The knowledge that the build packs into the program (tools/registry_gen.cc writes the arrays from
// data/known-uses.toml and data/registry/debian-services.txt). For known_uses.cc and ghost.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/registry_entry.h"

namespace ports {

/// model::KnownUse with lists that lie in constant memory.
struct PackedUse {
  std::span<const model::PortRange> ports;
  std::span<const model::Protocol> protocols;
  std::string_view software;
  std::string_view service;
  std::string_view role;
  model::Direction direction;
  std::span<const std::string_view> exes;
  std::span<const std::string_view> packages;
  std::span<const std::string_view> units;
  std::string_view summary;
  std::string_view firewall;
  std::string_view profile;
  std::string_view source;
};

/// A name in Debian's /etc/services.
struct DebianService {
  uint16_t port;
  std::string_view name;
};

std::span<const PackedUse> packed_known_uses();
std::span<const DebianService> debian_services();

}  // namespace ports
