#include "traffic_kinds.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string>
#include <utility>

#include <spawn.h>

namespace traffic {
namespace {

using model::Protocol;
using model::SocketRole;

constexpr int kProgramsAtOnce = 16;
int programs_running = 0;

const sockaddr* generic(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

/// Notes one socket from before it is made until after it is closed.
class Note {
 public:
  Note(TruthBook& book, SocketRole role, Protocol protocol) : book_(book) {
    one_.role = role;
    one_.protocol = protocol;
    if (book_.wanted()) one_.begun_us = now_us();
  }
  Truth& operator*() { return one_; }
  Truth* operator->() { return &one_; }

  /// Closes `fd`, whose names are still to be had until then.
  void close(int fd) {
    if (book_.wanted()) describe(fd, one_);
    zoo::check(::close(fd), "close a socket");
    if (!book_.wanted()) return;
    one_.ended_us = now_us();
    book_.add(one_);
  }

 private:
  TruthBook& book_;
  Truth one_;
};

int make(const Scene& scene, int type) {
  return zoo::make_socket(scene.ipv6 ? AF_INET6 : AF_INET, type);
}

// ---- TCP -------------------------------------------------------------------------------------

// More than this many connections wait for their server: the kernel's queue takes 4096.
constexpr uint64_t kUnservedMost = 256;

void ask(Scene& scene, uint64_t index, bool reset) {
  Note note(scene.book, SocketRole::kOutgoing, Protocol::kTcp);
  const int fd = make(scene, SOCK_STREAM);
  const sockaddr_storage server = scene.server(index);
  zoo::check(connect(fd, generic(server), zoo::length_of(server)), "connect to the server");
  note->remote = endpoint_of(server);
  if (reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    zoo::check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), "set SO_LINGER");
  }
  note.close(fd);
}

void wait_for_servers(TruthBook& book) {
  while (book.asked() - book.served() > kUnservedMost) usleep(50);
  ++book.asked();
}

void connect_and_close(Scene& scene, uint64_t index) {
  wait_for_servers(scene.book);
  ask(scene, index, false);
}

void connect_and_reset(Scene& scene, uint64_t index) {
  wait_for_servers(scene.book);
  ask(scene, index, true);
}

void listen_and_close(Scene& scene, uint64_t index) {
  Note note(scene.book, SocketRole::kListener, Protocol::kTcp);
  const int fd = make(scene, SOCK_STREAM);
  // Without a bind, listen() chooses the port.
  if (index % 2 == 0) {
    const sockaddr_storage any = scene.loopback(0);
    zoo::check(bind(fd, generic(any), zoo::length_of(any)), "bind a listener");
  }
  zoo::check(listen(fd, 8), "listen");
  note.close(fd);
}

void fail_to_bind(Scene& scene, uint64_t index) {
  const bool udp = index % 2 == 1;
  Note note(scene.book, SocketRole::kBindFailed, udp ? Protocol::kUdp : Protocol::kTcp);
  const int fd = make(scene, udp ? SOCK_DGRAM : SOCK_STREAM);
  if (bind(fd, generic(scene.taken), zoo::length_of(scene.taken)) == 0) {
    zoo::die("be refused a port that is taken");
  }
  note->error = static_cast<uint16_t>(errno);
  note->local = endpoint_of(scene.taken);
  note.close(fd);
}

/// A port of an address of its own for each operation, so that the reset can be told from others.
sockaddr_storage closed_place(const Scene& scene, uint64_t index) {
  if (scene.ipv6) return zoo::loopback6(static_cast<uint16_t>(1 + index % 20'000));
  return zoo::loopback4(static_cast<uint8_t>(100 + index / 62'500 % 100),
                        static_cast<uint8_t>(index / 250 % 250),
                        static_cast<uint8_t>(1 + index % 250), 7);
}

void be_refused(Scene& scene, uint64_t index) {
  Note note(scene.book, SocketRole::kConnectFailed, Protocol::kTcp);
  const int fd = make(scene, SOCK_STREAM);
  const sockaddr_storage closed = closed_place(scene, index);
  if (connect(fd, generic(closed), zoo::length_of(closed)) == 0) {
    zoo::die("be refused by a closed port");
  }
  note->error = static_cast<uint16_t>(errno);
  note->remote = endpoint_of(closed);
  note.close(fd);
  if (!scene.book.wanted()) return;
  Truth reset = *note;
  reset.role = SocketRole::kRefused;
  reset.side = Side::kServer;
  reset.cookie = 0;
  reset.pid = reset.maker = 0;
  reset.error = 0;
  reset.local = note->remote;
  reset.remote = note->local;
  reset.remote.address = {};  // what connect() chose is gone with its failure
  scene.book.add(reset);
}

// ---- UDP -------------------------------------------------------------------------------------

void bind_udp(Scene& scene, uint64_t /*index*/) {
  Note note(scene.book, SocketRole::kBound, Protocol::kUdp);
  const int fd = make(scene, SOCK_DGRAM);
  const sockaddr_storage any = scene.loopback(0);
  zoo::check(bind(fd, generic(any), zoo::length_of(any)), "bind a UDP socket");
  note.close(fd);
}

void send_to(Scene& scene, uint64_t /*index*/) {
  Note note(scene.book, SocketRole::kBound, Protocol::kUdp);
  const int fd = make(scene, SOCK_DGRAM);
  zoo::check(
      static_cast<int>(sendto(fd, "x", 1, 0, generic(scene.sink), zoo::length_of(scene.sink))),
      "send to the sink");
  note.close(fd);
}

/// As a resolver of the C library does.
void connect_and_send(Scene& scene, uint64_t /*index*/) {
  Note note(scene.book, SocketRole::kOutgoing, Protocol::kUdp);
  const int fd = make(scene, SOCK_DGRAM);
  zoo::check(connect(fd, generic(scene.sink), zoo::length_of(scene.sink)), "connect to the sink");
  zoo::check(static_cast<int>(send(fd, "x", 1, 0)), "send to the sink");
  note->remote = endpoint_of(scene.sink);
  note.close(fd);
}

void send_several(Scene& scene, uint64_t /*index*/) {
  Note note(scene.book, SocketRole::kBound, Protocol::kUdp);
  const int fd = make(scene, SOCK_DGRAM);
  char byte = 'x';
  iovec part{.iov_base = &byte, .iov_len = 1};
  std::array<mmsghdr, 2> messages{};
  for (mmsghdr& message : messages) {
    message.msg_hdr.msg_name = &scene.sink;
    message.msg_hdr.msg_namelen = zoo::length_of(scene.sink);
    message.msg_hdr.msg_iov = &part;
    message.msg_hdr.msg_iovlen = 1;
  }
  zoo::check(sendmmsg(fd, messages.data(), messages.size(), 0), "send several to the sink");
  note.close(fd);
}

// ---- programs --------------------------------------------------------------------------------

std::string client_program() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  zoo::check(static_cast<int>(length), "find the own program");
  const std::string own(path.data(), static_cast<size_t>(length));
  return own.substr(0, own.rfind('/') + 1) + "traffic_client";
}

void reap(int options) {
  int status = 0;
  const pid_t ended = zoo::check(waitpid(-1, &status, options), "wait for a program");
  if (ended == 0) return;
  --programs_running;
  if (status == 0) return;
  errno = ECHILD;
  zoo::die("run traffic_client");
}

/// A program of its own for one connection.
void run_program(Scene& scene, uint64_t index) {
  static const std::string program = client_program();
  TruthBook& book = scene.book;
  wait_for_servers(book);
  std::array<std::string, 4> words = {program, std::to_string(book.fd()), scene.ipv6 ? "6" : "4",
                                      std::to_string(index)};
  std::array<char*, 5> arguments{};
  for (size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  pid_t child = 0;
  errno = posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments.data(), environ);
  if (errno != 0) zoo::die("start traffic_client");
  ++programs_running;
  reap(WNOHANG);
  while (programs_running >= kProgramsAtOnce) reap(0);
}

constexpr auto kKinds = std::to_array<Kind>({
    {"connect-close", Served::kByOneProcess, connect_and_close},
    {"connect-reset", Served::kByOneProcess, connect_and_reset},
    {"prefork", Served::kByForkedWorkers, connect_and_close},
    {"prefork-reset", Served::kByForkedWorkers, connect_and_reset},
    {"threads", Served::kByThreads, connect_and_close},
    {"listen-close", Served::kByNobody, listen_and_close},
    {"refused", Served::kByNobody, be_refused},
    {"bind-failed", Served::kByNobody, fail_to_bind},
    {"udp-bind", Served::kByNobody, bind_udp},
    {"udp-sendto", Served::kByNobody, send_to},
    {"udp-connect", Served::kByNobody, connect_and_send},
    {"udp-sendmmsg", Served::kByNobody, send_several},
    {"program", Served::kByOneProcess, run_program},
});

}  // namespace

std::span<const Kind> kinds() { return kKinds; }

const Kind* find_kind(std::string_view name) {
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

void connect_once(Scene& scene, uint64_t index) { ask(scene, index, false); }

sockaddr_storage Scene::server(uint64_t index) const {
  const uint16_t port = book.server_port();
  if (ipv6) return zoo::loopback6(port);
  return zoo::loopback4(0, static_cast<uint8_t>(1 + index % 200), 1, port);
}

sockaddr_storage Scene::loopback(uint16_t port) const {
  return ipv6 ? zoo::loopback6(port) : zoo::loopback4(0, 0, 1, port);
}

void wait_for_programs() {
  while (programs_running > 0) reap(0);
}

void serve(TruthBook& book, int listener, int32_t maker) {
  while (true) {
    Note note(book, SocketRole::kIncoming, Protocol::kTcp);
    note->side = Side::kServer;
    note->maker = maker;
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC);
    zoo::check(fd, "accept a connection");
    note->remote = endpoint_of(peer);
    note.close(fd);
    ++book.served();
  }
}

void note_standing(TruthBook& book, int socket, Protocol protocol, SocketRole role) {
  if (!book.wanted()) return;
  Truth one;
  one.protocol = protocol;
  one.role = role;
  one.side = Side::kStanding;
  one.begun_us = one.ended_us = now_us();
  describe(socket, one);
  book.add(one);
}

int make_listener(Scene& scene) {
  const int fd = zoo::listening_socket(scene.ipv6 ? zoo::any6(0) : zoo::any4(0), 4096);
  note_standing(scene.book, fd, Protocol::kTcp, SocketRole::kListener);
  scene.book.server_port() = endpoint_of(zoo::local_address(fd)).port;
  return fd;
}

}  // namespace traffic
