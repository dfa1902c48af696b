// Tries whether TCP ports of a host can be reached: connects, and closes at once. All addresses and
// ports are tried at the same time, within one time limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "model/peer_probe.h"

namespace net {

/// Looks the host up first, which counts against the same limit. At most 16 of its addresses are
/// tried. What refuses is told apart by what ICMP says, and by whom.
model::PeerProbe probe_peer(const std::string& host, std::span<const uint16_t> ports,
                            std::chrono::milliseconds limit);

}  // namespace net
