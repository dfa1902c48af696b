#include "host/bpf_support.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace host {
namespace {

// Inode of the first user namespace (PROC_USER_INIT_INO in include/linux/proc_ns.h).
constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD;

// Since Linux 5.17 the kernel itself relocates a program against its types, which is what a light
// skeleton relies on.
constexpr int kLeastMajor = 5;
constexpr int kLeastMinor = 17;

bool is_effective(const std::array<__user_cap_data_struct, 2>& sets, unsigned capability) {
  return (sets[capability / 32].effective >> (capability % 32) & 1U) != 0;
}

void read_capabilities(BpfSupport& support) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return;
  const bool admin = is_effective(sets, CAP_SYS_ADMIN);
  support.can_use_bpf = admin || is_effective(sets, CAP_BPF);
  support.can_read_kernel = admin || is_effective(sets, CAP_PERFMON);
}

void read_release(BpfSupport& support) {
  utsname name{};
  if (::uname(&name) != 0) return;
  support.kernel_release = name.release;
  std::string_view rest = support.kernel_release;
  const auto major = base::parse_number<int>(base::take_until(rest, '.'));
  const auto minor = base::parse_number<int>(rest.substr(0, rest.find_first_not_of("0123456789")));
  if (!major || !minor) return;
  support.kernel_major = *major;
  support.kernel_minor = *minor;
}

}  // namespace

BpfSupport read_bpf_support() {
  BpfSupport support;
  read_capabilities(support);
  read_release(support);
  struct stat status{};
  support.in_user_namespace =
      ::stat("/proc/self/ns/user", &status) == 0 && status.st_ino != kInitialUserNamespace;
  support.has_kernel_types = ::access("/sys/kernel/btf/vmlinux", F_OK) == 0;
  const auto lockdown = base::read_file("/sys/kernel/security/lockdown", 4096);
  support.locked_down = lockdown && lockdown->find("[confidentiality]") != std::string::npos;
  support.system_calls_filtered = ::prctl(PR_GET_SECCOMP) > 0;
  return support;
}

base::Error explain_bpf_failure(int error_number, const BpfSupport& support) {
  using base::ErrorKind;
  const auto because = [](ErrorKind kind, const std::string& reason) {
    return base::Error{kind, "load BPF programs: " + reason};
  };
  if (support.kernel_major != 0 &&
      std::pair(support.kernel_major, support.kernel_minor) < std::pair(kLeastMajor, kLeastMinor)) {
    return because(ErrorKind::kUnsupported,
                   "Linux " + support.kernel_release + " is too old; they need 5.17 or later");
  }
  if (!support.can_use_bpf || !support.can_read_kernel) {
    const char* missing = "CAP_PERFMON is missing";
    if (!support.can_use_bpf) missing = "CAP_BPF is missing";
    if (!support.can_use_bpf && !support.can_read_kernel) {
      missing = "CAP_BPF and CAP_PERFMON are missing";
    }
    return because(ErrorKind::kPermission, std::string(missing) + " (run as root)");
  }
  if (support.in_user_namespace) {
    return because(ErrorKind::kPermission,
                   "this process is in a user namespace, whose root has no rights over BPF (run on "
                   "the host itself)");
  }
  if (!support.has_kernel_types) {
    return because(ErrorKind::kUnsupported,
                   "the kernel does not describe its types (/sys/kernel/btf/vmlinux is missing: "
                   "CONFIG_DEBUG_INFO_BTF is off, or /sys is not mounted)");
  }
  if (support.locked_down) {
    return because(ErrorKind::kUnsupported,
                   "the kernel is locked down (confidentiality mode in "
                   "/sys/kernel/security/lockdown), so nobody may read its memory");
  }
  if (error_number == EPERM) {
    return because(ErrorKind::kPermission,
                   support.system_calls_filtered
                       ? "the bpf system call is filtered (seccomp; run outside of the container)"
                       : "the kernel refused although the capabilities are there; a security "
                         "module may forbid it (see the kernel log)");
  }
  if (error_number == EACCES || error_number == EINVAL) {
    return because(ErrorKind::kUnsupported,
                   "the verifier of Linux " + support.kernel_release +
                       " does not take our programs; please report it with this kernel's version");
  }
  if (error_number == ENOSYS) {
    return because(ErrorKind::kUnsupported,
                   "this kernel is built without BPF (CONFIG_BPF_SYSCALL)");
  }
  return base::fail_errno("load BPF programs on Linux " + support.kernel_release, error_number)
      .error();
}

}  // namespace host
