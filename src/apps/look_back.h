// look_back: what the timeline knows of a port at a time, in one call; what `who --at` and
// `explain --at` share.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "base/result.h"
#include "ports/past.h"

namespace apps {

/// `at` as ports/time_query.h takes it. A machine on which nothing was ever recorded is an answer
/// ("not recorded"), not a failure.
base::Result<ports::PastAnswer> look_back(ports::PortQuery port,
                                          std::optional<ports::PeerFilter> peer,
                                          const std::string& at, Context& context);

}  // namespace apps
