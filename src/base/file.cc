#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "base/fd.h"

namespace base {

Result<void> read_file_at(int directory_fd, const char* path, std::string& out,
                          size_t limit_bytes) {
  out.clear();
  Fd fd(::openat(directory_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return fail_errno(std::string("open ") + path, errno);
  // A regular file tells its size, so one read takes it whole and the next sees the end. Files of
  // /proc say 0: one page holds most of them, and doubling keeps the large ones linear.
  struct stat status{};
  const bool has_size = ::fstat(fd.get(), &status) == 0 && status.st_size > 0;
  size_t room = has_size ? std::min(static_cast<size_t>(status.st_size), limit_bytes) + 1 : 4096;
  size_t used = 0;
  for (;;) {
    ssize_t got = 0;
    int error_number = 0;
    out.resize_and_overwrite(used + room, [&](char* data, size_t) {
      got = ::read(fd.get(), data + used, room);
      error_number = errno;
      return used + static_cast<size_t>(std::max<ssize_t>(got, 0));
    });
    if (got < 0) {
      if (error_number == EINTR) continue;
      out.clear();
      return fail_errno(std::string("read ") + path, error_number);
    }
    if (got == 0) return {};
    used += static_cast<size_t>(got);
    if (used > limit_bytes) {
      out.clear();
      return fail(ErrorKind::kCorrupt, std::string(path) + " is larger than " +
                                           std::to_string(limit_bytes) + " bytes; not read");
    }
    room = out.capacity() - used;
    if (room == 0) room = std::clamp(used, size_t{4096}, size_t{1} << 20);
  }
}

Result<std::string> read_file(const char* path, size_t limit_bytes) {
  std::string out;
  if (auto read = read_file_at(AT_FDCWD, path, out, limit_bytes); !read) {
    return std::unexpected(read.error());
  }
  return out;
}

Result<std::string> read_link_at(int directory_fd, const char* path) {
  std::array<char, 4097> target{};
  const ssize_t length = ::readlinkat(directory_fd, path, target.data(), target.size());
  if (length < 0) return fail_errno(std::string("read link ") + path, errno);
  return std::string(target.data(), static_cast<size_t>(length));
}

Result<void> sync_parent_directory(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = end == std::string::npos ? 0 : path.rfind('/', end);
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A directory that may not be read cannot be synced by us.
  if (!directory.valid() && errno == EACCES) return {};
  if (!directory.valid() || ::fsync(directory.get()) != 0)
    return fail_errno("sync directory " + parent, errno);
  return {};
}

Result<void> make_directories(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (!part.empty() && ::mkdir(part.c_str(), 0700) == 0) {
      if (auto synced = sync_parent_directory(part); !synced) return synced;
    } else if (!part.empty() && errno != EEXIST) {
      return fail_errno("make directory " + part, errno);
    }
    if (end == std::string::npos) break;
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail_errno("look at " + path, errno);
  if (!S_ISDIR(status.st_mode)) return fail(ErrorKind::kIo, path + " exists and is no directory");
  return {};
}

namespace {

Result<void> write_all(int fd, std::string_view content, const std::string& name) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd, content.data(), content.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      return fail_errno("write " + name, errno);
    }
    content.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Result<void> sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno("open " + directory, errno);
  if (::fsync(fd.get()) != 0) return fail_errno("sync " + directory, errno);
  return {};
}

}  // namespace

Result<void> replace_file(const std::string& path, std::string_view content) {
  std::string temporary = path + ".XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return fail_errno("make a temporary file beside " + path, errno);
  Result<void> done = write_all(fd.get(), content, temporary);
  if (done && ::fsync(fd.get()) != 0) done = fail_errno("sync " + temporary, errno);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) {
    done = fail_errno("rename " + temporary + " to " + path, errno);
  }
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  return sync_directory_of(path);
}

}  // namespace base
