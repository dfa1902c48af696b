// Who holds a listener: the ways in which the simple answer (one socket, one descriptor, one
// process) is wrong. Each case has ports of its own, 31xx, so that a report names its case.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <pthread.h>

#include "observation.h"
#include "zoo_support.h"

namespace odd {
namespace {

sockaddr_storage loopback(uint16_t port) { return zoo::loopback4(0, 0, 1, port); }

void set_option(int fd, int level, int name, int value, const char* tried) {
  zoo::check(setsockopt(fd, level, name, &value, sizeof value), tried);
}

void reuseport_member(Notebook& notebook, int /*unused*/) {
  const int fd = zoo::make_socket(AF_INET, SOCK_STREAM);
  set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "set SO_REUSEPORT");
  const sockaddr_storage address = loopback(3101);
  zoo::check(bind(fd, reinterpret_cast<const sockaddr*>(&address), zoo::length_of(address)),
             "bind a reuseport member");
  zoo::check(listen(fd, 8), "listen");
  notebook.hold(fd);
}

void reuseport_group(Notebook& notebook) {
  helper_process("odd-reuse-1", notebook, reuseport_member);
  helper_process("odd-reuse-2", notebook, reuseport_member);
  reuseport_member(notebook, -1);
}

void hold_inherited(Notebook& notebook, int fd) { notebook.hold(fd); }

void fork_shared(Notebook& notebook) {
  const int fd = zoo::listening_socket(loopback(3102));
  helper_process("odd-child-1", notebook, hold_inherited, fd);
  helper_process("odd-child-2", notebook, hold_inherited, fd);
  notebook.hold(fd);
}

void two_descriptors(Notebook& notebook) {
  const int fd = zoo::listening_socket(loopback(3103));
  notebook.hold(fd);
  notebook.hold(zoo::check(fcntl(fd, F_DUPFD_CLOEXEC, 0), "duplicate a descriptor"));
}

void send_descriptor(int channel, int fd) {
  std::array<char, CMSG_SPACE(sizeof(int))> control{};
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  zoo::check(static_cast<int>(sendmsg(channel, &message, 0)), "pass a descriptor");
}

int receive_descriptor(int channel) {
  std::array<char, CMSG_SPACE(sizeof(int))> control{};
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  zoo::check(static_cast<int>(recvmsg(channel, &message, MSG_CMSG_CLOEXEC)),
             "receive a descriptor");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) zoo::die("find the descriptor in a message");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

std::array<int, 2> unix_pair() {
  std::array<int, 2> ends{};
  zoo::check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "make a pair");
  return ends;
}

void receive_and_hold(Notebook& notebook, int channel) {
  notebook.hold(receive_descriptor(channel));
}

void passed_and_kept(Notebook& notebook) {
  const std::array<int, 2> ends = unix_pair();
  helper_process("odd-receiver", notebook, receive_and_hold, ends[1]);
  const int fd = zoo::listening_socket(loopback(3104));
  send_descriptor(ends[0], fd);
  notebook.hold(fd);
}

void passed_and_closed(Notebook& notebook) {
  const std::array<int, 2> ends = unix_pair();
  helper_process("odd-receiver", notebook, receive_and_hold, ends[1]);
  const int fd = zoo::listening_socket(loopback(3105));
  send_descriptor(ends[0], fd);
  close(fd);
}

void in_flight(Notebook& notebook) {
  const std::array<int, 2> ends = unix_pair();
  const int fd = zoo::listening_socket(loopback(3106));
  Observation seen = observe(fd);
  seen.pid = seen.tid = 0;
  seen.fd = -1;
  set_text(seen.holding, sizeof seen.holding, "no-descriptor");
  send_descriptor(ends[0], fd);
  close(fd);
  notebook.write(seen);
}

struct ThreadJob {
  Notebook* notebook = nullptr;
  int inherited = -1;
  pthread_barrier_t done{};
};

pthread_t start_thread(void* (*body)(void*), ThreadJob* job) {
  pthread_t thread{};
  const int error_number = pthread_create(&thread, nullptr, body, job);
  if (error_number != 0) {
    errno = error_number;
    zoo::die("start a thread");
  }
  return thread;
}

