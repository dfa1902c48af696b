// make_event_source: the best way to hear of openings and closings that this machine and the
// caller's rights allow.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "model/inventory.h"
#include "ports/event_source.h"

namespace host {

/// With no `kind`, tries BPF, then sock_diag's announcements, then none at all, and the source's
/// report says why the better ones were passed over. A `kind` that cannot work here is an error.
base::Result<std::unique_ptr<ports::EventSource>> make_event_source(
    std::optional<model::CollectorKind> kind, uint32_t ring_bytes);

}  // namespace host
