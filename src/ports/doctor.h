// Doctor: what stands in the way of a server that wants these TCP ports, and the one thing to do
// next. Pure functions over what was read and tried.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/bind_trial.h"
#include "model/inventory.h"
#include "model/peer_probe.h"
#include "ports/explain.h"
#include "ports/fallback.h"

namespace ports {

/// What Twinport itself would use the port for.
enum class Channel : uint8_t { kNone, kControl, kData, kFallback };
Channel channel_of(uint16_t port);
std::string_view channel_name(Channel channel);  ///< "control", "data", "fallback"; "" of kNone

enum class FindingKind : uint8_t {
  kTaken,            ///< somebody holds it
  kDenied,           ///< this user may not bind it
  kCannotBind,       ///< it failed for another reason
  kForwarded,        ///< callers from outside are sent elsewhere by the packet filter
  kPeerUnknown,      ///< the peer's name has no address
  kPeerRefuses,      ///< the peer is there and takes no connection
  kPeerFiltered,     ///< a packet filter says no, or nothing comes back
  kPeerUnreachable,  ///< there is no way to the peer
  kNotReadable,      ///< something that may stand in the way could not be read
};
std::string_view finding_name(FindingKind kind);  ///< JSON word: "taken", "denied", ...

/// Something in the way.
struct Finding {
  FindingKind kind = FindingKind::kTaken;
  uint16_t port = 0;     ///< 0 = of no port in particular
  std::string sentence;  ///< what was found
  std::string remedy;    ///< what to do, in one sentence
};

struct PortCheckup {
  uint16_t port = 0;
  Channel channel = Channel::kNone;
  std::vector<model::BindTrial> trials;  ///< all addresses of each family first
  bool can_bind = false;  ///< of each family that this machine has (of the address asked for)
  std::string sentence;   ///< whether, where and why not
  std::string note;       ///< what is worth knowing though nothing is in the way; "" = nothing
  Explanation held;       ///< holds, published, behind_published, headline
  bool anybody = false;   ///< somebody holds or forwards it: `held` says who
};

struct DoctorInput {
  std::span<const uint16_t> ports;
  std::span<const model::BindTrial> trials;  ///< of these ports
  const model::Inventory& inventory;         ///< with published ports
  const model::PortPolicy& policy;           ///< of our namespace
  const model::PeerProbe* peer = nullptr;    ///< nullptr: nobody asked for one
  const Fallback* fallback = nullptr;        ///< nullptr: not looked for
  bool caller_is_root = true;
  /// Why the rules of the packet filter could not be read, all or in part; empty = they were.
  std::vector<std::string> filter_unread;
};

struct Diagnosis {
  std::string next_step;          ///< the one thing to do, in one sentence
  std::vector<Finding> findings;  ///< the most important first
  std::vector<PortCheckup> ports;
  [[nodiscard]] bool needs_attention() const { return !findings.empty(); }
};

/// "10.0.0.5:1744 is open: somebody accepts connections.", with what each failure means.
std::string probe_in_words(const model::Probe& probe);
/// Whether each port that was tried is open at one of the peer's addresses at least.
bool is_reachable(const model::PeerProbe& peer);

Diagnosis diagnose(const DoctorInput& input);

}  // namespace ports
