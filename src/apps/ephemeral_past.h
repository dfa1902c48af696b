// What `twinport ephemeral` tells from the timeline: how the range was used until now. Read, and
// shown as parts of the page and of the JSON document.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "apps/context.h"
#include "apps/page.h"
#include "base/json_writer.h"
#include "base/result.h"
#include "ports/ephemeral.h"
#include "ports/ephemeral_history.h"

namespace apps {

struct EphemeralPast {
  std::optional<ports::EphemeralHistory> history;
  std::string why_none;        ///< a sentence, where there is none
  bool cut_short = false;      ///< there was so much that the window begins later than asked
  bool sees_all = true;        ///< else only the own sockets of the one who asks
  bool range_changed = false;  ///< in the window; all is held against the range of now

  [[nodiscard]] bool needs_attention() const { return history && history->full_soon(); }
};

/// `since` as a person gives it, "" = an hour ago; then a timeline that cannot be read is no error.
/// `own`: the network namespace whose past is wanted.
base::Result<EphemeralPast> read_ephemeral_past(const std::string& since,
                                                const ports::EphemeralUse& own, size_t top,
                                                Context& context);

/// `own`: of now, to tell what is in use still.
void add_ephemeral_past(Page& page, const EphemeralPast& past, const ports::EphemeralUse& own,
                        size_t top);
/// The fields `history` and `history_missing`, into an object that is already open.
void write_ephemeral_past(base::JsonWriter& json, const EphemeralPast& past,
                          const ports::EphemeralUse& own, size_t top);

}  // namespace apps
