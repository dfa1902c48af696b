#include "model/inventory.h"

#include <algorithm>

namespace model {

bool PortPolicy::hands_out(uint16_t port) const {
  if (!ephemeral.contains(port)) return false;
  return std::ranges::none_of(reserved, [&](PortRange range) { return range.contains(port); });
}

std::string_view collector_name(CollectorKind kind) {
  switch (kind) {
    case CollectorKind::kBpf:
      return "bpf";
    case CollectorKind::kSockDiag:
      return "sock_diag";
    case CollectorKind::kProc:
      return "proc";
  }
  return "unknown";
}

const NetNamespace* Inventory::find_namespace(uint32_t inode) const {
  const auto found = std::ranges::find(namespaces, inode, &NetNamespace::inode);
  return found == namespaces.end() ? nullptr : &*found;
}

}  // namespace model
