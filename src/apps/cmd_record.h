// twinport record: the recorder in the foreground. Every opening and closing of a port goes into
// the timeline of the state directory until a person ends it, or for a given time.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct RecordOptions {
  std::string run_for;                            ///< "10s"; "" = until ended
  std::string keep = "30d";                       ///< age of rows
  std::string max_size = "4GiB";                  ///< of the timeline on disk
  std::string ring = "8MiB";                      ///< of the kernel's buffer
  std::string look_every = "1m";                  ///< between two looks at all sockets
  bool no_alerts = false;                         ///< only record
  std::optional<model::CollectorKind> collector;  ///< where events come from; nothing: the best
};

/// 0 when nothing was lost, 1 when events were lost or rows could not be written, 3 when recording
/// could not begin or its end could not be written.
int run_record(const RecordOptions& options, Context& context);

}  // namespace apps
