// twinport timeline [FILTER]: what was opened and closed, newest first, with the gaps in between.
#pragma once

#include <cstddef>
#include <string>

#include "apps/context.h"
#include "apps/row_question.h"

namespace apps {

struct TimelineOptions {
  RowOptions rows;
  std::string since;  ///< a time, as ports/time_query.h takes it; "" = from the beginning
  std::string until;  ///< likewise; "" = up to now
  size_t limit = 100;
  bool no_header = false;
};

/// 0 when it is told, 1 when not all of the time asked about was recorded or the look was cut
/// short.
int run_timeline(const TimelineOptions& options, Context& context);

}  // namespace apps
