#include "host/process_reader.h"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "testkit/fake_process_source.h"
#include "testkit/process_source_contract.h"

namespace testkit {
namespace {

/// A forked process that runs `work` and then waits until it is ended. The constructor returns when
/// `work` is done.
class Child {
 public:
  explicit Child(const std::function<void()>& work) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      work();
      (void)!::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }
  [[nodiscard]] int32_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

/// Real processes, seen through /proc.
class LinuxWorld final : public ProcessWorld {
 public:
  std::unique_ptr<ports::ProcessSource> source() override { return host::make_process_reader(); }
  Family start(const std::string& parent_command, const std::string& child_command) override {
    std::array<int, 2> child_pid{};
    if (::pipe(child_pid.data()) != 0) abort();
    parent_ = std::make_unique<Child>([&] {
      ::prctl(PR_SET_NAME, parent_command.c_str());
      ::signal(SIGCHLD, SIG_IGN);  // so that the child leaves no zombie
      static const Child child([&] { ::prctl(PR_SET_NAME, child_command.c_str()); });
      const int32_t pid = child.pid();
      (void)!::write(child_pid[1], &pid, sizeof pid);
    });
    Family family{.parent = parent_->pid()};
    (void)!::read(child_pid[0], &family.child, sizeof family.child);
    ::close(child_pid[0]);
    ::close(child_pid[1]);
    return family;
  }
  void end(const Family& family) override {
    ::kill(family.child, SIGKILL);
    while (::kill(family.child, 0) == 0) ::sched_yield();
    parent_->end();
  }
  int32_t self() override { return ::getpid(); }
  uint32_t uid() override { return ::geteuid(); }
  std::string user() override {
    const passwd* entry = ::getpwuid(::geteuid());
    return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
  }

 private:
  std::unique_ptr<Child> parent_;
};

/// Processes of FakeProcessSource.
class FakeWorld final : public ProcessWorld {
 public:
  std::unique_ptr<ports::ProcessSource> source() override { return std::make_unique<View>(fake_); }
  Family start(const std::string& parent_command, const std::string& child_command) override {
    add(10, 1, parent_command).ancestors = {{1, "init"}};
    add(11, 10, child_command).ancestors = {{10, parent_command}, {5, "self"}, {1, "init"}};
    return {.parent = 10, .child = 11};
  }
  void end(const Family& family) override {
    fake_.processes.erase(family.child);
    fake_.processes.erase(family.parent);
  }
  int32_t self() override { return 5; }
  uint32_t uid() override { return 0; }
  std::string user() override { return "root"; }

 private:
  class View final : public ports::ProcessSource {
   public:
    explicit View(FakeProcessSource& target) : target_(target) {}
    model::Process read(int32_t pid, uint64_t start_time_ns) override {
      return target_.read(pid, start_time_ns);
    }
    std::vector<model::Ancestor> ancestors(int32_t pid) override { return target_.ancestors(pid); }
    ports::ProcessTraces traces(uint32_t uid, uint64_t cgroup_id) override {
      return target_.traces(uid, cgroup_id);
    }
    void forget() override { target_.forget(); }
    std::string executable_behind(const std::string& called) override {
      return target_.executable_behind(called);
    }

   private:
    FakeProcessSource& target_;
  };

  model::Process& add(int32_t pid, int32_t parent_pid, const std::string& command) {
    model::Process& process = fake_.add(pid, command);
    process.parent_pid = parent_pid;
    process.start_time_ns = 12'340'000'000;
    process.start_time_unix_s = ::time(nullptr);
    process.package = "not-for-the-caller";
    process.package_check = model::PackageCheck::kIntact;
    return process;
  }

  FakeProcessSource fake_;
};

template <class World>
std::unique_ptr<ProcessWorld> make_world() {
  return std::make_unique<World>();
}

INSTANTIATE_TEST_SUITE_P(Linux, ProcessSourceContract, testing::Values(&make_world<LinuxWorld>));
INSTANTIATE_TEST_SUITE_P(Fake, ProcessSourceContract, testing::Values(&make_world<FakeWorld>));

}  // namespace
}  // namespace testkit

namespace host {
namespace {

using testkit::Child;
namespace fs = std::filesystem;

model::Process read_process(int32_t pid) { return make_process_reader()->read(pid, 0); }

/// A directory that goes away with the test.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "process_reader_test.XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) abort();
    path_ = pattern;
    ::chmod(path_.c_str(), 0755);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }
  /// A program of our own under this name that does nothing until it is killed.
  [[nodiscard]] fs::path program(const std::string& name) const {
    fs::copy_file("/bin/sleep", path_ / name);
    return path_ / name;
  }

