#include "model/socket.h"

#include <array>

#include "base/text.h"

namespace model {
namespace {

struct NamedState {
  SocketState state;
  std::string_view name;
  std::string_view short_name;  // as `ss` prints it
};

constexpr std::array<NamedState, 13> kStates{{
    {SocketState::kEstablished, "established", "estab"},
    {SocketState::kSynSent, "syn-sent", "syn-sent"},
    {SocketState::kSynReceived, "syn-recv", "syn-recv"},
    {SocketState::kNewSynReceived, "syn-recv", "syn-recv"},
    {SocketState::kFinWait1, "fin-wait-1", "fin-wait-1"},
    {SocketState::kFinWait2, "fin-wait-2", "fin-wait-2"},
    {SocketState::kTimeWait, "time-wait", "time-wait"},
    {SocketState::kClose, "unconnected", "unconn"},
    {SocketState::kCloseWait, "close-wait", "close-wait"},
    {SocketState::kLastAck, "last-ack", "last-ack"},
    {SocketState::kListen, "listen", "listening"},
    {SocketState::kClosing, "closing", "closing"},
    {SocketState::kBoundInactive, "bound", "bound-inactive"},
}};

}  // namespace

std::string_view state_name(SocketState state, Protocol protocol) {
  if (state == SocketState::kClose && protocol == Protocol::kTcp) return "closed";
  for (const auto& named : kStates) {
    if (named.state == state) return named.name;
  }
  return "unknown";
}

std::optional<SocketState> state_from_name(std::string_view name) {
  for (const auto& named : kStates) {
    if (base::equals_ignoring_case(named.name, name) ||
        base::equals_ignoring_case(named.short_name, name)) {
      return named.state;
    }
  }
  if (base::equals_ignoring_case(name, "closed")) return SocketState::kClose;
  return std::nullopt;
}

std::string_view holding_name(Holding holding) {
  switch (holding) {
    case Holding::kUnknown:
      return "unknown";
    case Holding::kOwned:
      return "owned";
    case Holding::kTimeWait:
      return "time-wait";
    case Holding::kHandshake:
      return "handshake";
    case Holding::kNotAccepted:
      return "not-accepted";
    case Holding::kOrphaned:
      return "orphaned";
    case Holding::kKernel:
      return "kernel";
    case Holding::kNoDescriptor:
      return "no-descriptor";
    case Holding::kHidden:
      return "hidden";
    case Holding::kVanished:
      return "vanished";
  }
  return "unknown";
}

}  // namespace model
