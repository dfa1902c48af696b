#include "apps/row_question.h"

#include <utility>

#include "apps/peer_option.h"
#include "base/text.h"

namespace apps {

base::Result<RowQuestion> read_rows(const RowOptions& options, Context& context) {
  RowQuestion out;
  const auto peer = parse_peer(options.peer);
  if (!peer) return std::unexpected(peer.error());
  if (*peer) {
    out.query.remote_address = (*peer)->address;
    if ((*peer)->port != 0) out.query.remote_port = (*peer)->port;
  }
  if (const auto pid = base::parse_number<int32_t>(options.process); pid && *pid > 0) {
    out.query.pid = pid;
  } else {
    out.query.command = options.process;
  }
  if (!options.role.empty()) {
    out.role = model::socket_role_from_name(options.role);
    if (!out.role) {
      return base::fail(base::ErrorKind::kUsage,
                        "there is no role \"" + base::escape_for_terminal(options.role) +
                            "\"; use listener, outgoing, incoming, bound, connect-failed, "
                            "bind-failed or refused");
    }
  }
  if (!options.filter.empty()) {
    auto filter = ports::TimelineFilter::parse(options.filter, context.machine().own_netns());
    if (!filter) return std::unexpected(filter.error());
    out.query.port = filter->port_bounds();
    out.filter = std::move(*filter);
  }
  return out;
}

}  // namespace apps
