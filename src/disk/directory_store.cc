#include "disk/directory_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "disk/file_lock.h"
#include "model/chunk_id.h"

namespace disk {
namespace {

constexpr size_t kAlignment = 4096;
constexpr size_t kBounceSize = 1U << 20;
constexpr size_t kLargeObject = 4U << 20;

std::string writer_name() {
  std::array<uint8_t, 8> bytes;
  base::fill_random(bytes);
  return model::to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string parent_of(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "." : name.substr(0, slash);
}

/// 0, or errno.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

/// Past the page cache, but for the last bytes; 0, EINVAL where that cannot be, or errno.
int write_direct(int fd, std::string_view bytes) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) != 0) return EINVAL;
  const std::unique_ptr<char, decltype(&free)> bounce(
      static_cast<char*>(aligned_alloc(kAlignment, kBounceSize)), &free);
  if (!bounce) return ENOMEM;
  const size_t whole = bytes.size() / kAlignment * kAlignment;
  for (size_t at = 0; at < whole; at += kBounceSize) {
    const size_t size = std::min(kBounceSize, whole - at);
    std::memcpy(bounce.get(), bytes.data() + at, size);
    if (const int error = write_all(fd, {bounce.get(), size}); error != 0) return error;
  }
  if (fcntl(fd, F_SETFL, flags) != 0) return errno;
  return write_all(fd, bytes.substr(whole));
}

struct Mapping {
  Mapping(void* at, size_t length) : address(at), size(length) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(address, size); }
  void* address;
  size_t size;
};

}  // namespace

DirectoryStore::DirectoryStore(std::string path, base::Fd root)
    : path_(std::move(path)), root_(std::move(root)), writer_(writer_name()) {}

std::unexpected<base::Error> DirectoryStore::failed(const char* tried, const std::string& name,
                                                    int error_number) const {
  return base::fail_errno(
      "cannot " + std::string(tried) + " " + base::escape_for_terminal(path_ + "/" + name),
      error_number);
}

base::Result<std::unique_ptr<DirectoryStore>> DirectoryStore::open(const std::string& path) {
  base::Fd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) {
    return base::fail_errno("cannot open the repository " + base::escape_for_terminal(path), errno);
  }
  return std::make_unique<DirectoryStore>(path, std::move(root));
}

base::Result<std::unique_ptr<DirectoryStore>> DirectoryStore::create(const std::string& path) {
  if (auto made = base::make_directories(path); !made) return std::unexpected(made.error());
  auto store = open(path);
  if (!store) return store;
  const std::unique_ptr<DIR, decltype(&closedir)> directory(opendir(path.c_str()), &closedir);
  if (!directory) return (*store)->failed("read", "", errno);
  // The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe)
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    // What an init that was interrupted leaves; a config is the store's user's to see.
    constexpr std::array<std::string_view, 9> kOurs{
        ".", "..", "keys", "key-copies", "incoming", "config", "config-copy", "reserve", "locks"};
    constexpr std::array<std::string_view, 9> kFolders{"packs",    "indexes", "snapshots",
                                                       "sessions", "holds",   "condemned",
                                                       "lost",     "damaged", "lost+found"};
    if (std::ranges::find(kOurs, name) == kOurs.end() &&
        std::ranges::find(kFolders, name) == kFolders.end()) {
      return base::fail(base::ErrorKind::kUsage,
                        base::escape_for_terminal(path) + " has something else in it (" +
                            base::escape_for_terminal(name) + "); name an empty or new directory");
    }
  }
  for (const char* folder :
       {"incoming", "keys", "key-copies", "packs", "indexes", "snapshots", "sessions"}) {
    if (mkdirat((*store)->root_.get(), folder, 0700) != 0 && errno != EEXIST)
      return (*store)->failed("make", folder, errno);
  }
  (*store)->unsynced_.insert(".");
  return store;
}

base::Result<void> DirectoryStore::make_parent(const std::string& name) {
  const std::string parent = parent_of(name);
  for (size_t slash = parent.find('/');; slash = parent.find('/', slash + 1)) {
    const std::string part = parent.substr(0, slash);
    if (mkdirat(root_.get(), part.c_str(), 0700) != 0 && errno != EEXIST)
      return failed("make", part, errno);
    if (slash == std::string::npos) return {};
  }
}

