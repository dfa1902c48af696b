// What the IANA registry and our own table say of a port: plain values whose text lives in a table
// that outlives them (the binary, or a mapped import).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/port.h"

namespace model {

/// One row of IANA's "Service Name and Transport Protocol Port Number Registry" (RFC 6335).
struct RegistryEntry {
  PortRange ports;
  Protocol protocol = Protocol::kTcp;
  std::string_view service;  ///< "" where IANA lists the port as reserved or unassigned
  std::string_view description;
  std::string_view assignee;
  std::string_view contact;
  /// As IANA writes it, "YYYY-MM-DD" or "YYYY-MM"; "" in most rows of before 2002. The built-in
  /// table has "after 2015-07-24" where its sources tell no more than that.
  std::string_view registered;
  std::string_view modified;
  std::string_view reference;     ///< "[RFC4251]"
  std::string_view unauthorized;  ///< "Unauthorized Use Reported"
  std::string_view notes;
};

enum class Direction : uint8_t { kInbound, kOutbound, kBoth };

/// One entry of data/known-uses.toml: what software really uses a port.
struct KnownUse {
  std::vector<PortRange> ports;
  std::vector<Protocol> protocols;
  std::string_view software;
  std::string_view service;  ///< the IANA service it implements; "" = it is not the registrant
  std::string_view role;
  Direction direction = Direction::kInbound;
  std::vector<std::string_view> exes;      ///< base names or absolute paths
  std::vector<std::string_view> packages;  ///< Debian packages
  std::vector<std::string_view> units;     ///< systemd units
  std::string_view summary;
  std::string_view firewall;
  std::string_view profile;  ///< "", "windows" or "unix"
  std::string_view source;   ///< "deb:PACKAGE:/path", "rfc:N", "iana:PORT/PROTO", "doc:ANCHOR"
};

}  // namespace model
