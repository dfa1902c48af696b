// EventSource: the stream of openings and closings. The domain owns the interface; src/host reads
// the kernel's (BPF ring, or the sock_diag DESTROY groups without BPF), src/testkit plays one back.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/inventory.h"

namespace ports {

class EventSource {
 public:
  EventSource() = default;
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;
  virtual ~EventSource() = default;

  /// Appends what has happened since the last call, in the order of the ring, at most `limit`
  /// events; true when more is waiting. Never blocks.
  virtual base::Result<bool> drain(std::vector<model::Event>& into, size_t limit) = 0;
  /// Losses since the source was opened. A change means: resync from an inventory.
  virtual model::LossCounters losses() = 0;
  /// What this source cannot see, in whole sentences; and its name.
  [[nodiscard]] virtual model::CollectorReport report() const = 0;
};

}  // namespace ports