 private:
  fs::path path_;
};

/// A process that runs `program`, and is past its exec.
class Running {
 public:
  explicit Running(const fs::path& program, const std::function<void()>& before = [] {}) {
    std::array<int, 2> exec_done{};
    if (::pipe2(exec_done.data(), O_CLOEXEC) != 0) abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      before();
      ::execl(program.c_str(), program.c_str(), "600", nullptr);
      ::_exit(127);
    }
    ::close(exec_done[1]);
    char byte = 0;
    (void)!::read(exec_done[0], &byte, 1);  // the end comes when exec closes the other side
    ::close(exec_done[0]);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] int32_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(ProcessReader, ShowsTheExecutable) {
  const Scratch scratch;
  const fs::path program = scratch.program("server");
  const Running running(program);
  const auto process = read_process(running.pid());
  EXPECT_EQ(process.exe, program);
  EXPECT_EQ(process.command, "server");
  EXPECT_FALSE(process.exe_deleted);
  EXPECT_FALSE(process.exe_elsewhere);
}

/// A shell in `folder`, started with these words, which has run as far as its first `echo` and
/// waits for more input until it is destroyed.
class WaitingShell {
 public:
  WaitingShell(const std::string& folder, const char* first, const char* second) {
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0) abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::chdir(folder.c_str()) != 0 || ::dup2(input[0], 0) != 0 || ::dup2(output[1], 1) != 1)
        ::_exit(1);
      ::execl("/bin/sh", "sh", first, second, nullptr);
      ::_exit(1);
    }
    ::close(input[0]);
    ::close(output[1]);
    input_ = input[1];
    char heard = 0;
    if (::write(input_, "echo\n", 5) != 5 || ::read(output[0], &heard, 1) != 1) abort();
    ::close(output[0]);
  }
  ~WaitingShell() {
    ::close(input_);
    ::waitpid(pid_, nullptr, 0);
  }
  WaitingShell(const WaitingShell&) = delete;
  WaitingShell& operator=(const WaitingShell&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
};

TEST(ProcessReader, TellsTheScriptOfAnInterpreterOnlyWhereItIsAFile) {
  std::string folder = ::testing::TempDir() + "script-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/x.sh") << "read line\necho\nread line\n";
  const auto reader = host::make_process_reader();
  const auto script_of = [&](const char* first, const char* second) {
    const WaitingShell shell(folder, first, second);
    return reader->read(shell.pid(), 0).script;
  };
  EXPECT_EQ(script_of("x.sh", nullptr),
            (model::Script{model::ScriptKind::kFile, folder + "/x.sh"}));
  EXPECT_EQ(script_of("-c", "read secret; echo; read more"),
            (model::Script{model::ScriptKind::kInline, ""}));
  EXPECT_EQ(script_of("-s", "/etc/passwd"), model::Script{}) << "it reads its standard input";
  {
    const WaitingShell shell(folder, "x.sh", nullptr);
    std::filesystem::remove(folder + "/x.sh");
    EXPECT_EQ(reader->read(shell.pid(), 0).script, model::Script{}) << "no such file any more";
  }
  std::filesystem::remove_all(folder);
}

TEST(ProcessReader, TellsADeletedExecutable) {
  const Scratch scratch;
  const fs::path program = scratch.program("server");
  const Running running(program);
  fs::remove(program);
  const auto process = read_process(running.pid());
  EXPECT_EQ(process.exe, program);
  EXPECT_TRUE(process.exe_deleted);
  EXPECT_FALSE(process.exe_replaced);
  EXPECT_FALSE(process.exe_elsewhere);
}

TEST(ProcessReader, TellsAReplacedExecutable) {
  const Scratch scratch;
  const fs::path program = scratch.program("server");
  const Running running(program);
  fs::rename(scratch.program("server.new"), program);
  const auto process = read_process(running.pid());
  EXPECT_EQ(process.exe, program);
  EXPECT_TRUE(process.exe_deleted);
  EXPECT_TRUE(process.exe_replaced);
}

TEST(ProcessReader, TellsADeletedExecutableThatHasAnotherName) {
  const Scratch scratch;
  const fs::path program = scratch.program("server");
  fs::create_hard_link(program, scratch.path() / "other");
  const Running running(program);
  fs::remove(program);
  const auto process = read_process(running.pid());
  EXPECT_EQ(process.exe, program);
  EXPECT_TRUE(process.exe_deleted);
}

