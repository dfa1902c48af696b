#include "host/pid_namespace.h"

#include <sys/stat.h>

namespace host {
namespace {

// PROC_PID_INIT_INO in include/linux/proc_ns.h.
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;

}  // namespace

bool is_in_initial_pid_namespace() {
  struct stat status{};
  return ::stat("/proc/self/ns/pid", &status) != 0 || status.st_ino == kInitialPidNamespace;
}

}  // namespace host
