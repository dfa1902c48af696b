#include "testkit/fault_vfs.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include <sqlite3.h>

namespace testkit {
namespace {

sqlite3_vfs* real() {
  static sqlite3_vfs* const vfs = sqlite3_vfs_find("unix");
  return vfs;
}

// What SQLite allocates for an open file: ours, and behind it the one of the real VFS.
struct File {
  sqlite3_file base;
  sqlite3_file* inner;
};

sqlite3_file* inner(sqlite3_file* file) { return reinterpret_cast<File*>(file)->inner; }
const sqlite3_io_methods* methods(sqlite3_file* file) { return inner(file)->pMethods; }

// 0 = go on; otherwise the code to fail with.
int fault_code(int io_error) {
  FaultVfs& faults = FaultVfs::instance();
  if (!faults.strikes()) return SQLITE_OK;
  if (faults.fault() == FaultVfs::Fault::kDie) FaultVfs::die();
  return faults.fault() == FaultVfs::Fault::kNoRoom ? SQLITE_FULL : io_error;
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  FaultVfs& faults = FaultVfs::instance();
  if (!faults.strikes()) return methods(file)->xWrite(inner(file), bytes, size, offset);
  methods(file)->xWrite(inner(file), bytes, size / 2, offset);  // torn
  if (faults.fault() == FaultVfs::Fault::kDie) FaultVfs::die();
  return faults.fault() == FaultVfs::Fault::kNoRoom ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = fault_code(SQLITE_IOERR_TRUNCATE)) return code;
  return methods(file)->xTruncate(inner(file), size);
}

int sync(sqlite3_file* file, int flags) {
  if (const int code = fault_code(SQLITE_IOERR_FSYNC)) return code;
  return methods(file)->xSync(inner(file), flags);
}

int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** mapped) {
  return methods(file)->xShmMap(inner(file), page, size, extend, mapped);
}

const sqlite3_io_methods kMethods{
    .iVersion = 2,
    .xClose = [](sqlite3_file* file) { return methods(file)->xClose(inner(file)); },
    .xRead =
        [](sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
          return methods(file)->xRead(inner(file), bytes, size, offset);
        },
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = [](sqlite3_file* file,
                    sqlite3_int64* size) { return methods(file)->xFileSize(inner(file), size); },
    .xLock = [](sqlite3_file* file, int level) { return methods(file)->xLock(inner(file), level); },
    .xUnlock = [](sqlite3_file* file,
                  int level) { return methods(file)->xUnlock(inner(file), level); },
    .xCheckReservedLock =
        [](sqlite3_file* file, int* out) {
          return methods(file)->xCheckReservedLock(inner(file), out);
        },
    .xFileControl =
        [](sqlite3_file* file, int operation, void* argument) {
          return methods(file)->xFileControl(inner(file), operation, argument);
        },
    .xSectorSize = [](sqlite3_file* file) { return methods(file)->xSectorSize(inner(file)); },
    .xDeviceCharacteristics =
        [](sqlite3_file* file) { return methods(file)->xDeviceCharacteristics(inner(file)); },
    .xShmMap = shm_map,
    .xShmLock =
        [](sqlite3_file* file, int offset, int count, int flags) {
          return methods(file)->xShmLock(inner(file), offset, count, flags);
        },
    .xShmBarrier = [](sqlite3_file* file) { methods(file)->xShmBarrier(inner(file)); },
    .xShmUnmap = [](sqlite3_file* file,
                    int remove) { return methods(file)->xShmUnmap(inner(file), remove); },
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* ours = reinterpret_cast<File*>(file);
  ours->inner = reinterpret_cast<sqlite3_file*>(ours + 1);
  ours->base.pMethods = nullptr;
  const int code = real()->xOpen(real(), name, ours->inner, flags, out_flags);
  if (code == SQLITE_OK) ours->base.pMethods = &kMethods;
  return code;
}

int remove(sqlite3_vfs*, const char* name, int sync_directory) {
  if (const int code = fault_code(SQLITE_IOERR_DELETE)) return code;
  return real()->xDelete(real(), name, sync_directory);
}

}  // namespace

FaultVfs& FaultVfs::instance() {
  static FaultVfs faults;
  return faults;
}

FaultVfs::FaultVfs() {
  static sqlite3_vfs vfs = *real();  // everything else goes to the real one as it is
  vfs.szOsFile = static_cast<int>(sizeof(File)) + real()->szOsFile;
  vfs.zName = "fault";
  vfs.pNext = nullptr;
  vfs.xOpen = open;
  vfs.xDelete = remove;
  if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) std::abort();
}

void FaultVfs::arm(int64_t passing, Fault fault, Lasting lasting) {
  armed_ = true;
  struck_ = false;
  passing_ = passing;
  fault_ = fault;
  lasting_ = lasting;
}

void FaultVfs::disarm() { armed_ = false; }

bool FaultVfs::strikes() {
  if (!armed_ || passing_-- > 0) return false;
  struck_ = true;
  if (lasting_ == Lasting::kOnce) armed_ = false;
  return true;
}

void FaultVfs::die() {
  kill(getpid(), SIGKILL);
  std::abort();  // never reached: nothing survives SIGKILL
}

}  // namespace testkit
