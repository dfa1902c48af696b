#include "host/fd_walk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "base/text.h"
#include "testkit/private_network.h"

namespace {

base::Fd make_socket() { return base::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

uint64_t inode_of(int fd) {
  struct stat status{};
  return fd >= 0 && ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

host::InodeSet set_of(const std::vector<uint64_t>& inodes) {
  std::vector<model::Socket> sockets(inodes.size());
  for (size_t i = 0; i < inodes.size(); ++i) sockets[i].inode = inodes[i];
  return host::InodeSet(sockets);
}

using Row = std::tuple<uint64_t, int32_t, int32_t>;  // inode, pid, descriptor

std::vector<Row> rows_of(const std::vector<model::Holder>& holders) {
  std::vector<Row> rows;
  rows.reserve(holders.size());
  for (const auto& holder : holders) rows.emplace_back(holder.inode, holder.pid, holder.fd);
  std::ranges::sort(rows);
  return rows;
}

/// Makes a socket that is held from here on; its inode is the report.
std::string hold_socket() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  return std::to_string(inode_of(fd));
}

uint64_t number(const std::string& text) { return base::parse_number<uint64_t>(text).value_or(0); }

TEST(InodeSet, ContainsWhatWasPutInAndNeverZero) {
  std::vector<uint64_t> inodes;
  inodes.reserve(1000);
  for (uint64_t i = 0; i < 1000; ++i) inodes.push_back(i * 7);
  const auto set = set_of(inodes);
  EXPECT_FALSE(set.contains(0));
  for (uint64_t i = 1; i < 7000; ++i) EXPECT_EQ(set.contains(i), i % 7 == 0) << i;
  EXPECT_TRUE(set_of({}).empty());
  EXPECT_TRUE(set_of({0}).empty());
  EXPECT_FALSE(set_of({5}).empty());
  EXPECT_FALSE(set_of({}).contains(5));
}

TEST(FdWalk, FindsOurOwnDescriptorWithStartAndCommand) {
  const base::Fd fd = make_socket();
  const auto walk = host::walk_descriptors(set_of({inode_of(fd.get())}));
  ASSERT_TRUE(walk.has_value()) << walk.error().message;
  ASSERT_EQ(walk->holders.size(), 1U);
  const model::Holder& holder = walk->holders[0];
  EXPECT_EQ(holder.pid, ::getpid());
  EXPECT_EQ(holder.tid, ::getpid());
  EXPECT_EQ(holder.fd, fd.get());
  EXPECT_EQ(holder.cookie, 0U);
  ASSERT_EQ(walk->seen_processes.size(), 1U);
  EXPECT_EQ(walk->seen_processes[0].pid, ::getpid());
  EXPECT_GT(walk->seen_processes[0].start_time_ns, 0U);
  EXPECT_EQ(walk->seen_processes[0].start_time_ns, holder.start_time_ns);
  EXPECT_EQ(walk->seen_processes[0].command, "unit_host");
}

TEST(FdWalk, LeavesOutWhatIsNotWanted) {
  const base::Fd wanted = make_socket();
  const base::Fd unwanted = make_socket();
  const auto walk = host::walk_descriptors(set_of({inode_of(wanted.get())}));
  ASSERT_TRUE(walk.has_value());
  EXPECT_EQ(rows_of(walk->holders),
            (std::vector<Row>{{inode_of(wanted.get()), ::getpid(), wanted.get()}}));
}

TEST(FdWalk, ShowsEveryHolderOfAnInheritedSocketAndEveryDuplicate) {
  const base::Fd fd = make_socket();
  const base::Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  const testkit::StandingChild child([]() -> std::string { return "inherited"; });
  const uint64_t inode = inode_of(fd.get());
  const auto walk = host::walk_descriptors(set_of({inode}));
  ASSERT_TRUE(walk.has_value());
  std::vector<Row> expected{{inode, ::getpid(), fd.get()},
                            {inode, ::getpid(), copy.get()},
                            {inode, child.pid(), fd.get()},
                            {inode, child.pid(), copy.get()}};
  std::ranges::sort(expected);
  EXPECT_EQ(rows_of(walk->holders), expected);
}

/// A thread that waits until it is let go.
class WaitingThread {
 public:
  explicit WaitingThread(const std::function<void()>& prepare)
      : thread_([this, prepare] {
          prepare();
          std::unique_lock lock(mutex_);
          ready_ = true;
          changed_.notify_all();
          changed_.wait(lock, [this] { return released_; });
        }) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_; });
  }
  ~WaitingThread() {
    {
      const std::scoped_lock lock(mutex_);
      released_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
  bool released_ = false;
  std::thread thread_;
};

TEST(FdWalk, FindsASocketInTheOwnTableOfAThread) {
  int32_t tid = 0;
  uint64_t inode = 0;
  const WaitingThread thread([&] {
    if (::unshare(CLONE_FILES) != 0) return;
    tid = ::gettid();
    inode = inode_of(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));  // closed with the thread
  });
  ASSERT_GT(inode, 0U);
  const auto walk = host::walk_descriptors(set_of({inode}));
  ASSERT_TRUE(walk.has_value());
  ASSERT_EQ(walk->holders.size(), 1U);
  EXPECT_EQ(walk->holders[0].pid, ::getpid());
  EXPECT_EQ(walk->holders[0].tid, tid);
}

