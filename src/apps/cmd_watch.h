// twinport watch: openings and closings as the recorder sees them, line by line.
#pragma once

#include <string>

#include "apps/context.h"
#include "apps/row_question.h"

namespace apps {

struct WatchOptions {
  RowOptions rows;
  std::string run_for;  ///< "10s"; "" = until ended
};

/// 0 when everything was shown, 1 when rows were skipped because we were too slow, or the recorder
/// ended; 3 when there is no recorder.
int run_watch(const WatchOptions& options, Context& context);

}  // namespace apps
