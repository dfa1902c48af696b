#include "zoo_support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace zoo {

void die(const char* tried) {
  const int error_number = errno;
  std::fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, tried,
               strerrordesc_np(error_number));
  std::_Exit(3);
}

int check(int result, const char* tried) {
  if (result == -1) die(tried);
  return result;
}

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  check(getrlimit(RLIMIT_NOFILE, &limit), "read the descriptor limit");
  limit.rlim_cur = limit.rlim_max;
  check(setrlimit(RLIMIT_NOFILE, &limit), "raise the descriptor limit");
  return limit.rlim_cur;
}

void bring_loopback_up() {
  const int fd = make_socket(AF_INET, SOCK_DGRAM);
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  check(ioctl(fd, SIOCGIFFLAGS, &request), "read the flags of lo");
  if ((request.ifr_flags & IFF_UP) == 0) {
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    check(ioctl(fd, SIOCSIFFLAGS, &request), "bring lo up");
  }
  close(fd);
}

uint32_t own_network_namespace() {
  struct stat status{};
  check(stat("/proc/thread-self/ns/net", &status), "stat a netns");
  return static_cast<uint32_t>(status.st_ino);
}

namespace {

sockaddr_storage address4(uint32_t host_order, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host_order);
  address.sin_port = htons(port);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return storage;
}

sockaddr_storage address6(const in6_addr& bytes, uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = bytes;
  address.sin6_port = htons(port);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return storage;
}

const sockaddr* generic(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

sockaddr_storage loopback4(uint8_t a, uint8_t b, uint8_t c, uint16_t port) {
  return address4(127U << 24U | uint32_t{a} << 16U | uint32_t{b} << 8U | c, port);
}

sockaddr_storage loopback6(uint16_t port) { return address6(in6addr_loopback, port); }
sockaddr_storage any4(uint16_t port) { return address4(INADDR_ANY, port); }
sockaddr_storage any6(uint16_t port) { return address6(in6addr_any, port); }

socklen_t length_of(const sockaddr_storage& address) {
  return address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

int make_socket(int family, int type, int protocol) {
  return check(socket(family, type | SOCK_CLOEXEC, protocol), "make a socket");
}

int bound_socket(int type, const sockaddr_storage& address) {
  const int fd = make_socket(address.ss_family, type);
  check(bind(fd, generic(address), length_of(address)), "bind a socket");
  return fd;
}

int listening_socket(const sockaddr_storage& address, int backlog) {
  const int fd = make_socket(address.ss_family, SOCK_STREAM);
  const int yes = 1;
  // A population made just before may have left TIME_WAITs on this port.
  check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "set SO_REUSEADDR");
  check(bind(fd, generic(address), length_of(address)), "bind a listener");
  check(listen(fd, backlog), "listen");
  return fd;
}

int connected_socket(int type, const sockaddr_storage& source, const sockaddr_storage& target) {
  const int fd = make_socket(target.ss_family, type);
  const int yes = 1;
  // Lets one source port serve several destinations, as an ordinary client's autobind does.
  check(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes),
        "set IP_BIND_ADDRESS_NO_PORT");
  check(bind(fd, generic(source), length_of(source)), "bind a client");
  check(connect(fd, generic(target), length_of(target)), "connect");
  return fd;
}

int accepted_socket(int listener) {
  return check(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
}

sockaddr_storage local_address(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  check(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return address;
}

Held held_by_self(int fd) {
  Held held{.pid = getpid(), .fd = fd, .inode = 0, .cookie = 0};
  struct stat status{};
  check(fstat(fd, &status), "stat a socket");
  held.inode = status.st_ino;
  socklen_t length = sizeof held.cookie;
  check(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &held.cookie, &length), "read SO_COOKIE");
  return held;
}

pid_t spawn(const std::function<void()>& body) {
  const pid_t parent = getpid();
  const pid_t child = check(fork(), "fork");
  if (child != 0) return child;
  check(prctl(PR_SET_PDEATHSIG, SIGKILL), "ask to die with the parent");
  // A parent outside the child's own pid namespace is numbered 0.
  if (getppid() != parent && getppid() != 0) std::_Exit(0);
  const int null = check(open("/dev/null", O_RDWR | O_CLOEXEC), "open /dev/null");
  check(dup2(null, STDIN_FILENO), "redirect standard input");
  check(dup2(null, STDOUT_FILENO), "redirect standard output");
  close(null);
  body();
  std::_Exit(0);
}

Child spawn_reporting(const std::function<void(int)>& body) {
  std::array<int, 2> ends{};
  check(pipe2(ends.data(), O_CLOEXEC), "make a pipe");
  const pid_t pid = spawn([&] {
    close(ends[0]);
    body(ends[1]);
    close(ends[1]);
    stand_still();
  });
  close(ends[1]);
  return {pid, ends[0]};
}

void end_children(const std::vector<pid_t>& children) {
  for (const pid_t child : children) kill(child, SIGKILL);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
}

void write_all(int fd, const void* bytes, size_t size) {
  const char* next = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = write(fd, next, size);
    if (written < 0 && errno == EINTR) continue;
    check(static_cast<int>(written), "report to the parent");
    next += written;
    size -= static_cast<size_t>(written);
  }
}

std::string read_to_end(int fd) {
  std::string all;
  std::array<char, 65536> block{};
  while (true) {
    const ssize_t got = read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    check(static_cast<int>(got), "read a child's report");
    if (got == 0) return all;
    all.append(block.data(), static_cast<size_t>(got));
  }
}

void stand_still() {
  while (true) pause();
}

void wait_for_stdin_to_close() {
  std::array<char, 256> ignored{};
  while (true) {
    const ssize_t got = read(STDIN_FILENO, ignored.data(), ignored.size());
    if (got == 0 || (got < 0 && errno != EINTR)) return;
  }
}

}  // namespace zoo
