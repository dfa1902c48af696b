// RecorderClient: asks the recorder that listens at a path. One thread.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "ports/recorder_link.h"

namespace host {

/// kNotFound: no recorder listens there. kPermission: we may not connect, or the one who listens is
/// neither root nor we ourselves, and could tell us anything.
base::Result<std::unique_ptr<ports::RecorderLink>> connect_recorder(const std::string& path);

}  // namespace host
