// BpfEvents: ports::EventSource over the recorder's BPF programs. From open() on the kernel writes
// every opening and closing into a ring; everything is taken down again when the object goes, or
// with the process: nothing is pinned.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "ports/event_source.h"

namespace host {

struct BpfEventsOptions {
  uint32_t ring_bytes = 8U << 20U;  ///< a power of two, at least a page
  bool old_kernel = false;          ///< do without what kernels before Linux 6.2 lack, for tests
};

/// Needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and the cgroup v2 hierarchy mounted; the error
/// says which of them is missing.
base::Result<std::unique_ptr<ports::EventSource>> make_bpf_events(
    const BpfEventsOptions& options = {});

}  // namespace host
