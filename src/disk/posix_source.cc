#include "disk/posix_source.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <optional>

#include "base/fd.h"
#include "base/file.h"

namespace disk {
namespace {

using model::FileType;
using model::TreeEntry;

std::optional<FileType> type_of_mode(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileType::kFile;
    case S_IFDIR:
      return FileType::kDirectory;
    case S_IFLNK:
      return FileType::kSymlink;
    case S_IFCHR:
      return FileType::kCharacterDevice;
    case S_IFBLK:
      return FileType::kBlockDevice;
    case S_IFIFO:
      return FileType::kFifo;
    case S_IFSOCK:
      return FileType::kSocket;
    default:
      return std::nullopt;
  }
}

model::Timestamp time_of(const statx_timestamp& time) {
  return {.seconds = time.tv_sec, .nanoseconds = time.tv_nsec};
}

/// Errors here are completed with the path by the caller.
base::Result<TreeEntry> entry_of(int fd, const char* name, PosixSource::Shared& shared) {
  struct statx status;
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
  if (statx(fd, name, flags, STATX_BASIC_STATS, &status) != 0)
    return base::fail_errno("cannot look at it", errno);
  const auto type = type_of_mode(status.stx_mode);
  if (!type) return base::fail(base::ErrorKind::kUnsupported, "is of a kind that is not known");
  TreeEntry entry;
  entry.type = *type;
  entry.mode = status.stx_mode & 07777U;
  entry.uid = status.stx_uid;
  entry.gid = status.stx_gid;
  entry.user = shared.owners.user(status.stx_uid);
  entry.group = shared.owners.group(status.stx_gid);
  entry.modified = time_of(status.stx_mtime);
  entry.changed = time_of(status.stx_ctime);
  entry.inode = status.stx_ino;
  entry.device = shared.devices
                     .try_emplace({status.stx_dev_major, status.stx_dev_minor},
                                  static_cast<uint32_t>(shared.devices.size()))
                     .first->second;
  entry.links = status.stx_nlink;
  if (*type == FileType::kFile) entry.size = status.stx_size;
  if (*type == FileType::kCharacterDevice || *type == FileType::kBlockDevice) {
    entry.major = status.stx_rdev_major;
    entry.minor = status.stx_rdev_minor;
  }
  return entry;
}

base::Result<TreeEntry> look_at_open(int fd, PosixSource::Shared& shared, backup::Unread& unread) {
  unread.clear();
  auto entry = entry_of(fd, "", shared);
  if (!entry) return entry;
  entry->attributes = read_attributes(fd, unread);
  entry->flags = read_flags(fd);
  return entry;
}

/// Without a new access time where we may ask for that.
base::Fd open_quietly(int directory, const char* name, int flags) {
  const int all = flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  base::Fd fd(openat(directory, name, all | O_NOATIME));
  if (!fd.valid() && errno == EPERM) fd = base::Fd(openat(directory, name, all));
  return fd;
}

/// What is read there is no data, may have no end (/proc/kcore), and may do something.
bool is_made_up(uint32_t file_system) {
  static constexpr auto kMadeUp = std::to_array<uint32_t>({
      PROC_SUPER_MAGIC,
      SYSFS_MAGIC,
      DEVPTS_SUPER_MAGIC,
      DEBUGFS_MAGIC,
      TRACEFS_MAGIC,
      SECURITYFS_MAGIC,
      SELINUX_MAGIC,
      CGROUP_SUPER_MAGIC,
      CGROUP2_SUPER_MAGIC,
      BPF_FS_MAGIC,
      PSTOREFS_MAGIC,
      EFIVARFS_MAGIC,
      BINFMTFS_MAGIC,
      NSFS_MAGIC,
  });
  return std::ranges::find(kMadeUp, file_system) != kMadeUp.end();
}

/// An error of opening; what is of another type by now has gone.
std::unexpected<base::Error> opening_failed(const char* tried, int error_number) {
  if (error_number == ELOOP || error_number == ENOTDIR || error_number == ENXIO)
    return base::fail(base::ErrorKind::kNotFound, "is something else by now");
  return base::fail_errno(tried, error_number);
}

class PosixFile final : public backup::FileReader {
 public:
  PosixFile(base::Fd fd, PosixSource::Shared& shared) : fd_(std::move(fd)), shared_(shared) {}

  base::Result<TreeEntry> look() override { return look_at_open(fd_.get(), shared_, unread_); }
  backup::Unread unread() override { return unread_; }
  base::Result<TreeEntry> stat() override { return entry_of(fd_.get(), "", shared_); }

