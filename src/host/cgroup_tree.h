// CgroupTree: the cgroup v2 hierarchy of this machine, and the paths in it by the numbers that the
// kernel gives to BPF programs. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "base/result.h"
#include "model/process.h"

namespace host {

/// Where it is mounted: /sys/fs/cgroup, or below it beside v1 hierarchies.
base::Result<std::string> find_cgroup_root();

class CgroupTree {
 public:
  /// Of the cgroup with that number (bpf_get_current_cgroup_id()); empty when it is gone, unknown
  /// or hidden from us (CAP_DAC_READ_SEARCH is needed).
  const model::Placement& placement(uint64_t cgroup_id);

 private:
  [[nodiscard]] std::string path_of(uint64_t cgroup_id);

  bool opened_ = false;
  base::Fd root_;
  std::string root_path_;
  std::unordered_map<uint64_t, model::Placement> known_;
};

}  // namespace host
