// Expectation: what should be open on this machine, who may hold it and who answers for it; and
// which programs may talk to others. Plain values; docs/formats/expectations.md is how people write
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/address.h"
#include "model/port.h"

namespace model {

enum class ScopeKind : uint8_t { kLoopback, kNetwork, kAny };

/// From where a port may be reached, or where a program may talk to. Each includes loopback: who
/// may be reached by others may be reached from here.
struct Scope {
  ScopeKind kind = ScopeKind::kAny;
  IpAddress network;  ///< of kNetwork; its bits behind `bits` are zero
  uint8_t bits = 0;
  bool operator==(const Scope&) const = default;

  /// Whether an address (not a wildcard) lies inside. An IPv4 address mapped into IPv6 counts as
  /// the IPv4 address.
  [[nodiscard]] bool covers(const IpAddress& address) const;
};

/// Who may hold the port. Of each list any entry will do; every list that is not empty must agree;
/// with all of them empty, anybody may.
struct HolderRule {
  std::vector<std::string> exes;  ///< absolute paths, or kKernelExe
  std::vector<std::string> units;
  std::vector<std::string> packages;
  std::vector<std::string> containers;  ///< names, or ids shortened to 12 characters
  std::vector<std::string> users;       ///< names or numbers
  [[nodiscard]] bool anybody() const {
    return exes.empty() && units.empty() && packages.empty() && containers.empty() && users.empty();
  }
  bool operator==(const HolderRule&) const = default;
};

/// What stands for a path where the kernel itself holds the port (NFS, WireGuard, ...).
inline constexpr const char* kKernelExe = "kernel";

enum class Presence : uint8_t {
  kAlways,     ///< each of its single ports must be open; of a range, none need be
  kSometimes,  ///< it may be open
};

struct Expectation {
  bool outgoing = false;  ///< a program that talks to others: `ports` are the other end's, and
                          ///< `scopes` where that may be
  std::vector<Protocol> protocols;
  std::vector<PortRange> ports;
  std::vector<Scope> scopes;  ///< any of them
  HolderRule holder;
  Presence presence = Presence::kAlways;
  bool published = false;  ///< the packet filter may send it elsewhere; where `holder` is
                           ///< anybody's, that is the only way in which it may be open
  std::string netns;       ///< name of a network namespace; "" = the one we run in
  std::string why;         ///< "" = nobody said
  std::string owner;       ///< who answers for it; "" = nobody said
  std::string file;        ///< where it is written, for messages; not part of its meaning
  size_t line = 0;

  [[nodiscard]] bool covers(Protocol protocol, uint16_t port) const;
};

/// Whether both say the same, wherever they are written.
bool same_meaning(const Expectation& left, const Expectation& right);

/// "loopback", "10.0.0.0/8" or "any".
std::string to_string(const Scope& scope);

}  // namespace model
