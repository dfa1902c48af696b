// measure: runs one command to its end, output to /dev/null, and prints what it cost as one line of
// JSON. A program of its own because the kernel counts the memory of the process that forks into
// the peak of the one that is run: an interpreter as parent would hide every small peak.
//
// usage: measure [--without-bpf] COMMAND [ARGUMENT...]
//   --without-bpf   take CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN away first, for good
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

namespace {

// Newer than the headers of some systems that we build on.
constexpr unsigned long kCapPerfmon = 38;
constexpr unsigned long kCapBpf = 39;

[[noreturn]] void die(const char* tried) {
  std::fprintf(stderr, "measure: %s: %s\n", tried, strerrordesc_np(errno));
  std::_Exit(127);
}

double milliseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

double now_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

[[noreturn]] void become(char** command) {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
      dup2(null, STDERR_FILENO) < 0) {
    die("open /dev/null");
  }
  execvp(command[0], command);
  std::_Exit(127);
}

}  // namespace

int main(int count, char** arguments) {
  int first = 1;
  if (count > 1 && std::strcmp(arguments[1], "--without-bpf") == 0) {
    ++first;
    // Root regains on exec what its bounding set holds, so that is where it must go.
    for (const unsigned long capability :
         {kCapBpf, kCapPerfmon, static_cast<unsigned long>(CAP_SYS_ADMIN)}) {
      if (prctl(PR_CAPBSET_DROP, capability) != 0) die("give up a capability");
    }
  }
  if (first >= count) {
    std::fputs("usage: measure [--without-bpf] COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  const double start_ms = now_ms();
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) become(arguments + first);
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) < 0) die("wait for the command");
  const double wall_ms = now_ms() - start_ms;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::printf("{\"wall_ms\":%.3f,\"cpu_ms\":%.3f,\"peak_kib\":%ld,\"code\":%d}\n", wall_ms,
              milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime), usage.ru_maxrss, code);
  return 0;
}
