// ProcessSource: what is known of a process. The domain owns the interface; src/host reads /proc,
// src/testkit holds processes in memory.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/process.h"

namespace ports {

class ProcessSource {
 public:
  ProcessSource() = default;
  ProcessSource(const ProcessSource&) = delete;
  ProcessSource& operator=(const ProcessSource&) = delete;
  virtual ~ProcessSource() = default;

  /// Everything but ancestors and package. `start_time_ns` (0 = unknown) is the start that the
  /// collector saw: when the pid has been used again since, the answer is a Process with `gone` set
  /// and nothing else, never the newcomer's name. A process that ended is the same. Missing rights
  /// set `details_hidden`.
  virtual model::Process read(int32_t pid, uint64_t start_time_ns) = 0;

  /// Parents up to pid 1, nearest first; empty when they cannot be read.
  virtual std::vector<model::Ancestor> ancestors(int32_t pid) = 0;
};

}  // namespace ports
