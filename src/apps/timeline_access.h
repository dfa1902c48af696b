// The way to the timeline: out of the state directory where we may read it, else by asking the
// recorder at its socket.
#pragma once

#include <memory>
#include <string>

#include "apps/context.h"
#include "base/result.h"
#include "ports/recorder_link.h"

namespace apps {

struct TimelineAccess {
  std::unique_ptr<ports::TimelineReader> reader;
  bool sees_all = true;  ///< else only sockets that the asking user owns
  std::string place;     ///< where it is read, for people
};

/// kNotFound: nothing was ever recorded, as far as can be seen.
base::Result<TimelineAccess> open_timeline(Context& context);

/// The recorder of the state directory, else that of the whole machine.
base::Result<std::unique_ptr<ports::RecorderLink>> connect_recorder(Context& context);

}  // namespace apps
