// UseHints: a word that tells what a socket is likely for: the software that is known to use the
// port and is seen to hold it, else the service registered for it. A hint, never a finding.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/inventory.h"
#include "ports/known_uses.h"
#include "ports/registry.h"

namespace apps {

class UseHints {
 public:
  /// All three must outlive it.
  UseHints(const model::Inventory& inventory, const ports::Registry& registry,
           const ports::KnownUses& known_uses);

  /// "OpenSSH" where a usual holder of the port holds it, "ssh?" where only the registry speaks for
  /// it, "" where neither does or the port is one that the kernel hands out.
  [[nodiscard]] std::string of(const model::Socket& socket);

 private:
  /// The end of the socket that names the service; 0 = neither does.
  [[nodiscard]] uint16_t service_port(const model::Socket& socket) const;
  [[nodiscard]] bool hands_out(uint32_t netns, uint16_t port) const;
  /// What is known of a port; looked up once, since a crowd of sockets shares a few ports.
  struct Known {
    std::vector<const model::KnownUse*> uses;
    std::string registered_name;  ///< "ssh?", or ""
  };
  const Known& known(uint16_t port, model::Protocol protocol);

  const model::Inventory& inventory_;
  const ports::Registry& registry_;
  const ports::KnownUses& known_uses_;
  std::unordered_set<uint64_t> listeners_;     ///< by namespace, protocol and port
  std::unordered_map<uint32_t, Known> known_;  ///< by protocol and port
};

}  // namespace apps