TEST(ProcessReader, AnExecutableMayReallyBeCalledDeleted) {
  const Scratch scratch;
  const fs::path program = scratch.program("x (deleted)");
  const Running running(program);
  const auto process = read_process(running.pid());
  EXPECT_EQ(process.exe, program);
  EXPECT_FALSE(process.exe_deleted);
  fs::remove(program);
  const auto after = read_process(running.pid());
  EXPECT_EQ(after.exe, program);
  EXPECT_TRUE(after.exe_deleted);
}

TEST(ProcessReader, KeepsOddBytesInNames) {
  const Scratch scratch;
  const fs::path program = scratch.program("a\n) S 1\xff");
  const Running running(program);
  const auto process = read_process(running.pid());
  EXPECT_EQ(process.exe, program);
  EXPECT_EQ(process.command, "a\n) S 1\xff");
  EXPECT_EQ(process.parent_pid, ::getpid());
}

TEST(ProcessReader, AnExecutableOfAnotherFileTreeIsElsewhere) {
  // As in a container: the name exists here too, but it is another file.
  const Scratch scratch;
  const fs::path program = scratch.program("server");
  const fs::path other = scratch.program("other");
  bool separated = false;
  const Running running(program, [&] {
    separated = ::unshare(CLONE_NEWNS) == 0 &&
                ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                ::mount(other.c_str(), program.c_str(), nullptr, MS_BIND, nullptr) == 0;
    if (!separated) ::_exit(1);
  });
  const auto process = read_process(running.pid());
  if (process.gone) GTEST_SKIP() << "a mount namespace of our own needs CAP_SYS_ADMIN";
  EXPECT_EQ(process.exe, program);
  EXPECT_FALSE(process.exe_deleted);
  EXPECT_TRUE(process.exe_elsewhere);
}

TEST(ProcessReader, AProcessThatMayNotBeLookedIntoIsHiddenNotGone) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving up rights needs root";
  const Child other([] {});
  std::array<int, 2> answer{};
  ASSERT_EQ(::pipe(answer.data()), 0);
  const Child looker([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) abort();
    const auto process = make_process_reader()->read(other.pid(), 0);
    const bool as_expected = process.details_hidden && !process.gone && process.exe.empty() &&
                             !process.command.empty() && process.user == "root" &&
                             !process.placement.cgroup.empty();
    (void)!::write(answer[1], as_expected ? "y" : "n", 1);
  });
  char byte = 0;
  ASSERT_EQ(::read(answer[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  ::close(answer[0]);
  ::close(answer[1]);
}

TEST(ProcessReader, AUserWithoutANameIsANumber) {
  if (::geteuid() != 0) GTEST_SKIP() << "becoming another user needs root";
  const Child child([] {
    if (::setuid(3141592) != 0) abort();
  });
  const auto process = read_process(child.pid());
  EXPECT_EQ(process.uid, 3141592U);
  EXPECT_EQ(process.user, "3141592");
}

TEST(ProcessReader, ShowsTheUserOfAProcessThatMayNotDumpCore) {
  // The kernel gives the files of such a process to root, but not the process.
  if (::geteuid() != 0) GTEST_SKIP() << "becoming another user needs root";
  const Child child([] {
    if (::setuid(65534) != 0) abort();
    ::prctl(PR_SET_DUMPABLE, 0);
  });
  EXPECT_EQ(read_process(child.pid()).uid, 65534U);
}

TEST(ProcessReader, KernelThreadsAreToldApart) {
  const auto process = read_process(2);
  if (process.command != "kthreadd") GTEST_SKIP() << "pid 2 is not kthreadd in this pid namespace";
  EXPECT_TRUE(process.is_kernel_thread);
  EXPECT_EQ(process.exe, "");
  EXPECT_FALSE(process.details_hidden);
  EXPECT_TRUE(make_process_reader()->ancestors(2).empty());
}

std::string state_of(int32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return text.substr(text.rfind(") ") + 2, 1);
}

TEST(ProcessReader, AProcessWhoseLeaderHasExitedIsStillKnown) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::thread([] {
      for (;;) ::pause();
    }).detach();
    ::syscall(SYS_exit, 0);  // this thread alone
  }
  while (state_of(pid) != "Z") ::sched_yield();
  const auto process = read_process(pid);
  EXPECT_FALSE(process.gone);
  EXPECT_FALSE(process.details_hidden);
  EXPECT_EQ(process.exe, fs::read_symlink("/proc/self/exe"));
  EXPECT_NE(process.placement.cgroup, "");
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST(ProcessReader, AZombieIsGone) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  testkit::expect_gone_and_nothing_else(read_process(pid), pid);
  ::waitpid(pid, nullptr, 0);
}