TEST(FdWalk, ShowsASharedTableOnceHoweverManyThreadsShareIt) {
  const base::Fd fd = make_socket();
  const WaitingThread first([] {});
  const WaitingThread second([] {});
  const auto walk = host::walk_descriptors(set_of({inode_of(fd.get())}));
  ASSERT_TRUE(walk.has_value());
  EXPECT_EQ(walk->holders.size(), 1U);
}

TEST(FdWalk, FindsTheSocketsOfAProcessWhoseFirstThreadHasEnded) {
  const testkit::StandingChild child(hold_socket, testkit::StandingChild::Leader::kEnds);
  const auto walk = host::walk_descriptors(set_of({number(child.report())}));
  ASSERT_TRUE(walk.has_value());
  ASSERT_EQ(walk->holders.size(), 1U);
  EXPECT_EQ(walk->holders[0].pid, child.pid());
  EXPECT_NE(walk->holders[0].tid, child.pid());
  EXPECT_GT(walk->holders[0].start_time_ns, 0U);
}

TEST(FdWalk, ReadsATableThatIsCutIntoPieces) {
  const testkit::StandingChild child([]() -> std::string {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 9000; ++i) {
      if (fd < 0 || ::dup(fd) < 0) return "";
    }
    return std::to_string(inode_of(fd));
  });
  if (child.report().empty()) GTEST_SKIP() << "9000 descriptors are not allowed here";
  const uint64_t inode = number(child.report());
  const auto walk = host::walk_descriptors(set_of({inode}));
  ASSERT_TRUE(walk.has_value());
  auto rows = rows_of(walk->holders);
  EXPECT_EQ(rows.size(), 9001U);
  EXPECT_EQ(std::ranges::unique(rows).begin(), rows.end());
  for (const auto& holder : walk->holders) {
    ASSERT_EQ(holder.pid, child.pid());
    ASSERT_GT(holder.start_time_ns, 0U);
  }
  // And the second look need not read them again.
  const auto again = host::walk_descriptors(set_of({inode}), walk->holders);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->holders.empty());
}

TEST(FdWalk, ASecondWalkReturnsOnlyWhatTheFirstDidNotSee) {
  const base::Fd first = make_socket();
  const auto walk = host::walk_descriptors(set_of({inode_of(first.get())}));
  ASSERT_TRUE(walk.has_value());
  const base::Fd second = make_socket();
  const auto again = host::walk_descriptors(set_of({inode_of(first.get()), inode_of(second.get())}),
                                            walk->holders);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(rows_of(again->holders),
            (std::vector<Row>{{inode_of(second.get()), ::getpid(), second.get()}}));
}

TEST(FdWalk, DoesNotTrustWhatIsKnownOfAnEarlierProcessOfTheSameNumber) {
  const base::Fd fd = make_socket();
  auto walk = host::walk_descriptors(set_of({inode_of(fd.get())}));
  ASSERT_TRUE(walk.has_value());
  for (auto& holder : walk->holders) holder.start_time_ns += 10'000'000;
  const auto again = host::walk_descriptors(set_of({inode_of(fd.get())}), walk->holders);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->holders.size(), 1U);
}

TEST(FdWalk, CountsProcessesThatDoNotShowTheirDescriptors) {
  const testkit::StandingChild secret(hold_socket);
  const std::string outcome = testkit::run_in_child([&]() -> std::string {
    if (!testkit::become_nobody()) return "skip";
    const base::Fd own = make_socket();
    const auto walk =
        host::walk_descriptors(set_of({number(secret.report()), inode_of(own.get())}));
    if (!walk) return walk.error().message;
    if (walk->processes_hidden == 0) return "overlooked";
    if (walk->others_invisible) return "mistaken for hidepid";
    // Giving up rights made this process itself unreadable, as a set-uid program is; what stays is
    // that nothing of the other's may be shown.
    for (const auto& holder : walk->holders) {
      if (holder.inode == number(secret.report())) return "shown";
    }
    return "counted";
  });
  if (outcome == "skip") GTEST_SKIP() << "giving up rights takes having some";
  EXPECT_EQ(outcome, "counted");
}

