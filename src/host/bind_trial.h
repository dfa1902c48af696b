// Tries whether a server could take a TCP port, and lets go of it at once.
#pragma once

#include "model/bind_trial.h"

namespace host {

/// In the network namespace that the calling thread is in. A port that nothing has to do with is
/// only bound, so that not even for a moment somebody listens; else it is tried as servers do, with
/// SO_REUSEADDR, up to listening. IPv6 addresses are tried for IPv6 alone.
model::BindTrial try_bind(const model::Endpoint& at);

}  // namespace host
