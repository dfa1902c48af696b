// DirectoryStore's sessions, locks, leftovers and reserve: what is not an object.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>

#include "disk/directory_store.h"
#include "disk/file_lock.h"

namespace disk {
namespace {

constexpr const char* kReserve = "reserve";
constexpr size_t kNoteLargest = 1U << 20;

class DirectorySession final : public repo::StoreSession {
 public:
  DirectorySession(base::Fd root, std::string name, base::Fd file)
      : root_(std::move(root)), name_(std::move(name)), file_(std::move(file)) {}
  DirectorySession(const DirectorySession&) = delete;
  DirectorySession& operator=(const DirectorySession&) = delete;
  ~DirectorySession() override { unlinkat(root_.get(), name_.c_str(), 0); }

  base::Result<void> note(std::string_view text) override {
    // Who reads it meanwhile sees less than there is, which only makes them more careful.
    if (ftruncate(file_.get(), 0) != 0)
      return base::fail_errno("cannot write a session's file", errno);
    for (size_t at = 0; at < text.size();) {
      const ssize_t written =
          pwrite(file_.get(), text.data() + at, text.size() - at, static_cast<off_t>(at));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return base::fail_errno("cannot write a session's file", errno);
      at += static_cast<size_t>(written);
    }
    return {};
  }
  bool stands() override {
    struct stat status;
    return fstat(file_.get(), &status) == 0 && status.st_nlink > 0;
  }

 private:
  base::Fd root_;
  std::string name_;
  base::Fd file_;
};

class DirectoryLock final : public repo::StoreLock {
 public:
  explicit DirectoryLock(base::Fd file) : file_(std::move(file)) {}

 private:
  base::Fd file_;
};

base::Result<std::string> read_note(int fd) {
  std::string note(kNoteLargest, '\0');
  const ssize_t got = pread(fd, note.data(), note.size(), 0);
  if (got < 0) return base::fail_errno("cannot read a session's file", errno);
  note.resize(static_cast<size_t>(got));
  return note;
}

/// Names in a directory; none where it is not there.
base::Result<std::vector<std::string>> names_in(int root, const char* folder) {
  std::vector<std::string> out;
  const int fd = openat(root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return out;
  const std::unique_ptr<DIR, decltype(&closedir)> directory(fd < 0 ? nullptr : fdopendir(fd),
                                                            &closedir);
  if (!directory) return base::fail_errno("cannot read " + std::string(folder), errno);
  errno = 0;
  // The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe)
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_name[0] != '.') out.push_back(std::string(folder) + "/" + entry->d_name);
    errno = 0;
  }
  if (errno != 0) return base::fail_errno("cannot read " + std::string(folder), errno);
  std::ranges::sort(out);
  return out;
}

}  // namespace

base::Result<std::unique_ptr<repo::StoreSession>> DirectoryStore::open_session(
    repo::SessionKind kind) {
  base::Fd root(fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  if (!root.valid()) return failed("open", "sessions", errno);
  struct stat status;
  if (kind == repo::SessionKind::kReader && fstatat(root_.get(), "sessions", &status, 0) != 0)
    return failed("look at", "sessions", errno);
  // It is locked before anybody can see it in sessions/.
  auto made = make_incoming(0600);
  if (!made) return std::unexpected(made.error());
  const std::string name = "sessions/" + made->name.substr(made->name.find('/') + 1);
  auto moved = make_parent(name);
  if (moved && renameat(root_.get(), made->name.c_str(), root_.get(), name.c_str()) != 0)
    moved = failed("make", name, errno);
  if (!moved) {
    unlinkat(root_.get(), made->name.c_str(), 0);
    return std::unexpected(moved.error());
  }
  return std::make_unique<DirectorySession>(std::move(root), name, std::move(made->file));
}

base::Result<std::vector<repo::SessionInfo>> DirectoryStore::sessions() {
  const auto names = names_in(root_.get(), "sessions");
  if (!names) return std::unexpected(names.error());
  std::vector<repo::SessionInfo> out;
  for (const std::string& name : *names) {
    const base::Fd file(openat(root_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.valid() && errno == ENOENT) continue;
    if (!file.valid()) return failed("open", name, errno);
    switch (lock_for_reading(file.get())) {
      case LockResult::kNoLocks:
        return base::fail(
            base::ErrorKind::kUnsupported,
            path_ +
                " is on a file system without locks, so nobody can tell whether the "
                "backup of " +
                name +
                " still runs; work on the machine that has the file system, or remove "
                "that file once you know that no backup runs");
      case LockResult::kLocked:  // its owner is dead; names are never used again
        if (unlinkat(root_.get(), name.c_str(), 0) != 0 && errno != ENOENT)
          return failed("remove", name, errno);
        break;
      case LockResult::kHeldByAnother:
        auto note = read_note(file.get());
        if (!note) return std::unexpected(note.error());
        // One that ended while we looked counts as there: that only makes us more careful.
        out.push_back({.name = name, .note = std::move(*note)});
    }
  }
  return out;
}

base::Result<std::unique_ptr<repo::StoreLock>> DirectoryStore::try_lock(const std::string& name) {
  // The file stays, so that whoever holds its lock holds that of the name.
  const std::string path = "locks/" + name;
  if (auto made = make_parent(path); !made) return std::unexpected(made.error());
  base::Fd file(openat(root_.get(), path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failed("open", path, errno);
  switch (lock_for_writing(file.get())) {
    case LockResult::kHeldByAnother:
      return nullptr;
    case LockResult::kNoLocks:
      return base::fail(base::ErrorKind::kUnsupported,
                        path_ +
                            " is on a file system without locks; work on the machine that has "
                            "the file system");
    case LockResult::kLocked:
      break;
  }
  return std::make_unique<DirectoryLock>(std::move(file));
}

base::Result<DirectoryStore::Leftovers> DirectoryStore::clear_leftovers() {
  const auto names = names_in(root_.get(), "incoming");
  if (!names) return std::unexpected(names.error());
  Leftovers out;
  for (const std::string& name : *names) {
    const base::Fd file(openat(root_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status;
    if (!file.valid() || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (lock_for_reading(file.get()) != LockResult::kLocked) continue;
    // Whoever made it and had no lock yet finds it gone and makes another. One that was renamed
    // into its place meanwhile has another name.
    if (unlinkat(root_.get(), name.c_str(), 0) != 0) continue;
    ++out.files;
    out.bytes += static_cast<uint64_t>(status.st_size);
  }
  return out;
}

base::Result<void> DirectoryStore::reserve(uint64_t bytes) {
  if (bytes == 0) {
    if (unlinkat(root_.get(), kReserve, 0) != 0 && errno != ENOENT)
      return failed("remove", kReserve, errno);
    return {};
  }
  const base::Fd file(
      openat(root_.get(), kReserve, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failed("make", kReserve, errno);
  // Blocks that are allocated, not a hole: a hole reserves nothing.
  const int error = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (error == 0) return {};
  unlinkat(root_.get(), kReserve, 0);
  return failed("set room aside in", kReserve, error);
}

}  // namespace disk
