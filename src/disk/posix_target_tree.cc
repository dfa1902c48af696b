#include "disk/posix_target_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>

#include "base/fd.h"
#include "base/file.h"
#include "disk/posix_metadata.h"

namespace disk {
namespace {

using model::FileType;

/// What all of one restore share.
struct Shared {
  base::Fd root;
  bool numeric_owners = false;
  std::mutex mutex;
  OwnerNames owners;

  uint32_t uid(const model::TreeEntry& entry) {
    const std::scoped_lock lock(mutex);
    return numeric_owners ? entry.uid : owners.uid(entry.user, entry.uid);
  }
  uint32_t gid(const model::TreeEntry& entry) {
    const std::scoped_lock lock(mutex);
    return numeric_owners ? entry.gid : owners.gid(entry.group, entry.gid);
  }
};

/// Opens a directory below `root`, through no symbolic link: who owns what was restored may have
/// put one there since.
base::Fd open_below(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return base::Fd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how))));
}

base::Result<backup::LinkTarget> target_of(const struct stat& status, const std::string& path) {
  return backup::LinkTarget{.path = path, .device = status.st_dev, .inode = status.st_ino};
}

/// A directory that is being filled, by several threads; finished means that it has its attributes.
struct OpenDirectory {
  explicit OpenDirectory(base::Fd of) : fd(std::move(of)) {}
  base::Fd fd;
  std::mutex mutex;
  bool finished = false;
};

/// What the target's file system says of one file, as opposed to what it says of itself.
std::unexpected<base::Error> refused(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return base::fail_errno(
          "the restore stopped: the target takes no more data; make room "
          "and restore again to an empty directory",
          error_number);
    case EIO:
    case EROFS:
    case ENODEV:
    case ENXIO:
    case ESTALE:
      return base::fail_errno("the restore stopped: the target cannot be written to", error_number);
    default:
      return base::fail(base::ErrorKind::kUnsupported,
                        base::fail_errno("the target's file system does not take it", error_number)
                            .error()
                            .message);
  }
}

class PosixTargetFile : public backup::TargetFile {
 public:
  PosixTargetFile(base::Fd fd, std::shared_ptr<OpenDirectory> directory, std::string name,
                  Shared& shared)
      : fd_(std::move(fd)),
        directory_(std::move(directory)),
        name_(std::move(name)),
        shared_(shared) {}

  base::Result<void> write(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t done =
          ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return refused(errno);
      offset += static_cast<uint64_t>(done);
      uint64_t before = end_;
      while (before < offset && !end_.compare_exchange_weak(before, offset)) {
      }
      bytes.remove_prefix(static_cast<size_t>(done));
    }
    return {};
  }

  base::Result<backup::Unset> finish(const model::TreeEntry& entry) override {
    if (end_ != entry.size && ::ftruncate(fd_.get(), static_cast<off_t>(entry.size)) != 0)
      return refused(errno);
    return apply_metadata(fd_.get(), entry, shared_.uid(entry), shared_.gid(entry));
  }

  base::Result<void> discard() override {
    const std::scoped_lock lock(directory_->mutex);
    const int directory = directory_->fd.get();
    struct stat before{};
    if (!directory_->finished || ::fstat(directory, &before) != 0) return unlink_it();
    // A directory that nobody may write to must let go of it all the same, and be as it was.
    const uint32_t flags = read_flags(directory);
    if (flags != 0) disk::set_flags(directory, 0);
    const bool opened = ::fchmod(directory, before.st_mode | S_IRWXU) == 0;
    auto gone = unlink_it();
    if (opened) static_cast<void>(::fchmod(directory, before.st_mode));
    const std::array<timespec, 2> times{timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                        before.st_mtim};
    static_cast<void>(::futimens(directory, times.data()));
    if (flags != 0) disk::set_flags(directory, flags);
    return gone;
  }

 private:
  base::Result<void> unlink_it() {
    if (::unlinkat(directory_->fd.get(), name_.c_str(), 0) != 0 && errno != ENOENT)
      return base::fail_errno("unlink", errno);
    return {};
  }

  base::Fd fd_;
  std::shared_ptr<OpenDirectory> directory_;
  std::string name_;
  Shared& shared_;
  std::atomic<uint64_t> end_ = 0;
};

class PosixTargetDirectory : public backup::TargetDirectory {
 public:
  PosixTargetDirectory(base::Fd fd, std::shared_ptr<Shared> shared)
      : open_(std::make_shared<OpenDirectory>(std::move(fd))), shared_(std::move(shared)) {}

