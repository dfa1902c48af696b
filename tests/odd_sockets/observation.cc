#include "observation.h"

#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "zoo_support.h"

namespace odd {
namespace {

constexpr int kMptcp = 262;  // IPPROTO_MPTCP, newer than Debian's <netinet/in.h>

/// The last number in the target of /proc/self or /proc/thread-self: unlike getpid(), it is in the
/// pid namespace of the mounted /proc, which is where observers look.
int32_t number_at_end_of(const char* link) {
  std::array<char, 64> target{};
  const auto length = zoo::check(static_cast<int>(readlink(link, target.data(), target.size() - 1)),
                                 "read /proc/self");
  const std::string text(target.data(), static_cast<size_t>(length));
  return std::atoi(text.c_str() + (text.rfind('/') == std::string::npos ? 0 : text.rfind('/') + 1));
}

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  zoo::check(getsockopt(fd, level, name, &value, &length), "read a socket option");
  return value;
}

std::string_view tcp_state(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  zoo::check(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), "read TCP_INFO");
  switch (info.tcpi_state) {
    case TCP_ESTABLISHED:
      return "established";
    case TCP_SYN_SENT:
      return "syn-sent";
    case TCP_FIN_WAIT1:
      return "fin-wait-1";
    case TCP_FIN_WAIT2:
      return "fin-wait-2";
    case TCP_CLOSE_WAIT:
      return "close-wait";
    case TCP_LISTEN:
      return "listen";
    case TCP_CLOSE:
      return "bound";  // every closed TCP socket of ours is a bound one
    default:
      errno = ERANGE;
      zoo::die("name a TCP state");
  }
}

}  // namespace

void set_text(char* field, size_t size, std::string_view text) {
  const size_t length = std::min(size - 1, text.size());
  std::memset(field, 0, size);
  std::memcpy(field, text.data(), length);
}

Observation observe(int fd, bool own_table) {
  Observation seen;
  seen.pid = number_at_end_of("/proc/self");
  seen.tid = own_table ? number_at_end_of("/proc/thread-self") : seen.pid;
  seen.fd = fd;
  struct stat status{};
  zoo::check(fstat(fd, &status), "stat a socket");
  seen.uid = status.st_uid;
  seen.inode = status.st_ino;
  socklen_t length = sizeof seen.cookie;
  zoo::check(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &seen.cookie, &length), "read SO_COOKIE");
  // SO_NETNS_COOKIE is another number space; the case that changes namespaces corrects this.
  seen.netns = zoo::own_network_namespace();
  seen.local = zoo::local_address(fd);
  length = sizeof seen.remote;
  const bool connected = getpeername(fd, reinterpret_cast<sockaddr*>(&seen.remote), &length) == 0;
  const int type = option(fd, SOL_SOCKET, SO_TYPE);
  seen.mptcp = option(fd, SOL_SOCKET, SO_PROTOCOL) == kMptcp;
  if (type == SOCK_STREAM) {
    set_text(seen.protocol, sizeof seen.protocol, "tcp");
    set_text(seen.state, sizeof seen.state, tcp_state(fd));
  } else {
    set_text(seen.protocol, sizeof seen.protocol, type == SOCK_RAW ? "raw" : "udp");
    set_text(seen.state, sizeof seen.state, connected ? "established" : "unconnected");
  }
  set_text(seen.holding, sizeof seen.holding, "owned");
  std::array<char, 17> command{};
  prctl(PR_GET_NAME, command.data());
  set_text(seen.command, sizeof seen.command, command.data());
  return seen;
}

Observation without_holder(Observation seen, std::string_view state, std::string_view holding) {
  seen.pid = seen.tid = 0;
  seen.fd = -1;
  seen.uid = 0;
  seen.inode = seen.cookie = 0;
  set_text(seen.state, sizeof seen.state, state);
  set_text(seen.holding, sizeof seen.holding, holding);
  set_text(seen.command, sizeof seen.command, "");
  return seen;
}

void Notebook::hold(int fd, bool own_table) const { write(observe(fd, own_table)); }

void Notebook::write(const Observation& observation) const {
  zoo::write_all(write_end_, &observation, sizeof observation);
}

void Notebook::skip(std::string_view why) const {
  Observation observation;
  set_text(observation.skipped, sizeof observation.skipped, why);
  write(observation);
}

void Notebook::close() { ::close(std::exchange(write_end_, -1)); }

pid_t helper_process(const char* command, Notebook& notebook, void (*body)(Notebook&, int),
                     int fd) {
  return zoo::spawn([&] {
    prctl(PR_SET_NAME, command);
    body(notebook, fd);
    notebook.close();
    zoo::stand_still();
  });
}

}  // namespace odd