void* thread_with_own_table(void* argument) {
  auto* job = static_cast<ThreadJob*>(argument);
  prctl(PR_SET_NAME, "odd-thread");
  zoo::check(unshare(CLONE_FILES), "give a thread its own descriptor table");
  // A process goes by the name of its leader.
  for (const int fd : {job->inherited, zoo::listening_socket(loopback(3107))}) {
    Observation seen = observe(fd, true);
    set_text(seen.command, sizeof seen.command, "odd-own-table");
    job->notebook->write(seen);
  }
  job->notebook->close();
  pthread_barrier_wait(&job->done);
  zoo::stand_still();
}

void own_table(Notebook& notebook) {
  static ThreadJob job;                  // outlives this function: the thread stands still for ever
  static Notebook of_thread = notebook;  // closed by the thread, in its own table
  job.notebook = &of_thread;
  job.inherited = zoo::listening_socket(loopback(3108));
  pthread_barrier_init(&job.done, nullptr, 2);
  start_thread(thread_with_own_table, &job);
  pthread_barrier_wait(&job.done);
  notebook.hold(job.inherited);
}

void* thread_that_only_waits(void* argument) {
  auto* job = static_cast<ThreadJob*>(argument);
  prctl(PR_SET_NAME, "odd-worker");
  pthread_barrier_wait(&job->done);
  zoo::stand_still();
}

void threads(Notebook& notebook) {
  static ThreadJob job;
  pthread_barrier_init(&job.done, nullptr, 3);
  start_thread(thread_that_only_waits, &job);
  start_thread(thread_that_only_waits, &job);
  pthread_barrier_wait(&job.done);
  notebook.hold(zoo::listening_socket(loopback(3109)));
}

void* thread_that_outlives_its_leader(void* argument) {
  auto* job = static_cast<ThreadJob*>(argument);
  prctl(PR_SET_NAME, "odd-survivor");
  pthread_barrier_wait(&job->done);
  // The leader must be a zombie before the observer looks; its state stands in /proc.
  std::string state;
  while (state.find("State:\tZ") == std::string::npos) {
    sched_yield();
    const int fd = zoo::check(open("/proc/self/status", O_RDONLY | O_CLOEXEC), "read a status");
    state = zoo::read_to_end(fd);
    close(fd);
  }
  Observation seen = observe(job->inherited);
  seen.tid = static_cast<int32_t>(gettid());
  // A process goes by the name of its leader, exited or not.
  set_text(seen.command, sizeof seen.command, "odd-leaderless");
  job->notebook->write(seen);
  job->notebook->close();
  zoo::stand_still();
}

void exited_leader(Notebook& notebook) {
  static ThreadJob job;
  static Notebook kept = notebook;
  job.notebook = &kept;
  job.inherited = zoo::listening_socket(loopback(3110));
  prctl(PR_SET_NAME, "odd-leaderless");
  pthread_barrier_init(&job.done, nullptr, 2);
  start_thread(thread_that_outlives_its_leader, &job);
  pthread_barrier_wait(&job.done);
  syscall(SYS_exit, 0);  // this thread only; pthread_exit would unwind through spawn()
}

int hold_in_shared_table(void* argument) {
  auto* job = static_cast<ThreadJob*>(argument);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "odd-twin");
  job->notebook->hold(job->inherited);
  // The table is shared, so closing the notebook here would close it for the other process too.
  zoo::stand_still();
}

void shared_table(Notebook& notebook) {
  static std::array<char, 65536> stack;
  static ThreadJob job;
  job.notebook = &notebook;
  job.inherited = zoo::listening_socket(loopback(3111));
  std::array<int, 2> ends{};
  zoo::check(pipe2(ends.data(), O_CLOEXEC), "make a pipe");
  Notebook relay(ends[1]);
  job.notebook = &relay;
  zoo::check(clone(hold_in_shared_table, stack.data() + stack.size(), CLONE_FILES | SIGCHLD, &job),
             "clone a process with a shared descriptor table");
  Observation other;
  zoo::check(static_cast<int>(read(ends[0], &other, sizeof other)), "read the twin's record");
  notebook.write(other);
  notebook.hold(job.inherited);
}

void copy_own_program(const char* path) {
  const int from = zoo::check(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "read this program");
  const int to = zoo::check(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700),
                            "write a copy of this program");
  const std::string bytes = zoo::read_to_end(from);
  zoo::write_all(to, bytes.data(), bytes.size());
  close(from);
  close(to);
}