/// A /proc of plain files, for what real processes do not show on demand.
class FakeProc {
 public:
  void add(int32_t pid, const std::string& command, int32_t parent_pid, uint64_t start_ticks) {
    add_text(pid, std::to_string(pid) + " (" + command + ") S " + std::to_string(parent_pid) +
                      " 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(start_ticks) +
                      " 0 0\n");
  }
  void add_text(int32_t pid, const std::string& stat) {
    const fs::path directory = scratch_.path() / std::to_string(pid);
    fs::create_directories(directory);
    std::ofstream(directory / "stat") << stat;
    std::ofstream(directory / "cgroup") << "0::/system.slice/ssh.service\n";
  }
  [[nodiscard]] std::unique_ptr<ports::ProcessSource> reader() const {
    return make_process_reader(scratch_.path());
  }

 private:
  Scratch scratch_;
};

std::string chain_of(ports::ProcessSource& reader, int32_t pid) {
  std::string out;
  for (const auto& ancestor : reader.ancestors(pid)) {
    out += std::to_string(ancestor.pid) + ":" + ancestor.command + " ";
  }
  return out;
}

TEST(ProcessReader, ReadsPlacement) {
  FakeProc proc;
  proc.add(42, "sshd", 1, 500);
  const auto process = proc.reader()->read(42, 0);
  EXPECT_EQ(process.placement.unit, "ssh.service");
  EXPECT_EQ(process.start_time_ns, 5'000'000'000U);
}

TEST(ProcessReader, AncestorsEndWhereTheNamespaceEnds) {
  FakeProc proc;
  proc.add(1, "init", 0, 0);
  proc.add(7, "sshd", 1, 100);
  proc.add(8, "bash", 7, 200);
  EXPECT_EQ(chain_of(*proc.reader(), 8), "7:sshd 1:init ");
}

TEST(ProcessReader, AnAncestorIsNeverYoungerThanItsChild) {
  FakeProc proc;
  proc.add(1, "init", 0, 0);
  proc.add(7, "newcomer", 1, 300);  // took the pid of the parent, which ended
  proc.add(8, "bash", 7, 200);
  EXPECT_EQ(chain_of(*proc.reader(), 8), "");
}

TEST(ProcessReader, AncestorsInACircleEnd) {
  FakeProc proc;
  proc.add(7, "a", 8, 100);
  proc.add(8, "b", 7, 100);
  proc.add(9, "self", 9, 100);
  EXPECT_EQ(chain_of(*proc.reader(), 7), "8:b ");
  EXPECT_EQ(chain_of(*proc.reader(), 9), "");
}

TEST(ProcessReader, ALongChainOfAncestorsIsCut) {
  FakeProc proc;
  for (int32_t pid = 1; pid <= 200; ++pid) {
    proc.add(pid, "deep", pid - 1, static_cast<uint64_t>(pid));
  }
  EXPECT_EQ(proc.reader()->ancestors(200).size(), 64U);
}

TEST(ProcessReader, AncestorsAreOfTheProcessThatWasRead) {
  FakeProc proc;
  proc.add(1, "init", 0, 0);
  proc.add(7, "sshd", 1, 100);
  const auto reader = proc.reader();
  ASSERT_EQ(reader->read(7, 0).command, "sshd");
  proc.add(7, "newcomer", 12345, 900);
  EXPECT_EQ(chain_of(*reader, 7), "1:init ");
}

TEST(ProcessReader, AStatThatCannotBeReadIsNoProcess) {
  FakeProc proc;
  proc.add_text(8, "");
  proc.add_text(9, "9 (half) S 1 2");
  EXPECT_TRUE(proc.reader()->read(8, 0).gone);
  EXPECT_TRUE(proc.reader()->read(9, 0).gone);
}

TEST(ProcessReader, WithoutProcNothingIsSaidToBeGone) {
  const auto process = make_process_reader("/proc/nonexistent")->read(::getpid(), 0);
  EXPECT_FALSE(process.gone);
  EXPECT_TRUE(process.details_hidden);
}

}  // namespace
}  // namespace host
