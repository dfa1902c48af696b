#include "host/fd_walk.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "format/proc_stat.h"
#include "host/directory_entries.h"
#include "host/number_path.h"
#include "host/thread_group.h"

namespace host {
namespace {

// Larger tables are cut into pieces of this size, so that one process that holds nearly all of the
// machine's sockets still keeps every thread busy.
constexpr size_t kPieceFds = 4096;
// /proc is listed again for processes that began during the walk, until none did or this often.
constexpr int kListingsMax = 4;

/// The inode in "socket:[123]"; 0 for links to anything else.
uint64_t parse_socket_link(std::string_view target) {
  if (!target.starts_with("socket:[") || !target.ends_with(']')) return 0;
  return base::parse_number<uint64_t>(target.substr(8, target.size() - 9)).value_or(0);
}

/// One open descriptor table, and whose it is.
struct Table {
  base::Fd directory;
  int32_t pid = 0;
  int32_t tid = 0;
};

/// A process as the directory /proc/PID shows it: all paths relative to that directory mean this
/// process for ever, even when its number is given to another.
class ProcessDirectory {
 public:
  ProcessDirectory(int proc_fd, int32_t pid)
      : pid_(pid),
        fd_(::openat(proc_fd, NumberPath(pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

  [[nodiscard]] bool valid() const { return fd_.valid(); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] int32_t pid() const { return pid_; }

  [[nodiscard]] bool has_threads() const {
    struct stat status{};
    if (::fstatat(fd_.get(), "task", &status, 0) != 0) return false;
    return status.st_nlink > 3;  // the directory, its "." and one for each thread
  }

  [[nodiscard]] bool first_thread_has_ended() {
    std::ignore = identity();
    return state_ == 'Z';
  }

  /// Start time and command, read at most once. Nothing when it has ended.
  const std::optional<ports::SeenProcess>& identity() {
    if (asked_) return identity_;
    asked_ = true;
    std::string text;
    if (!base::read_file_at(fd_.get(), "stat", text)) return identity_;
    const auto stat = format::parse_proc_stat(text);
    if (!stat) return identity_;
    static const auto kTickNs = 1'000'000'000U / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
    state_ = stat->state;
    identity_ = ports::SeenProcess{.pid = pid_,
                                   .start_time_ns = stat->start_ticks * kTickNs,
                                   .command = std::string(stat->command)};
    return identity_;
  }

 private:
  int32_t pid_;
  base::Fd fd_;
  bool asked_ = false;
  char state_ = '?';
  std::optional<ports::SeenProcess> identity_;
};

/// Which threads of one process have a descriptor table of their own. The kernel compares two
/// tables and tells which has the lower address, so tables already met can be kept sorted.
class DistinctTables {
 public:
  enum class Answer : uint8_t { kNew, kShared, kGone, kDenied };

  explicit DistinctTables(int32_t leader) : met_{leader} {}

  /// Whether the kernel compares at all, asked of a thread that is there and may be looked at.
  static bool can_compare(int32_t tid) {
    return ::syscall(SYS_kcmp, tid, tid, KCMP_FILES, 0, 0) == 0;
  }

  Answer meet(int32_t tid) {
    size_t low = 0;
    size_t high = met_.size();
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      const long order = ::syscall(SYS_kcmp, tid, met_[middle], KCMP_FILES, 0, 0);
      if (order == 0) return Answer::kShared;
      if (order == 1) {
        high = middle;
      } else if (order == 2) {
        low = middle + 1;
      } else if (order < 0 && can_compare(tid)) {
        // It is the other one that has ended or may not be looked at: of no use from here on.
        met_.erase(met_.begin() + static_cast<std::ptrdiff_t>(middle));
        low = 0;
        high = met_.size();
      } else {
        return errno == ESRCH ? Answer::kGone : Answer::kDenied;
      }
    }
    met_.insert(met_.begin() + static_cast<std::ptrdiff_t>(low), tid);
    return Answer::kNew;
  }

 private:
  std::vector<int32_t> met_;
};

/// A table too large for one thread.
struct LargeTable {
  Table table;
  uint64_t start_time_ns = 0;
  std::vector<int32_t> fds;
  std::atomic<bool> denied = false;
};

/// A part of it, to be read by whichever thread is free.
struct Piece {
  std::shared_ptr<LargeTable> of;
  size_t first = 0;
};

/// What the threads of one walk share.
struct Job {
  int proc_fd = -1;
  bool can_compare_tables = true;
  const InodeSet& wanted;
  std::vector<model::Holder> known;  // sorted by tid and descriptor
  std::vector<int32_t> pids;
  std::atomic<size_t> next_pid = 0;
  std::mutex pieces_mutex;
  std::vector<Piece> pieces;
  std::atomic<size_t> next_piece = 0;
};

/// One thread's share of the work.
class Worker {
 public:
  explicit Worker(Job& job)
      : job_(job), buffer_(std::make_unique_for_overwrite<char[]>(kDirectoryBufferBytes)) {}

  void walk_processes() {
    for (;;) {
      const size_t i = job_.next_pid.fetch_add(1);
      if (i >= job_.pids.size()) return;
      walk_process(job_.pids[i]);
    }
  }

  void walk_pieces() {
    for (;;) {
      const size_t i = job_.next_piece.fetch_add(1);
      if (i >= job_.pieces.size()) return;
      const Piece& piece = job_.pieces[i];
      LargeTable& large = *piece.of;
      const size_t count = std::min(kPieceFds, large.fds.size() - piece.first);
      const size_t first = walk_.holders.size();
      const auto outcome =
          read_links(large.table, std::span(large.fds).subspan(piece.first, count));
      set_start_time(first, large.start_time_ns);
      if (outcome == Outcome::kDenied && !large.denied.exchange(true)) ++walk_.processes_hidden;
    }
  }

  FdWalk& result() { return walk_; }

 private:
  enum class Outcome : uint8_t { kRead, kGone, kDenied };

  static Outcome outcome_of(int error_number) {
    return error_number == ENOENT || error_number == ESRCH ? Outcome::kGone : Outcome::kDenied;
  }

  void walk_process(int32_t pid) {
    ProcessDirectory process(job_.proc_fd, pid);
    if (!process.valid()) {
      if (outcome_of(errno) == Outcome::kDenied) ++walk_.processes_hidden;
      return;
    }
    Outcome outcome = walk_table(process, "fd", pid);
    // A process whose first thread has ended seems to have no descriptors, and the kernel shows
    // even that to nobody but root; its other threads may have some.
    if (outcome == Outcome::kDenied && process.first_thread_has_ended()) outcome = Outcome::kGone;
    if (outcome != Outcome::kDenied && process.has_threads()) outcome = walk_threads(process);
    if (outcome == Outcome::kDenied) ++walk_.processes_hidden;
  }

  Outcome walk_threads(ProcessDirectory& process) {
    const base::Fd tasks(
        ::openat(process.fd(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY));
    if (!tasks.valid()) return outcome_of(errno);
    std::vector<int32_t> tids;
    for_each_number(tasks.get(), buffer(), [&](int32_t tid) {
      if (tid != process.pid()) tids.push_back(tid);
    });
    using Answer = DistinctTables::Answer;
    DistinctTables tables(process.pid());
    bool denied = false;
    for (const int32_t tid : tids) {
      const Answer answer = job_.can_compare_tables ? tables.meet(tid) : Answer::kNew;
      denied |= answer == Answer::kDenied;
      if (answer != Answer::kNew) continue;
      const NumberPath path(tid, "task/", "/fd");
      denied |= walk_table(process, path.c_str(), tid) == Outcome::kDenied;
    }
    return denied ? Outcome::kDenied : Outcome::kRead;
  }

  Outcome walk_table(ProcessDirectory& process, const char* path, int32_t tid) {
    Table table{.directory = base::Fd(
                    ::openat(process.fd(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY)),
                .pid = process.pid(),
                .tid = tid};
    if (!table.directory.valid()) return outcome_of(errno);
    fds_.clear();
    if (!for_each_number(table.directory.get(), buffer(),
                         [this](int32_t fd) { fds_.push_back(fd); })) {
      return outcome_of(errno);
    }
    if (!job_.known.empty()) drop_known(process, tid);
    if (fds_.size() > kPieceFds) return cut(process, std::move(table));
    const size_t first = walk_.holders.size();
    const Outcome outcome = read_links(table, fds_);
    if (walk_.holders.size() > first) note_identity(process, first);
    return outcome;
  }

  /// Forgets the descriptors that an earlier walk has seen in this very table.
  void drop_known(ProcessDirectory& process, int32_t tid) {
    const auto known = std::ranges::equal_range(job_.known, tid, {}, &model::Holder::tid);
    if (known.empty()) return;
    const auto& identity = process.identity();
    if (!identity || identity->start_time_ns != known.front().start_time_ns ||
        process.pid() != known.front().pid) {
      return;
    }
    std::erase_if(fds_, [&](int32_t fd) {
      return std::ranges::binary_search(known, fd, {}, &model::Holder::fd);
    });
  }

  Outcome cut(ProcessDirectory& process, Table table) {
    const auto& identity = process.identity();
    if (!identity) return Outcome::kGone;
    walk_.seen_processes.push_back(*identity);
    const auto large = std::make_shared<LargeTable>();
    large->table = std::move(table);
    large->start_time_ns = identity->start_time_ns;
    large->fds = fds_;
    const std::scoped_lock lock(job_.pieces_mutex);
    for (size_t first = 0; first < fds_.size(); first += kPieceFds) {
      job_.pieces.push_back({.of = large, .first = first});
    }
    return Outcome::kRead;
  }

  Outcome read_links(const Table& table, std::span<const int32_t> fds) {
    std::array<char, 40> target;  // longer ones are cut, and then no socket
    for (const int32_t fd : fds) {
      const ssize_t length =
          ::readlinkat(table.directory.get(), NumberPath(fd).c_str(), target.data(), target.size());
      if (length < 0) {
        if (outcome_of(errno) == Outcome::kDenied) return Outcome::kDenied;
        continue;  // closed since the table was listed
      }
      const uint64_t inode = parse_socket_link({target.data(), static_cast<size_t>(length)});
      if (!job_.wanted.contains(inode)) continue;
      model::Holder holder;
      holder.inode = inode;
      holder.pid = table.pid;
      holder.tid = table.tid;
      holder.fd = fd;
      walk_.holders.push_back(holder);
    }
    return Outcome::kRead;
  }

  void note_identity(ProcessDirectory& process, size_t first) {
    const auto& identity = process.identity();
    if (!identity) {
      // It ended since its descriptors were read, so it holds nothing. Without a start time its
      // number could be taken for that of a newcomer.
      walk_.holders.resize(first);
      return;
    }
    set_start_time(first, identity->start_time_ns);
    if (walk_.seen_processes.empty() || walk_.seen_processes.back().pid != identity->pid) {
      walk_.seen_processes.push_back(*identity);
    }
  }

  void set_start_time(size_t first, uint64_t start_time_ns) {
    for (size_t i = first; i < walk_.holders.size(); ++i) {
      walk_.holders[i].start_time_ns = start_time_ns;
    }
  }

  [[nodiscard]] std::span<char> buffer() { return {buffer_.get(), kDirectoryBufferBytes}; }

  Job& job_;
  std::unique_ptr<char[]> buffer_;
  std::vector<int32_t> fds_;
  FdWalk walk_;
};

/// Runs `work(worker)` on every worker at once, the first in the calling thread. Workers for which
/// no thread can be had stay idle: each takes the next piece of work when it has done one.
template <class Work>
void run_all(std::vector<Worker>& workers, const Work& work) {
  ThreadGroup threads;
  for (size_t i = 1; i < workers.size(); ++i) {
    if (!threads.start([&work, &worker = workers[i]] { work(worker); })) break;
  }
  work(workers.front());
  threads.join();
}

/// Lists the processes that are not in `walked`, and adds them to it (it stays sorted).
base::Result<std::vector<int32_t>> list_new_processes(int proc_fd, std::vector<int32_t>& walked) {
  const base::Fd directory(::openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return base::fail_errno("list /proc", errno);
  std::vector<int32_t> fresh;
  std::array<char, kDirectoryBufferBytes> buffer;
  const bool whole = for_each_number(directory.get(), buffer, [&](int32_t pid) {
    if (!std::ranges::binary_search(walked, pid)) fresh.push_back(pid);
  });
  if (!whole) return base::fail_errno("list /proc", errno);
  walked.insert(walked.end(), fresh.begin(), fresh.end());
  std::ranges::sort(walked);
  return fresh;
}

/// Whether the process numbers in this /proc are those that system calls take.
bool speaks_our_numbers(int proc_fd) {
  const auto self = base::read_link_at(proc_fd, "self");
  return self && *self == std::to_string(::getpid());
}

bool hides_others(int proc_fd) {
  // Every pid namespace has a process 1; a /proc without it does not show all.
  struct stat status{};
  return ::fstatat(proc_fd, "1", &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

/// Where the kernel does not compare tables for us, every thread's was read, and most are one and
/// the same. A thread's descriptor that refers to what its process's own of that number refers to
/// is dropped; of tables that are not shared, this loses which thread it is, never which process.
void drop_copies(std::vector<model::Holder>& holders) {
  std::ranges::sort(holders, {}, [](const model::Holder& holder) {
    // The process's own before those of its other threads.
    return std::tuple(holder.pid, holder.fd, holder.inode, holder.tid != holder.pid, holder.tid);
  });
  const auto copies = std::ranges::unique(holders, {}, [](const model::Holder& holder) {
    return std::tuple(holder.pid, holder.fd, holder.inode);
  });
  holders.erase(copies.begin(), copies.end());
}

template <class T>
void move_to_end(std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

InodeSet::InodeSet(std::span<const model::Socket> sockets)
    : slots_(std::bit_ceil(sockets.size() * 2 + 1)) {
  for (const auto& socket : sockets) {
    if (socket.inode == 0) continue;
    uint64_t& slot = slots_[slot_of(socket.inode)];
    if (slot == 0) ++size_;
    slot = socket.inode;
  }
}

size_t InodeSet::slot_of(uint64_t inode) const {
  // Inodes of sockets made one after another are consecutive; multiplying spreads them.
  const size_t mask = slots_.size() - 1;
  size_t slot = (inode * 0x9E3779B97F4A7C15U) >> 20U & mask;
  while (slots_[slot] != 0 && slots_[slot] != inode) slot = (slot + 1) & mask;
  return slot;
}

bool InodeSet::contains(uint64_t inode) const {
  return inode != 0 && slots_[slot_of(inode)] == inode;
}

base::Result<FdWalk> walk_descriptors(const InodeSet& wanted, std::span<const model::Holder> known,
                                      const char* proc_path) {
  const base::Fd proc(::open(proc_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc.valid()) return base::fail_errno(std::string("open ") + proc_path, errno);
  Job job{.proc_fd = proc.get(),
          .can_compare_tables =
              speaks_our_numbers(proc.get()) && DistinctTables::can_compare(::getpid()),
          .wanted = wanted,
          .known = {known.begin(), known.end()},
          .pids = {},
          .pieces_mutex = {},
          .pieces = {}};
  std::ranges::sort(job.known, {},
                    [](const model::Holder& holder) { return std::tuple(holder.tid, holder.fd); });
  const unsigned count = std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
  std::vector<Worker> workers;
  workers.reserve(count);
  for (unsigned i = 0; i < count; ++i) workers.emplace_back(job);

  std::vector<int32_t> walked;
  for (int listing = 0; listing < kListingsMax; ++listing) {
    auto fresh = list_new_processes(proc.get(), walked);
    if (!fresh) return std::unexpected(fresh.error());
    if (fresh->empty()) break;
    job.pids = std::move(*fresh);
    job.next_pid = 0;
    run_all(workers, [](Worker& worker) { worker.walk_processes(); });
  }
  if (!job.pieces.empty()) run_all(workers, [](Worker& worker) { worker.walk_pieces(); });

  FdWalk walk;
  walk.others_invisible = hides_others(proc.get());
  for (auto& worker : workers) {
    move_to_end(worker.result().holders, walk.holders);
    move_to_end(worker.result().seen_processes, walk.seen_processes);
    walk.processes_hidden += worker.result().processes_hidden;
  }
  if (!job.can_compare_tables) drop_copies(walk.holders);
  return walk;
}

}  // namespace host
