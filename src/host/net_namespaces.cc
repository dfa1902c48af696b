#include "host/net_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "host/directory_entries.h"
#include "host/number_path.h"

namespace host {
namespace {

constexpr const char* kOwnPath = "/proc/thread-self/ns/net";
constexpr std::array<const char*, 2> kNameDirectories{"/run/netns", "/run/docker/netns"};
constexpr size_t kPidsKept = 4;

base::Fd open_directory(int at, const char* path) {
  return base::Fd(::openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// "net:[4026531840]"
std::optional<uint32_t> parse_link(std::string_view target) {
  if (!target.starts_with("net:[") || !target.ends_with(']')) return std::nullopt;
  return base::parse_number<uint32_t>(target.substr(5, target.size() - 6));
}

/// The inode that the link /proc/`path` names; errno tells why there is none.
std::optional<uint32_t> read_namespace_link(int proc_fd, const char* path) {
  std::array<char, 64> target{};
  const ssize_t length = ::readlinkat(proc_fd, path, target.data(), target.size());
  if (length < 0) return std::nullopt;
  errno = 0;
  return parse_link({target.data(), static_cast<size_t>(length)});
}

/// The namespaces found so far, findable by inode.
class Collection {
 public:
  explicit Collection(NamespaceRef own) { add(own.inode) = std::move(own); }

  NamespaceRef& add(uint32_t inode) {
    const auto [place, is_new] = index_.try_emplace(inode, list_.namespaces.size());
    if (is_new) list_.namespaces.emplace_back().inode = inode;
    return list_.namespaces[place->second];
  }
  void add_process(uint32_t inode, int32_t pid) {
    NamespaceRef& ref = add(inode);
    if (ref.pids.size() < kPidsKept) ref.pids.push_back(pid);
  }
  void add_hidden(int32_t pid) {
    ++list_.processes_hidden;
    if (list_.hidden_pids.size() < kPidsKept) list_.hidden_pids.push_back(pid);
  }
  NamespaceList take() && { return std::move(list_); }

 private:
  NamespaceList list_;
  std::unordered_map<uint32_t, size_t> index_;
};

void add_named(const char* path, dev_t namespace_device, std::span<char> buffer,
               Collection& found) {
  const base::Fd directory = open_directory(AT_FDCWD, path);
  if (!directory.valid()) return;
  for_each_name(directory.get(), buffer, [&](const std::string_view name) {
    struct stat status{};
    if (::fstatat(directory.get(), name.data(), &status, 0) != 0) return;
    // A file on which no namespace is mounted (any more) is on another device.
    if (status.st_dev != namespace_device) return;
    NamespaceRef& ref = found.add(static_cast<uint32_t>(status.st_ino));
    if (!ref.name.empty()) return;
    ref.name = name;
    ref.mount = std::string(path) + "/" + ref.name;
  });
}

/// A process whose first thread has ended has no namespace of its own; its other threads do, and
/// need not share one.
void add_threads(int proc_fd, int32_t pid, Collection& found) {
  const base::Fd tasks = open_directory(proc_fd, NumberPath(pid, "", "/task").c_str());
  if (!tasks.valid()) return;
  std::array<char, 4096> buffer;
  for_each_number(tasks.get(), buffer, [&](int32_t tid) {
    // /proc lists no threads, but opens them by number as it does processes.
    const NumberPath link(tid, "", "/ns/net");
    if (const auto inode = read_namespace_link(tasks.get(), link.c_str())) {
      found.add_process(*inode, tid);
    }
  });
}

void add_of_process(int proc_fd, int32_t pid, Collection& found) {
  const NumberPath link(pid, "", "/ns/net");
  if (const auto inode = read_namespace_link(proc_fd, link.c_str())) {
    found.add_process(*inode, pid);
  } else if (errno == EACCES || errno == EPERM) {
    found.add_hidden(pid);
  } else if (errno == ENOENT) {
    add_threads(proc_fd, pid, found);
  }
}

}  // namespace

base::Result<uint32_t> net_namespace_inode(int netns_fd) {
  struct stat status{};
  if (::fstat(netns_fd, &status) != 0)
    return base::fail_errno("look at a network namespace", errno);
  return static_cast<uint32_t>(status.st_ino);
}

base::Result<NamespaceRef> own_net_namespace() {
  struct stat status{};
  if (::stat(kOwnPath, &status) != 0) {
    return base::fail_errno(std::string("look at ") + kOwnPath + " (is /proc mounted?)", errno);
  }
  NamespaceRef own;
  own.inode = static_cast<uint32_t>(status.st_ino);
  own.own = true;
  return own;
}

base::Result<NamespaceList> find_net_namespaces() {
  auto own = own_net_namespace();
  if (!own) return std::unexpected(own.error());
  struct stat status{};
  if (::stat(kOwnPath, &status) != 0) return base::fail_errno("look at our own namespace", errno);
  Collection found(std::move(*own));
  const auto storage = std::make_unique_for_overwrite<char[]>(kDirectoryBufferBytes);
  const std::span<char> buffer(storage.get(), kDirectoryBufferBytes);
  for (const char* path : kNameDirectories) add_named(path, status.st_dev, buffer, found);
  const base::Fd proc = open_directory(AT_FDCWD, "/proc");
  const bool whole = proc.valid() && for_each_number(proc.get(), buffer, [&](int32_t pid) {
                       add_of_process(proc.get(), pid, found);
                     });
  if (!whole) return base::fail_errno("list /proc", errno);
  return std::move(found).take();
}

base::Result<base::Fd> open_net_namespace(const NamespaceRef& ref) {
  std::vector<std::string> paths;
  if (ref.own) paths.emplace_back(kOwnPath);
  if (!ref.mount.empty()) paths.push_back(ref.mount);
  for (const int32_t pid : ref.pids) paths.push_back("/proc/" + std::to_string(pid) + "/ns/net");
  int error_number = ENOENT;
  for (const std::string& path : paths) {
    base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) {
      // That one way is gone says less than that another is barred.
      if (error_number == ENOENT) error_number = errno;
      continue;
    }
    const auto inode = net_namespace_inode(fd.get());
    if (inode && *inode == ref.inode) return fd;
  }
  return base::fail_errno("open network namespace " + std::to_string(ref.inode), error_number);
}

base::Result<void> enter_net_namespace(int netns_fd) {
  if (::setns(netns_fd, CLONE_NEWNET) == 0) return {};
  auto failure = base::fail_errno("enter a network namespace", errno);
  if (failure.error().kind == base::ErrorKind::kPermission) {
    failure.error().message += "; it takes CAP_SYS_ADMIN (run as root)";
  }
  return failure;
}

base::Result<void> run_in_net_namespace(int netns_fd,
                                        const std::function<base::Result<void>()>& work) {
  base::Result<void> result;
  try {
    std::thread worker([&] {
      result = enter_net_namespace(netns_fd);
      if (result) result = work();
    });
    worker.join();
  } catch (const std::system_error& error) {
    return base::fail_errno("start a thread to enter a network namespace", error.code().value());
  }
  return result;
}

}  // namespace host
