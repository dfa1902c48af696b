// RecorderServer: the recorder's local socket. Everybody may connect; the kernel says who it is
// (SO_PEERCRED). Root and the user who records see everything, others the sockets that they own.
// A thread of its own, at low priority, answers: nothing that a client does, or fails to do, keeps
// the recorder waiting. What a client may use up is bounded (see the .cc).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "ports/recorder_link.h"

namespace host {

/// Called in the server's thread, for each question anew: the timeline may have been set aside.
using OpenTimeline = std::function<base::Result<std::unique_ptr<ports::TimelineReader>>()>;

/// Listens at `path`, whose directory is made if it is not there (one level) and must belong to us
/// or to root, writable by nobody else. A socket that a killed recorder left behind is replaced;
/// one that somebody listens on is not. Stop signals must be blocked already. The socket goes with
/// the object.
base::Result<std::unique_ptr<ports::RecorderAudience>> start_recorder_server(
    const std::string& path, OpenTimeline open_timeline);

}  // namespace host
