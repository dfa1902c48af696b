// Locks of open file descriptions (fcntl(2), F_OFD_SETLK): the kernel takes them away with the last
// descriptor, so also with a process that is killed. They exclude each other within one process,
// too. None of these waits. Any thread.
#pragma once

namespace disk {

enum class LockResult : unsigned char {
  kLocked,
  kHeldByAnother,
  kNoLocks,  ///< this file system has none
};

LockResult lock_for_writing(int fd);
/// Held by as many as like, but not beside a writer.
LockResult lock_for_reading(int fd);

}  // namespace disk