base::Result<DirectoryStore::Incoming> DirectoryStore::make_incoming(unsigned mode) {
  while (true) {
    Incoming made;
    {
      const std::scoped_lock lock(mutex_);
      made.name = "incoming/" + writer_ + "-" + std::to_string(next_incoming_++);
    }
    if (auto parent = make_parent(made.name); !parent) return std::unexpected(parent.error());
    const int fd =
        openat(root_.get(), made.name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return failed("make", made.name, errno);
    made.file = base::Fd(fd);
    // Between making and locking it somebody may have taken it for left behind: then another one.
    // Where there are no locks nobody takes anything.
    const LockResult locked = lock_for_writing(made.file.get());
    struct stat status;
    if (fstat(made.file.get(), &status) != 0) return failed("look at", made.name, errno);
    if (locked != LockResult::kHeldByAnother && status.st_nlink > 0) return made;
    unlinkat(root_.get(), made.name.c_str(), 0);
  }
}

base::Result<DirectoryStore::Incoming> DirectoryStore::write_incoming(std::string_view bytes) {
  int error = EINVAL;
  Incoming incoming;
  for (const bool direct : {true, false}) {
    if (direct && bytes.size() < kLargeObject) continue;
    auto made = make_incoming(0400);
    if (!made) return made;
    incoming = std::move(*made);
    const int file = incoming.file.get();
    error = direct ? write_direct(file, bytes) : write_all(file, bytes);
    if (error != EINVAL) break;
    // Direct writing may fail half-way; the second try makes it anew.
    unlinkat(root_.get(), incoming.name.c_str(), 0);
  }
  if (error == 0 && fsync(incoming.file.get()) != 0) error = errno;
  if (error != 0) {
    unlinkat(root_.get(), incoming.name.c_str(), 0);
    return failed("write", incoming.name, error);
  }
  return incoming;
}

base::Result<void> DirectoryStore::put(const std::string& name, std::string_view bytes) {
  const auto incoming = write_incoming(bytes);
  if (!incoming) return std::unexpected(incoming.error());
  auto made = make_parent(name);
  if (made && renameat(root_.get(), incoming->name.c_str(), root_.get(), name.c_str()) != 0)
    made = failed("make", name, errno);
  if (!made) {
    unlinkat(root_.get(), incoming->name.c_str(), 0);
    return made;
  }
  note_change(name);
  return {};
}

base::Result<bool> DirectoryStore::put_if_absent(const std::string& name, std::string_view bytes) {
  const auto incoming = write_incoming(bytes);
  if (!incoming) return std::unexpected(incoming.error());
  int error = 0;
  if (auto made = make_parent(name); !made) {
    unlinkat(root_.get(), incoming->name.c_str(), 0);
    return std::unexpected(made.error());
  }
  if (renameat2(root_.get(), incoming->name.c_str(), root_.get(), name.c_str(), RENAME_NOREPLACE) !=
      0)
    error = errno;
  if (error == EINVAL || error == ENOSYS) {  // not on this file system; a hard link says the same
    error =
        linkat(root_.get(), incoming->name.c_str(), root_.get(), name.c_str(), 0) == 0 ? 0 : errno;
    unlinkat(root_.get(), incoming->name.c_str(), 0);
  } else if (error != 0) {
    unlinkat(root_.get(), incoming->name.c_str(), 0);
  }
  if (error == EEXIST) return false;
  if (error != 0) return failed("make", name, error);
  note_change(name);
  return true;
}

base::Result<base::Fd> DirectoryStore::open_for_reading(const std::string& name) const {
  // Nothing that blocks: a fifo under an object's name would hold us for ever.
  base::Fd file(
      openat(root_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return failed("open", name, errno);
  struct stat status;
  if (fstat(file.get(), &status) != 0) return failed("look at", name, errno);
  if (!S_ISREG(status.st_mode)) {
    return base::fail(base::ErrorKind::kCorrupt, base::escape_for_terminal(path_ + "/" + name) +
                                                     " is no regular file: it was not read");
  }
  return file;
}

base::Result<std::string> DirectoryStore::get(const std::string& name, size_t largest) {
  const auto file = open_for_reading(name);
  if (!file) return std::unexpected(file.error());
  std::string out(largest + 1, '\0');
  size_t size = 0;
  while (size < out.size()) {
    const ssize_t got = read(file->get(), out.data() + size, out.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", name, errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > largest) {
    return base::fail(base::ErrorKind::kCorrupt,
                      name + " is larger than any such object: it is damaged");
  }
  out.resize(size);
  return out;
}

base::Result<void> DirectoryStore::get_range(const std::string& name, uint64_t offset,
                                             std::span<char> out) {
  const auto file = open_for_reading(name);
  if (!file) return std::unexpected(file.error());
  while (!out.empty()) {
    const ssize_t got = pread(file->get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", name, errno);
    if (got == 0) {
      return base::fail(base::ErrorKind::kCorrupt, base::escape_for_terminal(path_ + "/" + name) +
                                                       " is shorter than it was: it is damaged");
    }
    offset += static_cast<uint64_t>(got);
    out = out.subspan(static_cast<size_t>(got));
  }
  return {};
}

base::Result<repo::BlobView> DirectoryStore::map(const std::string& name) {
  const auto file = open_for_reading(name);
  if (!file) return std::unexpected(file.error());
  struct stat status;
  if (fstat(file->get(), &status) != 0) return failed("look at", name, errno);
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return repo::BlobView();
  // A page that cannot be read ends a program that touches it in a mapping; reading says so.
  std::string piece(std::min(size, kBounceSize), '\0');
  for (size_t at = 0; at < size;) {
    const ssize_t got = pread(file->get(), piece.data(), piece.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", name, errno);
    if (got == 0) return failed("read", name, EIO);
    at += static_cast<size_t>(got);
  }
  void* address = mmap(nullptr, size, PROT_READ, MAP_SHARED, file->get(), 0);
  if (address == MAP_FAILED) return failed("map", name, errno);
  auto mapping = std::make_shared<const Mapping>(address, size);
  return repo::BlobView({static_cast<const char*>(address), size}, std::move(mapping));
}

base::Result<std::vector<repo::BlobInfo>> DirectoryStore::list(const std::string& folder) {
  std::vector<repo::BlobInfo> out;
  std::vector<std::string> folders{folder};
  while (!folders.empty()) {
    const std::string at = std::move(folders.back());
    folders.pop_back();
    const int fd = openat(root_.get(), at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) continue;
    if (fd < 0) return failed("open", at, errno);
    const std::unique_ptr<DIR, decltype(&closedir)> directory(fdopendir(fd), &closedir);
    if (!directory) return failed("read", at, errno);
    errno = 0;
    // The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe)
    while (const dirent* entry = readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string object = at + "/" + std::string(name);
      struct stat status;
      if (fstatat(dirfd(directory.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT) return failed("look at", object, errno);
      } else if (S_ISDIR(status.st_mode)) {
        folders.push_back(object);
      } else if (S_ISREG(status.st_mode)) {
        out.push_back({.name = object, .size = static_cast<uint64_t>(status.st_size)});
      }
      errno = 0;
    }
    if (errno != 0) return failed("read", at, errno);
  }
  std::ranges::sort(out, {}, &repo::BlobInfo::name);
  return out;
}

base::Result<void> DirectoryStore::remove(const std::string& name) {
  if (unlinkat(root_.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return failed("remove", name, errno);
  note_change(name);
  return {};
}

void DirectoryStore::note_change(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  for (std::string at = name; at != ".";) {
    at = parent_of(at);
    unsynced_.insert(at);
  }
}

/// Its content was synced before it got its name; only the name may be lost.
base::Result<void> DirectoryStore::keep(const std::string& name) {
  note_change(name);
  return {};
}

base::Result<void> DirectoryStore::barrier() {
  std::set<std::string> directories;
  {
    const std::scoped_lock lock(mutex_);
    directories = std::exchange(unsynced_, {});
  }
  // These always: what another writer renamed into them just now may be what we build upon.
  for (const char* folder : {"indexes", "snapshots", "packs"}) directories.insert(folder);
  for (const std::string& name : directories) {
    const base::Fd directory(openat(root_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() && errno == ENOENT) continue;
    if (directory.valid() && fsync(directory.get()) == 0) continue;
    const int error = errno;
    // None of them is known to be safe: the next barrier begins anew.
    const std::scoped_lock lock(mutex_);
    unsynced_.merge(directories);
    return failed("sync", name, error);
  }
  return {};
}

}  // namespace disk
