#include "host/process_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <time.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "format/cgroup_path.h"
#include "format/passwd.h"
#include "format/proc_stat.h"
#include "format/script_argument.h"
#include "host/cgroup_tree.h"
#include "host/executable_path.h"

namespace host {
namespace {

constexpr int64_t kNsPerS = 1'000'000'000;
constexpr int64_t kKeepUsersNs = 60 * kNsPerS;
constexpr size_t kMostAncestors = 64;
// Paths are looked up once in a while: a shell loop starts the same program a thousand times.
constexpr size_t kMostExecutables = 1024;
constexpr int64_t kKeepExecutablesNs = 10 * kNsPerS;
constexpr size_t kLongestProcFile = 1U << 20;
constexpr std::string_view kDeletedMark = " (deleted)";

int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * kNsPerS + now.tv_nsec;
}

bool same_file(const struct stat& left, const struct stat& right) {
  return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/// uid → name, from our own reading of /etc/passwd: the C library's would load its name service
/// modules, which cost more than all the rest and may ask the network. They are asked only for a
/// uid that the file does not have (LDAP, systemd's dynamic users).
class UserNames {
 public:
  const std::string& name(uint32_t uid) {
    if (!loaded_) load();
    const auto [found, is_new] = names_.try_emplace(uid);
    if (is_new) found->second = ask_name_service(uid);
    return found->second;
  }

 private:
  void load() {
    loaded_ = true;
    const auto text = base::read_file("/etc/passwd");
    if (!text) return;
    for (const auto& entry : format::parse_passwd(*text)) {
      names_.try_emplace(entry.uid, entry.name);
    }
  }

  static std::string ask_name_service(uint32_t uid) {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
      return entry.pw_name;
    }
    return std::to_string(uid);
  }

  bool loaded_ = false;
  std::unordered_map<uint32_t, std::string> names_;
};

class ProcessReader final : public ports::ProcessSource {
 public:
  explicit ProcessReader(const std::string& proc_path)
      : proc_(::open(proc_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
        ns_per_tick_(static_cast<uint64_t>(kNsPerS / std::max(1L, ::sysconf(_SC_CLK_TCK)))),
        booted_at_ns_(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME)) {
    ::stat("/", &own_root_);
  }

  model::Process read(int32_t pid, uint64_t start_time_ns) override;
  std::vector<model::Ancestor> ancestors(int32_t pid) override;
  ports::ProcessTraces traces(uint32_t uid, uint64_t cgroup_id) override {
    return {users_.name(uid), cgroups_.placement(cgroup_id)};
  }
  void forget() override;
  std::string executable_behind(const std::string& called) override;

 private:
  struct Parentage {
    uint64_t start_ticks = 0;
    int32_t parent_pid = 0;
    std::string command;
  };

  enum class Look : uint8_t { kFine, kHidden, kGone };

  Look read_stat(int directory);
  bool still_runs(int directory);
  Look read_executable(int directory, model::Process& out);
  void read_script(int directory, model::Process& out);
  bool is_elsewhere(int directory, const struct stat& file, const model::Process& process) const;
  const Parentage* parentage(int32_t pid);

  base::Fd proc_;
  uint64_t ns_per_tick_;
  int64_t booted_at_ns_;
  struct stat own_root_{};
  UserNames users_;
  int64_t users_since_ns_ = clock_ns(CLOCK_BOOTTIME);
  CgroupTree cgroups_;
  std::unordered_map<std::string, std::string> executables_;
  int64_t executables_since_ns_ = 0;
  std::unordered_map<int32_t, std::optional<Parentage>> parentage_;
  std::string text_;       ///< of the file read last, kept for its capacity
  format::ProcStat stat_;  ///< read last; its command lives in text_
};

model::Process gone(int32_t pid) {
  model::Process out;
  out.pid = pid;
  out.gone = true;
  return out;
}

/// /proc has no such entry. Mounted with hidepid=2 it hides other users' processes altogether; the
/// kernel still tells a process that we may not signal from one that does not exist.
model::Process without_entry(int32_t pid) {
  model::Process out = gone(pid);
  if (::kill(pid, 0) != 0 && errno == EPERM) {
    out.gone = false;
    out.details_hidden = true;
  }
  return out;
}

bool has_ended(const format::ProcStat& stat) { return stat.state == 'Z' || stat.state == 'X'; }

bool means_gone(int error_number) { return error_number == ENOENT || error_number == ESRCH; }

/// The leading thread of this process has ended while others run on: only theirs still tell what
/// the process is. The directory of the first one that has a program, or nothing.
base::Fd living_thread(int directory) {
  const int task = ::openat(directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(task < 0 ? nullptr : ::fdopendir(task),
                                                    ::closedir);
  if (listing == nullptr) return {};
  // The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe)
  while (const dirent* entry = ::readdir(listing.get())) {
    if (entry->d_name[0] == '.') continue;
    base::Fd thread(::openat(task, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!thread.valid()) continue;
    std::array<char, 1> first_byte{};
    const ssize_t length = ::readlinkat(thread.get(), "exe", first_byte.data(), first_byte.size());
    if (length >= 0 || !means_gone(errno)) return thread;
  }
  return {};
}

ProcessReader::Look ProcessReader::read_stat(int directory) {
  if (auto read = base::read_file_at(directory, "stat", text_, kLongestProcFile); !read) {
    return read.error().kind == base::ErrorKind::kPermission ? Look::kHidden : Look::kGone;
  }
  const auto stat = format::parse_proc_stat(text_);
  if (!stat) return Look::kGone;
  stat_ = *stat;
  return Look::kFine;
}

bool ProcessReader::still_runs(int directory) {
  return read_stat(directory) != Look::kGone && !has_ended(stat_);
}

// Fills exe, exe_deleted, exe_elsewhere and details_hidden.
ProcessReader::Look ProcessReader::read_executable(int directory, model::Process& out) {
  std::array<char, 4097> target{};
  const ssize_t length = ::readlinkat(directory, "exe", target.data(), target.size());
  if (length < 0) {
    if (errno == EACCES || errno == EPERM) return Look::kHidden;
    return still_runs(directory) ? Look::kFine : Look::kGone;
  }
  out.exe.assign(target.data(), static_cast<size_t>(length));
  struct stat file{};
  if (::fstatat(directory, "exe", &file, 0) != 0) {
    return means_gone(errno) && !still_runs(directory) ? Look::kGone : Look::kHidden;
  }
  if (out.exe.ends_with(kDeletedMark)) {
    // A file may really be called "x (deleted)". Then it is there, seen from the process's root.
    struct stat by_name{};
    const std::string inside = "root" + out.exe;
    const bool is_its_name = file.st_nlink > 0 &&
                             ::fstatat(directory, inside.c_str(), &by_name, 0) == 0 &&
                             same_file(file, by_name);
    if (!is_its_name) {
      out.exe.resize(out.exe.size() - kDeletedMark.size());
      out.exe_deleted = true;
      const std::string path = "root" + out.exe;
      out.exe_replaced = ::fstatat(directory, path.c_str(), &by_name, 0) == 0;
    }
  }
  out.exe_elsewhere = is_elsewhere(directory, file, out);
  return Look::kFine;
}

// A path counts only where a file is: so neither a rewritten command line nor an option that we do
// not know makes one up.
void ProcessReader::read_script(int directory, model::Process& out) {
  const std::string_view program =
      std::string_view(out.exe).substr(out.exe.rfind('/') + 1);  // npos + 1 is 0
  if (!format::is_script_interpreter(program)) return;
  if (!base::read_file_at(directory, "cmdline", text_, kLongestProcFile)) return;
  model::Script script = format::find_script_argument(program, text_);
  if (script.kind == model::ScriptKind::kFile) {
    const bool absolute = script.name.starts_with('/');
    const std::string path = (absolute ? "root" : "cwd/") + script.name;
    struct stat file{};
    if (::fstatat(directory, path.c_str(), &file, 0) != 0 || !S_ISREG(file.st_mode)) return;
    if (!absolute) {
      std::array<char, 4097> folder{};
      const ssize_t length = ::readlinkat(directory, "cwd", folder.data(), folder.size());
      if (length <= 0) return;
      script.name.insert(0, std::string(folder.data(), static_cast<size_t>(length)) + "/");
    }
  }
  out.script = std::move(script);
}

bool ProcessReader::is_elsewhere(int directory, const struct stat& file,
                                 const model::Process& process) const {
  struct stat other{};
  if (!process.exe_deleted) {
    if (::stat(process.exe.c_str(), &other) == 0) return !same_file(file, other);
    if (means_gone(errno)) return true;
  }
  // The name cannot decide; whether the process has the same root as we have nearly can.
  return ::fstatat(directory, "root", &other, 0) == 0 && !same_file(own_root_, other);
}

// The entry of /proc that `directory` refers to is bound to one process: should it end and its pid
// be used again, reads through the descriptor fail rather than tell of the newcomer. So one
// comparison of the start time is enough, and a failure at the end means that it has ended.
model::Process ProcessReader::read(int32_t pid, uint64_t start_time_ns) {
  if (pid <= 0) return gone(pid);
  model::Process out;
  out.pid = pid;
  const base::Fd directory(
      ::openat(proc_.get(), std::to_string(pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) {
    if (means_gone(errno)) return without_entry(pid);
    out.details_hidden = true;
    return out;
  }
  if (const Look look = read_stat(directory.get()); look != Look::kFine) {
    if (look == Look::kGone) return gone(pid);
    out.details_hidden = true;
    return out;
  }
  if (start_time_ns != 0 && start_time_ns / ns_per_tick_ != stat_.start_ticks) return gone(pid);
  parentage_.insert_or_assign(
      pid, Parentage{stat_.start_ticks, stat_.parent_pid, std::string(stat_.command)});
  out.parent_pid = stat_.parent_pid;
  out.command = stat_.command;
  out.is_kernel_thread = stat_.is_kernel_thread;
  out.start_time_ns = stat_.start_ticks * ns_per_tick_;
  out.start_time_unix_s = (booted_at_ns_ + static_cast<int64_t>(out.start_time_ns)) / kNsPerS;

  base::Fd thread;
  int where = directory.get();
  if (has_ended(stat_)) {
    thread = living_thread(where);
    if (!thread.valid()) return gone(pid);
    where = thread.get();
  }
  // The owner of /proc/PID itself is the effective user, even where its files are given to root.
  struct stat entry{};
  if (::fstat(directory.get(), &entry) != 0) return gone(pid);
  out.uid = entry.st_uid;
  if (!out.is_kernel_thread) {
    const Look look = read_executable(where, out);
    if (look == Look::kGone) return gone(pid);
    out.details_hidden = look == Look::kHidden;
    read_script(where, out);
  }
  if (auto cgroup = base::read_file_at(where, "cgroup", text_, kLongestProcFile); cgroup) {
    out.placement = format::parse_cgroup(text_);
  } else if (cgroup.error().kind == base::ErrorKind::kNotFound && !still_runs(where)) {
    return gone(pid);
  }
  out.user = users_.name(out.uid);
  return out;
}

const ProcessReader::Parentage* ProcessReader::parentage(int32_t pid) {
  const auto [found, is_new] = parentage_.try_emplace(pid);
  std::optional<Parentage>& known = found->second;
  const std::string path = std::to_string(pid) + "/stat";
  if (is_new && base::read_file_at(proc_.get(), path.c_str(), text_, kLongestProcFile)) {
    if (const auto stat = format::parse_proc_stat(text_)) {
      known = Parentage{stat->start_ticks, stat->parent_pid, std::string(stat->command)};
    }
  }
  return known ? &*known : nullptr;
}

// Pids are used again within seconds on a busy machine, names of users hardly ever.
void ProcessReader::forget() {
  parentage_.clear();
  const int64_t now_ns = clock_ns(CLOCK_BOOTTIME);
  if (now_ns - users_since_ns_ < kKeepUsersNs) return;
  users_ = {};
  users_since_ns_ = now_ns;
}

std::vector<model::Ancestor> ProcessReader::ancestors(int32_t pid) {
  std::vector<model::Ancestor> out;
  const Parentage* child = parentage(pid);
  while (child != nullptr && child->parent_pid != 0 && out.size() < kMostAncestors) {
    const int32_t parent_pid = child->parent_pid;
    const bool seen =
        parent_pid == pid || std::ranges::find(out, parent_pid, &model::Ancestor::pid) != out.end();
    const Parentage* parent = seen ? nullptr : parentage(parent_pid);
    // Nobody starts before his parent: this one's pid belonged to another when the child was read.
    if (parent == nullptr || parent->start_ticks > child->start_ticks) break;
    out.push_back({parent_pid, parent->command});
    child = parent;
  }
  return out;
}

std::string ProcessReader::executable_behind(const std::string& called) {
  const int64_t now_ns = clock_ns(CLOCK_BOOTTIME);
  if (executables_.size() >= kMostExecutables ||
      now_ns - executables_since_ns_ > kKeepExecutablesNs) {
    executables_.clear();
    executables_since_ns_ = now_ns;
  }
  const auto [found, is_new] = executables_.try_emplace(called);
  if (is_new) found->second = host::executable_behind(called);
  return found->second;
}

}  // namespace

std::unique_ptr<ports::ProcessSource> make_process_reader(const std::string& proc_path) {
  return std::make_unique<ProcessReader>(proc_path);
}

}  // namespace host
