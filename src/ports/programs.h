// Programs: processes that a person would call the same thing, told apart once for a whole
// inventory. Forks and threads of one server become one line of an answer.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "model/process.h"

namespace ports {

/// Processes that look alike: all that differs is the pid, the start and the parent.
struct Program {
  model::Process process;     ///< the oldest of them
  std::vector<int32_t> pids;  ///< ascending, no doubles
};

class Programs {
 public:
  /// `processes` must outlive this.
  explicit Programs(const std::vector<model::Process>& processes);

  /// The program of a process, both as indices of processes; a process that could not be read is a
  /// program by itself.
  [[nodiscard]] uint32_t number(uint32_t process) const { return numbers_[process]; }
  /// The programs of these processes, oldest first.
  [[nodiscard]] std::vector<Program> gather(const std::set<uint32_t>& processes) const;

 private:
  const std::vector<model::Process>& processes_;
  std::vector<uint32_t> numbers_;
};

}  // namespace ports
