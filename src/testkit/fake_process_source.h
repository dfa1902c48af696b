// FakeProcessSource: the in-memory twin of host::ProcessReader, held to the same contract
// (testkit/process_source_contract.h). A pid that was not added has ended; one added with another
// start time (0 = any) has been used again.
#pragma once

#include <map>
#include <string>

#include "ports/process_source.h"

namespace testkit {

class FakeProcessSource final : public ports::ProcessSource {
 public:
  /// A process of root with the given command; its exe is /usr/sbin/COMMAND, its parent pid 1.
  model::Process& add(int32_t pid, const std::string& command);

  model::Process read(int32_t pid, uint64_t start_time_ns) override;
  std::vector<model::Ancestor> ancestors(int32_t pid) override;
  std::string executable_behind(const std::string& called) override;

  ports::ProcessTraces traces(uint32_t uid, uint64_t cgroup_id) override;
  void forget() override {}

  std::map<int32_t, model::Process> processes;
  std::map<uint32_t, std::string> users;            ///< root is known
  std::map<uint64_t, model::Placement> placements;  ///< by number of the cgroup
  std::map<std::string, std::string> executables;   ///< files behind links and scripts
};

}  // namespace testkit