TEST(FdWalk, CountsAnothersProcessWhoseFirstThreadHasEnded) {
  const testkit::StandingChild secret(hold_socket, testkit::StandingChild::Leader::kEnds);
  std::string pattern = ::testing::TempDir() + "proc.XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const std::string& proc = pattern;
  const std::string outcome = testkit::run_in_child([&]() -> std::string {
    // A /proc of that process and of no other, so that what is counted is it.
    const std::string pid = std::to_string(secret.pid());
    if (::chmod(proc.c_str(), 0755) != 0) return "chmod failed";
    std::filesystem::create_directory(proc + "/1");
    std::filesystem::create_directory_symlink(std::to_string(::getpid()), proc + "/self");
    std::filesystem::create_directory_symlink("/proc/" + pid, proc + "/" + pid);
    if (!testkit::become_nobody()) return "skip";
    const auto walk = host::walk_descriptors(set_of({1}), {}, proc.c_str());
    return walk ? std::to_string(walk->processes_hidden) : walk.error().message;
  });
  std::filesystem::remove_all(proc);
  if (outcome == "skip") GTEST_SKIP() << "giving up rights takes having some";
  EXPECT_EQ(outcome, "1");
}

TEST(FdWalk, NoticesAProcThatLeavesOthersOut) {
  const testkit::StandingChild secret(hold_socket);
  const std::string outcome = testkit::run_in_child([]() -> std::string {
    if (::unshare(CLONE_NEWNS) != 0) return "skip";
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("proc", "/mnt", "proc", 0, "hidepid=2") != 0) return "skip";
    if (!testkit::become_nobody()) return "skip";
    const auto walk = host::walk_descriptors(set_of({1}), {}, "/mnt");
    if (!walk) return walk.error().message;
    return walk->others_invisible ? "noticed" : "overlooked";
  });
  if (outcome == "skip") GTEST_SKIP() << "mounting /proc takes root";
  EXPECT_EQ(outcome, "noticed");
}

TEST(FdWalk, CountsProcessesOfAProcThatShowsOnlyTheirNumbers) {
  const testkit::StandingChild secret(hold_socket);
  const std::string outcome = testkit::run_in_child([]() -> std::string {
    if (::unshare(CLONE_NEWNS) != 0) return "skip";
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("proc", "/mnt", "proc", 0, "hidepid=1") != 0) return "skip";
    if (!testkit::become_nobody()) return "skip";
    const auto walk = host::walk_descriptors(set_of({1}), {}, "/mnt");
    if (!walk) return walk.error().message;
    return walk->processes_hidden > 1 ? "counted" : "overlooked";
  });
  if (outcome == "skip") GTEST_SKIP() << "mounting /proc takes root";
  EXPECT_EQ(outcome, "counted");
}

TEST(FdWalk, ShowsProcessesOfAPidNamespaceBelowOurs) {
  const std::string outcome = testkit::run_in_child([]() -> std::string {
    if (::unshare(CLONE_NEWPID) != 0) return "skip";
    const testkit::StandingChild child(hold_socket);  // process 1 of the new namespace
    const auto walk = host::walk_descriptors(set_of({number(child.report())}));
    if (!walk) return walk.error().message;
    if (walk->holders.size() != 1) return std::to_string(walk->holders.size()) + " holders";
    return walk->holders[0].pid == child.pid() ? "shown" : "under another number";
  });
  if (outcome == "skip") GTEST_SKIP() << "a pid namespace takes root";
  EXPECT_EQ(outcome, "shown");
}

TEST(FdWalk, ShowsASharedTableOnceEvenWhereTablesCannotBeCompared) {
  // To a process of an inner pid namespace, this /proc speaks of other numbers than kcmp does.
  const std::string outcome = testkit::run_in_child([]() -> std::string {
    if (::unshare(CLONE_NEWPID) != 0) return "skip";
    const testkit::StandingChild child([]() -> std::string {
      const base::Fd fd = make_socket();
      const WaitingThread sharing([] {});
      uint64_t own = 0;
      const WaitingThread with_own_table([&own] {
        if (::unshare(CLONE_FILES) == 0) own = inode_of(::socket(AF_INET, SOCK_DGRAM, 0));
      });
      const auto walk = host::walk_descriptors(set_of({inode_of(fd.get()), own}));
      return walk ? std::to_string(walk->holders.size()) : walk.error().message;
    });
    return child.report();
  });
  if (outcome == "skip") GTEST_SKIP() << "a pid namespace takes root";
  EXPECT_EQ(outcome, "2");
}

TEST(FdWalk, SaysThatThereIsNoProc) {
  const auto walk = host::walk_descriptors(set_of({1}), {}, "/proc/nonexistent");
  ASSERT_FALSE(walk.has_value());
  EXPECT_NE(walk.error().message.find("/proc/nonexistent"), std::string::npos);
}

}  // namespace
