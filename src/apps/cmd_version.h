// twinport version: which Twinport this is.
#pragma once

#include "apps/context.h"

namespace apps {

int run_version(Context& context);

}  // namespace apps
