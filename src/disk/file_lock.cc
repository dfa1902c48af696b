#include "disk/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace disk {
namespace {

LockResult lock(int fd, short type) {
  struct flock what = {};
  what.l_type = type;
  what.l_whence = SEEK_SET;
  while (fcntl(fd, F_OFD_SETLK, &what) != 0) {
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EACCES ? LockResult::kHeldByAnother : LockResult::kNoLocks;
  }
  return LockResult::kLocked;
}

}  // namespace

LockResult lock_for_writing(int fd) { return lock(fd, F_WRLCK); }
LockResult lock_for_reading(int fd) { return lock(fd, F_RDLCK); }

}  // namespace disk