  std::vector<model::Hole> holes(uint64_t size) override {
    std::vector<model::Hole> out;
    struct stat status;
    // As many blocks as it takes to hold all of it: the usual file needs no search.
    if (fstat(fd_.get(), &status) != 0 || static_cast<uint64_t>(status.st_blocks) * 512 >= size)
      return out;
    const auto end = static_cast<off_t>(size);
    for (off_t at = 0; at < end;) {
      off_t data = lseek(fd_.get(), at, SEEK_DATA);
      if (data < 0 && errno != ENXIO) return {};  // the file system cannot tell: read it all
      if (data < 0 || data > end) data = end;
      if (data > at)
        out.push_back(
            {.offset = static_cast<uint64_t>(at), .length = static_cast<uint64_t>(data - at)});
      if (data >= end) break;
      at = lseek(fd_.get(), data, SEEK_HOLE);
      if (at < 0) return {};
    }
    return out;
  }

  base::Result<size_t> read(uint64_t offset, std::span<char> out) override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t got =
          pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return base::fail_errno("cannot read it", errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

 private:
  base::Fd fd_;
  PosixSource::Shared& shared_;
  backup::Unread unread_;
};

class PosixDirectory final : public backup::DirectoryReader {
 public:
  PosixDirectory(base::Fd fd, PosixSource::Shared& shared) : fd_(std::move(fd)), shared_(shared) {}

  base::Result<std::vector<std::string>> names() override {
    const int copy = openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return base::fail_errno("cannot read the directory", errno);
    const std::unique_ptr<DIR, decltype(&closedir)> directory(fdopendir(copy), &closedir);
    if (!directory) return base::fail_errno("cannot read the directory", errno);
    std::vector<std::string> out;
    errno = 0;
    // The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe)
    while (const dirent* entry = readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") out.emplace_back(name);
      errno = 0;
    }
    if (errno != 0) return base::fail_errno("cannot read the directory", errno);
    return out;
  }

  base::Result<TreeEntry> stat(const std::string& name) override {
    auto entry = entry_of(fd_.get(), name.c_str(), shared_);
    if (entry) entry->name = name;
    return entry;
  }

  base::Result<void> complete(TreeEntry& entry) override {
    if (entry.type == FileType::kSymlink) {
      auto target = base::read_link_at(fd_.get(), entry.name.c_str());
      if (!target) return std::unexpected(target.error());
      entry.target = std::move(*target);
    }
    unread_.clear();
    entry.attributes = read_attributes_of_link(path_in(fd_.get(), entry.name), unread_);
    return {};
  }

  base::Result<std::unique_ptr<backup::FileReader>> open_file(const std::string& name) override {
    base::Fd fd = open_quietly(fd_.get(), name.c_str(), 0);
    if (!fd.valid()) return opening_failed("cannot open it", errno);
    struct stat status;
    if (fstat(fd.get(), &status) != 0) return base::fail_errno("cannot look at it", errno);
    if (!S_ISREG(status.st_mode))
      return base::fail(base::ErrorKind::kNotFound, "is no regular file any more");
    posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    return std::make_unique<PosixFile>(std::move(fd), shared_);
  }

  base::Result<std::unique_ptr<backup::DirectoryReader>> open_directory(
      const std::string& name) override {
    base::Fd fd = open_quietly(fd_.get(), name.c_str(), O_DIRECTORY);
    if (!fd.valid()) return opening_failed("cannot open the directory", errno);
    return std::make_unique<PosixDirectory>(std::move(fd), shared_);
  }

  base::Result<TreeEntry> look() override { return look_at_open(fd_.get(), shared_, unread_); }
  backup::Unread unread() override { return unread_; }

  backup::DirectoryUse use() override {
    struct statfs system;
    if (fstatfs(fd_.get(), &system) == 0 && is_made_up(static_cast<uint32_t>(system.f_type)))
      return backup::DirectoryUse::kKeepEmpty;
    struct stat status;
    if (shared_.left_out && fstat(fd_.get(), &status) == 0 &&
        std::pair(status.st_dev, status.st_ino) == *shared_.left_out) {
      return backup::DirectoryUse::kLeaveOut;
    }
    return backup::DirectoryUse::kEnter;
  }

 private:
  base::Fd fd_;
  PosixSource::Shared& shared_;
  backup::Unread unread_;
};

}  // namespace

void PosixSource::leave_out(const std::string& directory) {
  struct stat status;
  if (::stat(directory.c_str(), &status) == 0)
    shared_.left_out = std::pair(status.st_dev, status.st_ino);
}

base::Result<std::unique_ptr<backup::DirectoryReader>> PosixSource::open_parent(
    const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  // Who may pass through a directory need not be allowed to list it.
  base::Fd fd(open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return base::fail_errno("cannot open " + parent, errno);
  return std::make_unique<PosixDirectory>(std::move(fd), shared_);
}

model::Timestamp PosixSource::now() {
  timespec time;
  clock_gettime(CLOCK_REALTIME_COARSE, &time);
  return {.seconds = time.tv_sec, .nanoseconds = static_cast<uint32_t>(time.tv_nsec)};
}

}  // namespace disk
