// The value of --peer, which several commands take.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "ports/holds.h"

namespace apps {

/// "ADDRESS", "ADDRESS:PORT" or "[ADDRESS]:PORT"; "" = any peer.
base::Result<std::optional<ports::PeerFilter>> parse_peer(const std::string& text);

}  // namespace apps