void deleted_program(Notebook& notebook) {
  std::string directory = std::string(P_tmpdir) + "/odd-sockets-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) zoo::die("make a temporary directory");
  const std::string path = directory + "/odd-deleted";
  copy_own_program(path.c_str());
  const int fd = zoo::listening_socket(loopback(3112));
  std::array<int, 2> ends{};
  zoo::check(pipe2(ends.data(), O_CLOEXEC), "make a pipe");
  const pid_t child = zoo::spawn([&] {
    zoo::check(fcntl(fd, F_SETFD, 0), "let a descriptor survive exec");
    Observation seen = observe(fd);
    set_text(seen.command, sizeof seen.command, "odd-deleted");
    notebook.write(seen);
    notebook.close();
    execl(path.c_str(), path.c_str(), "--stand-still", nullptr);
    zoo::die("run the copy");
  });
  close(ends[1]);
  close(fd);
  zoo::read_to_end(ends[0]);  // ends when exec closes the child's copy
  if (waitpid(child, nullptr, WNOHANG) != 0) zoo::die("keep the copy running");
  zoo::check(unlink(path.c_str()), "delete the copy");
  zoo::check(rmdir(directory.c_str()), "delete the temporary directory");
}

void io_uring_fixed_file(Notebook& notebook) {
  io_uring_params parameters{};
  const auto ring = static_cast<int>(syscall(SYS_io_uring_setup, 4, &parameters));
  if (ring < 0) {
    notebook.skip(std::string("io_uring_setup: ") + strerrordesc_np(errno));
    return;
  }
  const int fd = zoo::listening_socket(loopback(3113));
  Observation seen = observe(fd);
  seen.pid = seen.tid = 0;
  seen.fd = -1;
  set_text(seen.holding, sizeof seen.holding, "no-descriptor");
  zoo::check(static_cast<int>(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1)),
             "register a fixed file");
  close(fd);
  notebook.write(seen);
}

void nameless_namespace(Notebook& notebook) {
  const int home = zoo::check(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "open own netns");
  if (unshare(CLONE_NEWNET) == -1) {
    notebook.skip(std::string("unshare: ") + strerrordesc_np(errno));
    return;
  }
  zoo::bring_loopback_up();
  const int fd = zoo::listening_socket(loopback(3114));
  const Observation seen = observe(fd);
  zoo::check(setns(home, CLONE_NEWNET), "return to the own netns");
  close(home);
  notebook.write(seen);
}

void pid_namespace(Notebook& notebook) {
  if (unshare(CLONE_NEWPID) == -1) {
    notebook.skip(std::string("unshare: ") + strerrordesc_np(errno));
    return;
  }
  helper_process("odd-inner", notebook,
                 [](Notebook& inner, int) { inner.hold(zoo::listening_socket(loopback(3115))); });
}

void hostile_name(Notebook& notebook) {
  prctl(PR_SET_NAME, "\x1b[31m\xff\n\"\\(x) \xc3\xa9");
  notebook.hold(zoo::listening_socket(loopback(3116)));
}

void other_user(Notebook& notebook) {
  if (setgid(65534) == -1 || setuid(65534) == -1) {
    notebook.skip(std::string("setuid: ") + strerrordesc_np(errno));
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // changing the user clears it
  notebook.hold(zoo::listening_socket(loopback(3117)));
}

}  // namespace

std::vector<Case> holder_cases() {
  return {
      {"reuseport-group", "three processes listen on one port", 3, reuseport_group},
      {"fork-shared", "one listener inherited by two children", 3, fork_shared},
      {"two-descriptors", "one listener under two descriptors of one process", 2, two_descriptors},
      {"passed-and-kept", "a listener passed to another process by SCM_RIGHTS", 2, passed_and_kept},
      {"passed-and-closed", "as before, and closed by the sender", 1, passed_and_closed},
      {"in-flight", "a listener that sits in a unix socket's queue only", 1, in_flight},
      {"own-table", "a thread with a descriptor table of its own", 3, own_table},
      {"threads", "three threads that share one table: one holder, not three", 1, threads},
      {"exited-leader", "the main thread has exited, another one goes on", 1, exited_leader},
      {"shared-table", "two processes that share one descriptor table", 2, shared_table},
      {"deleted-program", "the holder's program file was deleted", 1, deleted_program},
      {"io-uring", "a listener held as a fixed file of io_uring only", 1, io_uring_fixed_file},
      {"nameless-namespace", "a listener in a namespace without name and process", 1,
       nameless_namespace},
      {"pid-namespace", "the holder is pid 1 of a namespace of its own", 1, pid_namespace},
      {"hostile-name", "control characters and broken UTF-8 in the command name", 1, hostile_name},
      {"other-user", "the holder runs as another user", 1, other_user},
  };
}

}  // namespace odd
