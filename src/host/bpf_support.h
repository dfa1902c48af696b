// Why the kernel refused our BPF programs, in words that tell a person what to change.
#pragma once

#include <string>

#include "base/result.h"

namespace host {

/// What decides whether programs can be loaded, as far as it can be read.
struct BpfSupport {
  bool can_use_bpf = true;      ///< CAP_BPF or CAP_SYS_ADMIN is effective
  bool can_read_kernel = true;  ///< CAP_PERFMON or CAP_SYS_ADMIN is effective
  bool in_user_namespace = false;
  bool has_kernel_types = true;        ///< /sys/kernel/btf/vmlinux is there
  bool locked_down = false;            ///< kernel lockdown in its confidentiality mode
  bool system_calls_filtered = false;  ///< seccomp, as containers use it
  int kernel_major = 0, kernel_minor = 0;
  std::string kernel_release;
};

/// Looks at this process and this machine. Never fails: what cannot be read counts as no obstacle.
BpfSupport read_bpf_support();

/// A pure function: one sentence that names the likeliest obstacle. kPermission where rights could
/// help, else kUnsupported; kIo when nothing explains the error number.
base::Error explain_bpf_failure(int error_number, const BpfSupport& support);

}  // namespace host
