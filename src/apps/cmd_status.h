// twinport status: whether a recorder is at work, how far back answers reach, what was lost and
// what cannot be seen.
#pragma once

#include "apps/context.h"

namespace apps {

/// 0 when a recorder is at work and has lost nothing, 1 when there is none, it lost something, it
/// has trouble, or only part could be read.
int run_status(Context& context);

}  // namespace apps
