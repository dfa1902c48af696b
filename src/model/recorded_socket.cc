#include "model/recorded_socket.h"

namespace model {

std::string_view socket_role_name(SocketRole role) {
  switch (role) {
    case SocketRole::kListener:
      return "listener";
    case SocketRole::kOutgoing:
      return "outgoing";
    case SocketRole::kIncoming:
      return "incoming";
    case SocketRole::kBound:
      return "bound";
    case SocketRole::kConnectFailed:
      return "connect-failed";
    case SocketRole::kBindFailed:
      return "bind-failed";
    case SocketRole::kRefused:
      return "refused";
  }
  return "";
}

std::optional<SocketRole> socket_role_from_name(std::string_view name) {
  for (const SocketRole role : kSocketRoles) {
    if (socket_role_name(role) == name) return role;
  }
  return std::nullopt;
}

std::string_view owner_proof_name(OwnerProof proof) {
  switch (proof) {
    case OwnerProof::kNone:
      return "none";
    case OwnerProof::kActed:
      return "acted";
    case OwnerProof::kHeld:
      return "held";
    case OwnerProof::kInherited:
      return "inherited";
  }
  return "";
}

}  // namespace model
