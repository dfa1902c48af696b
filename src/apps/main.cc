#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "apps/command_line.h"
#include "apps/linux_machine.h"
#include "apps/output.h"

namespace {

// Makes sure that descriptors 0 to 2 are taken, lest a file of ours becomes "standard output". The
// stand-in for a closed output cannot be written to, so that the loss is reported.
void occupy_standard_descriptors() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
      (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_descriptors();
  // A reader that goes away shows as a failed write, which Output takes as "seen enough".
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that is too large is an error like others
  apps::Output out(STDOUT_FILENO, "standard output");
  apps::Output err(STDERR_FILENO, "standard error");
  apps::Environment environment = apps::Environment::of_process();
  environment.make_machine = apps::make_linux_machine;
  return apps::run_command_line(std::span(argv, static_cast<size_t>(argc)).subspan(1), environment,
                                out, err);
}
