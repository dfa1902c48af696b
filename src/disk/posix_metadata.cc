#include "disk/posix_metadata.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

namespace disk {
namespace {

using model::FileType;

constexpr size_t kOwnerLongest = 256;  // of the format
constexpr unsigned kSetIds = S_ISUID | S_ISGID;

// Those that mean the same on every file system and that its owner, or root, may set.
constexpr uint32_t kKeptFlags = FS_SYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL |
                                FS_NOATIME_FL | FS_DIRSYNC_FL | FS_TOPDIR_FL | FS_NOCOW_FL |
                                FS_COMPR_FL;

// What getpwuid_r() and its like need for a record; a longer one counts as none.
using RecordBuffer = std::array<char, 16384>;

/// As listxattr(2) and getxattr(2), of whatever it is.
struct AttributeCalls {
  std::function<ssize_t(char*, size_t)> list;
  std::function<ssize_t(const char*, char*, size_t)> get;
};

std::vector<model::Attribute> read_all(const AttributeCalls& calls, backup::Unread& unread) {
  std::vector<model::Attribute> out;
  std::string names(1024, '\0');
  ssize_t size = calls.list(names.data(), names.size());
  if (size < 0 && errno == ERANGE) {
    names.resize(XATTR_LIST_MAX);
    size = calls.list(names.data(), names.size());
  }
  if (size < 0) {
    if (errno != EOPNOTSUPP)
      unread.push_back(base::fail_errno("its attributes cannot be listed", errno).error().message);
    return out;
  }
  names.resize(static_cast<size_t>(size));
  std::string value;
  for (size_t at = 0; at < names.size();) {
    const std::string name(names.c_str() + at);
    at += name.size() + 1;
    value.resize(XATTR_SIZE_MAX);
    const ssize_t length = calls.get(name.c_str(), value.data(), value.size());
    // One that went away meanwhile moves ctime: the next backup looks again.
    if (length < 0 && errno == ENODATA) continue;
    if (length < 0) {
      unread.push_back(base::fail_errno("attribute " + name, errno).error().message);
      continue;
    }
    out.push_back({name, value.substr(0, static_cast<size_t>(length))});
  }
  std::ranges::sort(out, {}, &model::Attribute::name);
  return out;
}

template <class Find>
int64_t number_of(std::map<std::string, int64_t>& known, const std::string& name, Find find) {
  const auto [at, is_new] = known.try_emplace(name, -1);
  if (is_new) at->second = find();
  return at->second;
}

std::array<timespec, 2> times_of(const model::TreeEntry& entry) {
  timespec modified{};
  modified.tv_sec = entry.modified.seconds;
  modified.tv_nsec = entry.modified.nanoseconds;
  timespec accessed{};
  accessed.tv_nsec = UTIME_OMIT;
  return {accessed, modified};
}

/// Bits that give somebody's rights to whoever runs the file must not give ours.
mode_t mode_for(const model::TreeEntry& entry, bool owner_was_set) {
  return owner_was_set ? entry.mode : entry.mode & ~kSetIds;
}

}  // namespace

const std::string& OwnerNames::user(uint32_t uid) {
  const auto [at, is_new] = users_.try_emplace(uid);
  if (is_new) {
    RecordBuffer buffer;
    passwd record{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found) == 0 && found != nullptr &&
        std::strlen(found->pw_name) <= kOwnerLongest) {
      at->second = found->pw_name;
    }
  }
  return at->second;
}

const std::string& OwnerNames::group(uint32_t gid) {
  const auto [at, is_new] = groups_.try_emplace(gid);
  if (is_new) {
    RecordBuffer buffer;
    ::group record{};
    ::group* found = nullptr;
    if (::getgrgid_r(gid, &record, buffer.data(), buffer.size(), &found) == 0 && found != nullptr &&
        std::strlen(found->gr_name) <= kOwnerLongest) {
      at->second = found->gr_name;
    }
  }
  return at->second;
}

uint32_t OwnerNames::uid(const std::string& name, uint32_t number) {
  if (name.empty()) return number;
  const int64_t here = number_of(uids_, name, [&]() -> int64_t {
    RecordBuffer buffer;
    passwd record{};
    passwd* found = nullptr;
    static_cast<void>(::getpwnam_r(name.c_str(), &record, buffer.data(), buffer.size(), &found));
    return found == nullptr ? -1 : int64_t{found->pw_uid};
  });
  return here < 0 ? number : static_cast<uint32_t>(here);
}

