#include "testkit/private_network.h"

#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

#include "base/file.h"

namespace testkit {
namespace {

constexpr int kNobody = 65534;

bool raise_loopback() {
  const base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP;
  return ::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
}

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) std::terminate();
    read = base::Fd(ends[0]);
    write = base::Fd(ends[1]);
  }
  base::Fd read;
  base::Fd write;
};

void write_text(int fd, const std::string& text) {
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(1);
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

bool leader_is_zombie() {
  const auto stat = base::read_file("/proc/self/stat");
  return stat && stat->find(") Z ") != std::string::npos;
}

/// Forks; the child's end of both pipes is all that `in_child` gets. It must not return.
template <class InChild>
int fork_with(Pipe& report, Pipe& leash, const InChild& in_child) {
  const int pid = ::fork();
  if (pid != 0) {
    report.write.reset();
    leash.read.reset();
    return pid;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  report.read.reset();
  leash.write.reset();
  in_child();
  ::_exit(0);
}

}  // namespace

bool enter_private_network() { return ::unshare(CLONE_NEWNET) == 0 && raise_loopback(); }

bool run_in_private_network(const std::function<void()>& work) {
  bool entered = false;
  std::thread worker([&] {
    entered = enter_private_network();
    if (entered) work();
  });
  worker.join();
  return entered;
}

StandingChild::StandingChild(const std::function<std::string()>& prepare, Leader leader) {
  Pipe report;
  Pipe leash;
  pid_ = fork_with(report, leash, [&] {
    const auto stand = [&] {
      write_text(report.write.get(), prepare());
      report.write.reset();
      char nothing = 0;
      while (::read(leash.read.get(), &nothing, 1) < 0) {
      }
    };
    if (leader == Leader::kStays) return stand();
    std::thread([&] {
      while (!leader_is_zombie()) std::this_thread::yield();
      stand();
      ::_exit(0);
    }).detach();
    ::syscall(SYS_exit, 0);  // ends this thread alone
  });
  report_ = read_to_end(report.read.get());
  leash_ = std::move(leash.write);
}

StandingChild::~StandingChild() {
  leash_.reset();
  ::waitpid(pid_, nullptr, 0);
}

std::string run_in_child(const std::function<std::string()>& work) {
  Pipe report;
  Pipe leash;
  const int pid = fork_with(report, leash, [&] { write_text(report.write.get(), work()); });
  std::string text = read_to_end(report.read.get());
  ::waitpid(pid, nullptr, 0);
  return text;
}

bool become_nobody() {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
         ::setresuid(kNobody, kNobody, kNobody) == 0;
}

bool drop_capability(int capability) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  __user_cap_data_struct& word = data[capability / 32];
  const uint32_t bit = 1U << (capability % 32);
  if ((word.effective & bit) == 0) return false;
  word.effective &= ~bit;
  word.permitted &= ~bit;
  return ::syscall(SYS_capset, &header, data) == 0;
}

}  // namespace testkit
