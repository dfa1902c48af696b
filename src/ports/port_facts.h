// PortFacts: what a port number is, to RFC 6335 and to this kernel, which need not agree. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/inventory.h"
#include "model/port.h"

namespace ports {

/// What one network namespace's kernel settings say of a port.
struct NamespaceView {
  uint32_t netns = 0;
  std::string name;
  bool known = false;  ///< false: the settings could not be read; the rest are Linux's defaults
  bool privileged = false;          ///< below ip_unprivileged_port_start
  bool in_ephemeral_range = false;  ///< inside ip_local_port_range
  bool reserved = false;            ///< inside ip_local_reserved_ports
  bool handed_out = false;          ///< the kernel may give it to an outgoing connection
  model::PortRange ephemeral;
  std::vector<model::PortRange> reserved_ports;  ///< the whole of ip_local_reserved_ports
  uint16_t unprivileged_start = 1024;
  uint32_t ephemeral_size = 0;  ///< ports of the range less the reserved ones
};

struct PortFacts {
  uint16_t port = 0;
  model::PortClass rfc_class = model::PortClass::kUser;
  NamespaceView own;
  /// Namespaces whose settings answer differently for this port, of those that could be read.
  std::vector<NamespaceView> differing;
  /// The RFC calls it dynamic and the kernel does not hand it out, or the other way round.
  [[nodiscard]] bool rfc_and_kernel_differ() const {
    return (rfc_class == model::PortClass::kDynamic) != own.handed_out;
  }
};

/// Ports that a policy hands out: the range less what is reserved in it.
uint32_t ephemeral_size(const model::PortPolicy& policy);

PortFacts gather_port_facts(uint16_t port, const model::Inventory& inventory);

/// The facts in whole sentences, the RFC's first.
std::vector<std::string> port_facts_in_words(const PortFacts& facts);

}  // namespace ports
