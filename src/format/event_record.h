// The records of the recorder's ring: bpf/event_record.h holds their grammar and layout. Pure
// functions over bytes; the ring itself is host/event_ring.h.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "bpf/event_record.h"
#include "model/event.h"

namespace format {

/// One whole record as an event. kCorrupt when its size, version or kind is not ours, or when a
/// field cannot be true.
base::Result<model::Event> read_event(std::span<const std::byte> record);

}  // namespace format
