// socket_churn: sockets and processes that come and go as fast as the machine can make them, in the
// network namespace it is started in. Every port tells whose it is: process family N is named
// "churn-N" and uses ports 20000 + 50 N to 20000 + 50 N + 49 at its own end, and no other family
// ever does. An observer that reports another name for such a port has named a wrong owner.
// Prints one line of JSON when all families are at work; ends when its standard input is closed.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "zoo_support.h"

namespace {

constexpr uint32_t kFirstPort = 20000;
constexpr uint32_t kPortsEach = 50;
constexpr uint32_t kListeners = 10;
constexpr uint32_t kDatagram = 10;
constexpr uint32_t kConnections = 10;
constexpr int kRoundsOfOneProcess = 5;

uint16_t port_of(uint32_t family, uint32_t index) {
  return static_cast<uint16_t>(kFirstPort + family * kPortsEach + index);
}

/// Closing sends a reset: no TIME_WAIT stays behind to keep the address pair from the next round.
void forget_at_once(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  zoo::check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), "set SO_LINGER");
}

void one_round(uint32_t family) {
  std::vector<int> fds;
  for (uint32_t i = 0; i < kListeners; ++i)
    fds.push_back(zoo::listening_socket(zoo::loopback4(0, 0, 1, port_of(family, i))));
  for (uint32_t i = 0; i < kDatagram; ++i)
    fds.push_back(zoo::bound_socket(SOCK_DGRAM, zoo::loopback4(0, 0, 1, port_of(family, i))));
  const int listener = fds.front();
  for (uint32_t i = 0; i < kConnections; ++i) {
    const sockaddr_storage source = zoo::loopback4(0, 0, 1, port_of(family, kListeners + i));
    fds.push_back(zoo::connected_socket(SOCK_STREAM, source, zoo::local_address(listener)));
    forget_at_once(fds.back());
    fds.push_back(zoo::accepted_socket(listener));
    forget_at_once(fds.back());
  }
  for (const int fd : fds) close(fd);
}

/// One process after the other, for ever. A port may still be held by a closing socket of the
/// process before, so failures end that process only; the family's report says if none ever worked.
[[noreturn]] void family_at_work(uint32_t family, int write_end) {
  bool reported = false;
  while (true) {
    const pid_t child = zoo::spawn([&] {
      for (int i = 0; i < kRoundsOfOneProcess; ++i) one_round(family);
    });
    int status = 0;
    zoo::check(waitpid(child, &status, 0), "wait for a process");
    if (status == 0 && !reported) {
      const char worked = 1;
      zoo::write_all(write_end, &worked, 1);
      close(write_end);
      reported = true;
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const auto families = base::parse_number<uint32_t>(count == 2 ? arguments[1] : "");
  if (!families || *families == 0 || *families > 200) {
    std::fputs("usage: socket_churn FAMILIES < PIPE     (1 to 200)\n", stderr);
    return 2;
  }
  zoo::bring_loopback_up();
  std::vector<pid_t> children;
  for (uint32_t family = 0; family < *families; ++family) {
    const zoo::Child child = zoo::spawn_reporting([&](int write_end) {
      prctl(PR_SET_NAME, ("churn-" + std::to_string(family)).c_str());
      family_at_work(family, write_end);
    });
    children.push_back(child.pid);
    if (zoo::read_to_end(child.read_end).empty()) return 3;
    close(child.read_end);
  }
  constexpr std::string_view kReady = "{\"ready\":true}\n";
  zoo::write_all(STDOUT_FILENO, kReady.data(), kReady.size());
  zoo::wait_for_stdin_to_close();
  zoo::end_children(children);
  return 0;
}
