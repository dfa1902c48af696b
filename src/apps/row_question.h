// Which rows of the timeline a person asks for: what `timeline` and `watch` share.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "base/result.h"
#include "ports/timeline.h"
#include "ports/timeline_filter.h"

namespace apps {

struct RowOptions {
  std::string filter;   ///< as ports/timeline_filter.h takes it; "" = everything
  std::string process;  ///< a command or a pid; "" = any
  std::string peer;     ///< "ADDR", "ADDR:PORT" or "[ADDR]:PORT"; "" = any
  std::string role;     ///< as model::socket_role_name; "" = any
};

struct RowQuestion {
  ports::TimelineQuery query;                   ///< what a store or a recorder can apply
  std::optional<ports::TimelineFilter> filter;  ///< what that leaves open
  std::optional<model::SocketRole> role;        ///< likewise

  [[nodiscard]] bool leaves_open() const { return filter || role; }
  [[nodiscard]] bool matches(const ports::TimelineRow& row) const {
    return (!role || row.socket.role == *role) && (!filter || filter->matches(row));
  }
};

base::Result<RowQuestion> read_rows(const RowOptions& options, Context& context);

}  // namespace apps
