// What the programs that make sockets for tests and benchmarks share. They are told to make a known
// population and stand still; any failure ends them with a message and exit code 3, because half a
// population would make every figure and every comparison drawn from it a lie.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace zoo {

/// Prints "PROGRAM: TRIED: strerror(errno)" and exits with 3. Children end the whole population
/// this way too: the parent sees their pipe close early.
[[noreturn]] void die(const char* tried);
/// `result` unless it is -1, which is fatal.
int check(int result, const char* tried);

/// Raises the soft descriptor limit to the hard one and returns it.
uint64_t raise_descriptor_limit();
/// A fresh network namespace starts with its loopback interface down.
void bring_loopback_up();
uint32_t own_network_namespace();

/// 127.A.B.C and ::1: a namespace has sixteen million of the first, so ports never run out there.
sockaddr_storage loopback4(uint8_t a, uint8_t b, uint8_t c, uint16_t port);
sockaddr_storage loopback6(uint16_t port);
sockaddr_storage any4(uint16_t port);
sockaddr_storage any6(uint16_t port);
socklen_t length_of(const sockaddr_storage& address);

int make_socket(int family, int type, int protocol = 0);
int bound_socket(int type, const sockaddr_storage& address);
int listening_socket(const sockaddr_storage& address, int backlog = 128);
/// Bound to `source` (port 0: the kernel picks one at connect time), then connected.
int connected_socket(int type, const sockaddr_storage& source, const sockaddr_storage& target);
int accepted_socket(int listener);
sockaddr_storage local_address(int fd);

/// One descriptor of one process, as its maker knows it: what an observer must report.
struct Held {
  int32_t pid = 0;
  int32_t fd = -1;
  uint64_t inode = 0;
  uint64_t cookie = 0;
};
Held held_by_self(int fd);

/// Forks a child that dies with this process, has its standard streams but stderr on /dev/null, and
/// runs `body`. The child never returns to the caller.
pid_t spawn(const std::function<void()>& body);
/// A child of `spawn` that reports through `report(write_end)`, then stands still until killed.
/// `read_end` delivers what it wrote, then end of file.
struct Child {
  pid_t pid = 0;
  int read_end = -1;
};
Child spawn_reporting(const std::function<void(int write_end)>& body);

/// Kills and reaps them, so that their sockets are gone when this returns.
void end_children(const std::vector<pid_t>& children);

void write_all(int fd, const void* bytes, size_t size);
std::string read_to_end(int fd);

[[noreturn]] void stand_still();
/// Returns when the other end of standard input is closed.
void wait_for_stdin_to_close();

}  // namespace zoo
