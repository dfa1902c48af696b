// ProcessSource: what is known of a process. The domain owns the interface; src/host reads /proc,
// src/testkit holds processes in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/process.h"

namespace ports {

/// What is left to tell of a process that has ended.
struct ProcessTraces {
  std::string user;            ///< name, or the number as text when it has none
  model::Placement placement;  ///< empty when its cgroup is gone too
};

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

  /// Of a process that ended before it could be read, by what the kernel told of it: `cgroup_id` is
  /// the number of its cgroup in the v2 hierarchy, 0 = not known.
  virtual ProcessTraces traces(uint32_t uid, uint64_t cgroup_id) = 0;

  /// What was read earlier may be out of date by now. Within one look a source may remember what it
  /// has read; whoever keeps one for longer calls this before each round of questions.
  virtual void forget() = 0;
  /// What read() would tell as `exe` of a program that was started under the path `called`, which
  /// may be a link or a script; "" where that cannot be told.
  virtual std::string executable_behind(const std::string& called) = 0;
};

}  // namespace ports