  base::Result<std::unique_ptr<backup::TargetFile>> make_file(const std::string& name) override {
    base::Fd fd(::openat(open_->fd.get(), name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) return base::fail_errno("cannot be made", errno);
    return std::make_unique<PosixTargetFile>(std::move(fd), open_, name, *shared_);
  }

  base::Result<std::unique_ptr<backup::TargetDirectory>> make_directory(
      const std::string& name) override {
    if (::mkdirat(open_->fd.get(), name.c_str(), 0700) != 0)
      return base::fail_errno("cannot be made", errno);
    return open_directory(name);
  }

  base::Result<std::unique_ptr<backup::TargetDirectory>> enter(const std::string& name) override {
    if (::mkdirat(open_->fd.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
      return base::fail_errno("cannot be restored: " + name + " cannot be made", errno);
    return open_directory(name);
  }

  base::Result<backup::Unset> make_other(const std::string& name,
                                         const model::TreeEntry& entry) override {
    if (const auto made = make_node(name, entry); !made) return std::unexpected(made.error());
    return apply_metadata_at(open_->fd.get(), name, entry, shared_->uid(entry),
                             shared_->gid(entry));
  }

  base::Result<backup::LinkTarget> link_target(const std::string& name,
                                               const std::string& path) override {
    struct stat status{};
    if (::fstatat(open_->fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return base::fail_errno("cannot be looked at", errno);
    return target_of(status, path);
  }

  base::Result<void> make_link(const std::string& name, const backup::LinkTarget& target) override {
    const size_t slash = target.path.rfind('/');
    const bool is_deep = slash != std::string::npos;
    const base::Fd parent =
        open_below(shared_->root.get(), is_deep ? target.path.substr(0, slash) : ".");
    const std::string earlier = is_deep ? target.path.substr(slash + 1) : target.path;
    if (!parent.valid() ||
        ::linkat(parent.get(), earlier.c_str(), open_->fd.get(), name.c_str(), 0) != 0) {
      return base::fail_errno("no other name can be made for " + target.path, errno);
    }
    const auto made = link_target(name, "");
    if (made && made->device == target.device && made->inode == target.inode) return {};
    static_cast<void>(::unlinkat(open_->fd.get(), name.c_str(), 0));
    return base::fail(base::ErrorKind::kIo, target.path + " is not what was restored there");
  }

  base::Result<void> set_flags(const backup::LinkTarget& target, uint32_t flags) override {
    const size_t slash = target.path.rfind('/');
    const bool is_deep = slash != std::string::npos;
    const base::Fd parent =
        open_below(shared_->root.get(), is_deep ? target.path.substr(0, slash) : ".");
    const std::string name = is_deep ? target.path.substr(slash + 1) : target.path;
    const base::Fd file(::openat(parent.get(), name.c_str(),
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status{};
    if (!file.valid() || ::fstat(file.get(), &status) != 0 || status.st_dev != target.device ||
        status.st_ino != target.inode || !disk::set_flags(file.get(), flags)) {
      return base::fail_errno("its flags cannot be set", errno);
    }
    return {};
  }

  base::Result<backup::Unset> finish(const model::TreeEntry& entry) override {
    const std::scoped_lock lock(open_->mutex);
    open_->finished = true;
    return apply_metadata(open_->fd.get(), entry, shared_->uid(entry), shared_->gid(entry));
  }

  base::Result<void> sync() override {
    // It reports what could not be written back, too.
    if (::syncfs(open_->fd.get()) != 0) {
      return base::fail_errno(
          "all was restored, and not all of it reached the target's disk: do not rely on it, and "
          "restore again to an empty directory",
          errno);
    }
    return {};
  }

 private:
  base::Result<std::unique_ptr<backup::TargetDirectory>> open_directory(const std::string& name) {
    base::Fd fd(
        ::openat(open_->fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return base::fail_errno("cannot be entered", errno);
    return std::make_unique<PosixTargetDirectory>(std::move(fd), shared_);
  }

  base::Result<void> make_node(const std::string& name, const model::TreeEntry& entry) {
    int done = -1;
    if (entry.type == FileType::kSymlink) {
      done = ::symlinkat(entry.target.c_str(), open_->fd.get(), name.c_str());
    } else {
      const mode_t type = entry.type == FileType::kFifo              ? S_IFIFO
                          : entry.type == FileType::kSocket          ? S_IFSOCK
                          : entry.type == FileType::kCharacterDevice ? S_IFCHR
                                                                     : S_IFBLK;
      done =
          ::mknodat(open_->fd.get(), name.c_str(), type | 0600, makedev(entry.major, entry.minor));
    }
    if (done != 0) return base::fail_errno("cannot be made", errno);
    return {};
  }

  std::shared_ptr<OpenDirectory> open_;
  std::shared_ptr<Shared> shared_;
};

base::Result<bool> is_empty(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(path.c_str()), &::closedir);
  if (!stream) return base::fail_errno("cannot list " + path, errno);
  // The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe)
  while (const dirent* found = ::readdir(stream.get())) {
    if (std::strcmp(found->d_name, ".") != 0 && std::strcmp(found->d_name, "..") != 0) return false;
  }
  return true;
}

}  // namespace

base::Result<std::unique_ptr<backup::TargetDirectory>> open_posix_target(const std::string& path,
                                                                         bool numeric_owners) {
  if (const auto made = base::make_directories(path); !made) return std::unexpected(made.error());
  const auto empty = is_empty(path);
  if (!empty) return std::unexpected(empty.error());
  if (!*empty) {
    return base::fail(base::ErrorKind::kUsage,
                      path +
                          " is not empty, and a restore writes over nothing: name a new "
                          "directory");
  }
  auto shared = std::make_shared<Shared>();
  shared->numeric_owners = numeric_owners;
  shared->root = base::Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  base::Fd own(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!shared->root.valid() || !own.valid()) return base::fail_errno("cannot open " + path, errno);
  return std::make_unique<PosixTargetDirectory>(std::move(own), std::move(shared));
}

}  // namespace disk
