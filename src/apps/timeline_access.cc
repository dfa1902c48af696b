#include "apps/timeline_access.h"

#include <utility>

namespace apps {

using base::ErrorKind;

base::Result<std::unique_ptr<ports::RecorderLink>> connect_recorder(Context& context) {
  auto link = context.machine().connect_recorder(context.recorder_socket);
  const bool elsewhere =
      !context.shared_socket.empty() && context.shared_socket != context.recorder_socket;
  if (link || link.error().kind != ErrorKind::kNotFound || !elsewhere) return link;
  return context.machine().connect_recorder(context.shared_socket);
}

base::Result<TimelineAccess> open_timeline(Context& context) {
  auto direct = context.machine().open_timeline(context.state_directory);
  if (direct) return TimelineAccess{std::move(*direct), true, context.state_directory};
  const base::Error& error = direct.error();
  if (error.kind != ErrorKind::kNotFound && error.kind != ErrorKind::kPermission) {
    return std::unexpected(error);
  }
  auto link = connect_recorder(context);
  if (link) {
    const bool sees_all = (*link)->sees_all();
    return TimelineAccess{std::move(*link), sees_all, "the recorder's own directory"};
  }
  if (error.kind == ErrorKind::kPermission) {
    return base::fail(ErrorKind::kPermission, error.message + "; and " + link.error().message);
  }
  // No timeline and no recorder is an answer; a recorder that will not answer is not.
  return link.error().kind == ErrorKind::kNotFound ? std::unexpected(error)
                                                   : std::unexpected(link.error());
}

}  // namespace apps