uint32_t OwnerNames::gid(const std::string& name, uint32_t number) {
  if (name.empty()) return number;
  const int64_t here = number_of(gids_, name, [&]() -> int64_t {
    RecordBuffer buffer;
    ::group record{};
    ::group* found = nullptr;
    static_cast<void>(::getgrnam_r(name.c_str(), &record, buffer.data(), buffer.size(), &found));
    return found == nullptr ? -1 : int64_t{found->gr_gid};
  });
  return here < 0 ? number : static_cast<uint32_t>(here);
}

std::string path_in(int directory_fd, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(directory_fd) + "/" + name;
}

std::vector<model::Attribute> read_attributes(int fd, backup::Unread& unread) {
  return read_all({
                      .list = [&](char* out, size_t size) { return ::flistxattr(fd, out, size); },
                      .get = [&](const char* name, char* out,
                                 size_t size) { return ::fgetxattr(fd, name, out, size); },
                  },
                  unread);
}

std::vector<model::Attribute> read_attributes_of_link(const std::string& path,
                                                      backup::Unread& unread) {
  return read_all(
      {
          .list = [&](char* out, size_t size) { return ::llistxattr(path.c_str(), out, size); },
          .get = [&](const char* name, char* out,
                     size_t size) { return ::lgetxattr(path.c_str(), name, out, size); },
      },
      unread);
}

uint32_t read_flags(int fd) {
  // The kernel writes an int, whatever the request's name says.
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return 0;
  return static_cast<uint32_t>(flags) & kKeptFlags;
}

bool set_flags(int fd, uint32_t flags) {
  int now = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &now) != 0) return false;
  now = static_cast<int>((static_cast<uint32_t>(now) & ~kKeptFlags) | (flags & kKeptFlags));
  return ::ioctl(fd, FS_IOC_SETFLAGS, &now) == 0;
}

backup::Unset apply_metadata(int fd, const model::TreeEntry& entry, uint32_t uid, uint32_t gid) {
  backup::Unset unset;
  // In this order: a change of owner takes away set-id bits and capabilities, a change of mode
  // rewrites an ACL's mask, and an immutable file takes nothing any more.
  const bool owned = ::fchown(fd, uid, gid) == 0;
  if (!owned) unset.emplace_back("owner");
  if (::fchmod(fd, mode_for(entry, owned)) != 0) unset.emplace_back("mode");
  if (!owned && (entry.mode & kSetIds) != 0) unset.emplace_back("set-id bits");
  for (const model::Attribute& attribute : entry.attributes) {
    if (::fsetxattr(fd, attribute.name.c_str(), attribute.value.data(), attribute.value.size(),
                    0) != 0) {
      unset.push_back("attribute " + attribute.name);
    }
  }
  if (::futimens(fd, times_of(entry).data()) != 0) unset.emplace_back("time");
  if ((entry.flags & kKeptFlags) != 0 && !set_flags(fd, entry.flags)) unset.emplace_back("flags");
  return unset;
}

backup::Unset apply_metadata_at(int directory_fd, const std::string& name,
                                const model::TreeEntry& entry, uint32_t uid, uint32_t gid) {
  backup::Unset unset;
  const bool owned = ::fchownat(directory_fd, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) == 0;
  if (!owned) unset.emplace_back("owner");
  const bool is_link = entry.type == FileType::kSymlink;
  // Nobody but us can enter the directory, so what has this name is what we made.
  if (!is_link && ::fchmodat(directory_fd, name.c_str(), mode_for(entry, owned), 0) != 0)
    unset.emplace_back("mode");
  const std::string path = path_in(directory_fd, name);
  for (const model::Attribute& attribute : entry.attributes) {
    if (::lsetxattr(path.c_str(), attribute.name.c_str(), attribute.value.data(),
                    attribute.value.size(), 0) != 0) {
      unset.push_back("attribute " + attribute.name);
    }
  }
  if (::utimensat(directory_fd, name.c_str(), times_of(entry).data(), AT_SYMLINK_NOFOLLOW) != 0)
    unset.emplace_back("time");
  return unset;
}

}  // namespace disk
