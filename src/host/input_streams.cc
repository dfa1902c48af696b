#include "host/input_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <spawn.h>

#include "base/text.h"

namespace host {
namespace {

constexpr size_t kSaidMost = 4096;
constexpr size_t kLinesQuoted = 5;

struct Pipe {
  base::Fd reader;
  base::Fd writer;
};

base::Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return base::fail_errno("cannot make a pipe", errno);
  return Pipe{.reader = base::Fd(fds[0]), .writer = base::Fd(fds[1])};
}

/// Signals as a shell gives them to what it starts: that a writer without reader ends is what ends
/// a dump when we give up.
int spawn(const std::vector<std::string>& command, int out, int errors, pid_t& pid) {
  std::vector<char*> arguments;
  // posix_spawnp() writes none of them.
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigset_t usual;
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  const int failed =
      posix_spawnp(&pid, arguments.front(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failed;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;  // nobody listens; what it said is still quoted at the end
    text.remove_prefix(static_cast<size_t>(put));
  }
}

}  // namespace

base::Result<size_t> DescriptorStream::read(std::span<char> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::read(fd_, out.data() + done, out.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno("cannot read " + name_, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

CommandStream::CommandStream(std::vector<std::string> command, int errors_to)
    : command_(std::move(command)), errors_to_(errors_to) {}

CommandStream::~CommandStream() {
  if (pid_ < 0) return;
  out_.reset();
  errors_.reset();
  kill(pid_, SIGTERM);
  // Not waited for: one that does not end must not hold us up, and we end soon.
  waitpid(pid_, nullptr, WNOHANG);
}

base::Result<void> CommandStream::start() {
  started_ = true;
  auto out = make_pipe();
  if (!out) return std::unexpected(out.error());
  auto errors = make_pipe();
  if (!errors) return std::unexpected(errors.error());
  pid_t pid = -1;
  if (const int failed = spawn(command_, out->writer.get(), errors->writer.get(), pid); failed != 0)
    return base::fail_errno("cannot run " + base::escape_for_terminal(command_.front()), failed);
  pid_ = pid;
  process_ = base::Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process_.valid()) return base::fail_errno("cannot watch the command", errno);
  out_ = std::move(out->reader);
  errors_ = std::move(errors->reader);
  // So that what is left of it can be taken after the end, also while a child of it lives on.
  fcntl(errors_.get(), F_SETFL, O_NONBLOCK);
  return {};
}

/// Passes on what there is of standard error; false when there is nothing now.
bool CommandStream::relay() {
  std::array<char, 4096> block;
  const ssize_t got = ::read(errors_.get(), block.data(), block.size());
  if (got < 0 && errno == EINTR) return true;
  if (got == 0) errors_.reset();
  if (got <= 0) return false;
  const std::string_view text(block.data(), static_cast<size_t>(got));
  write_all(errors_to_, text);
  said_ += text;
  if (said_.size() > kSaidMost) said_.erase(0, said_.size() - kSaidMost);
  return true;
}

base::Result<size_t> CommandStream::read(std::span<char> out) {
  if (!started_) {
    if (auto started = start(); !started) return std::unexpected(started.error());
  }
  size_t done = 0;
  while (done < out.size() && !at_end_) {
    std::array<pollfd, 2> wanted{{{.fd = out_.get(), .events = POLLIN, .revents = 0},
                                  {.fd = errors_.get(), .events = POLLIN, .revents = 0}}};
    if (poll(wanted.data(), wanted.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return base::fail_errno("cannot wait for the command", errno);
    }
    if (wanted[1].revents != 0) relay();
    if (wanted[0].revents == 0) continue;
    const ssize_t got = ::read(out_.get(), out.data() + done, out.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno("cannot read what the command writes", errno);
    done += static_cast<size_t>(got);
    if (got == 0) {
      at_end_ = true;
      if (auto finished = finish(); !finished) return std::unexpected(finished.error());
    }
  }
  return done;
}

/// It has nothing more to write; how it ends decides whether what it wrote is any good.
base::Result<void> CommandStream::finish() {
  for (bool running = true; running;) {
    std::array<pollfd, 2> wanted{{{.fd = process_.get(), .events = POLLIN, .revents = 0},
                                  {.fd = errors_.get(), .events = POLLIN, .revents = 0}}};
    if (poll(wanted.data(), wanted.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return base::fail_errno("cannot wait for the command's end", errno);
    }
    if (wanted[1].revents != 0) relay();
    running = wanted[0].revents == 0;
  }
  while (errors_.valid() && relay()) {
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_)
    return base::fail_errno("cannot tell how the command ended", errno);
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string message = "the command " + base::escape_for_terminal(command_.front());
  if (WIFEXITED(status)) {
    message += " failed with exit code " + std::to_string(WEXITSTATUS(status));
  } else {
    message += " was killed by signal " + std::to_string(WTERMSIG(status)) + " (" +
               sigdescr_np(WTERMSIG(status)) + ")";
  }
  return base::fail(base::ErrorKind::kIo, message + last_words());
}

std::string CommandStream::last_words() const {
  std::vector<std::string_view> lines;
  for (std::string_view rest = said_; !rest.empty();) {
    const std::string_view line = base::take_until(rest, '\n');
    if (!base::trim(line).empty()) lines.push_back(line);
  }
  if (lines.empty()) return "; it said nothing on standard error";
  std::string out = "; it said last:";
  for (size_t i = lines.size() - std::min(lines.size(), kLinesQuoted); i < lines.size(); ++i)
    out += "\n  " + base::escape_for_terminal(lines[i]);
  return out;
}

}  // namespace host
