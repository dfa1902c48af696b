// The names in an open directory, by getdents64: no allocation an entry, and, unlike readdir, the
// caller's own buffer decides how many system calls a large directory takes.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/text.h"

namespace host {

inline constexpr size_t kDirectoryBufferBytes = 32U << 10;

/// Calls `take(name)` for each entry, "." and ".." among them; the name lives until take returns.
/// False: the directory could not be read to its end; errno says why.
template <class Take>
bool for_each_name(int directory_fd, std::span<char> buffer, const Take& take) {
  for (;;) {
    const long got = ::syscall(SYS_getdents64, directory_fd, buffer.data(), buffer.size());
    if (got <= 0) return got == 0;
    for (long offset = 0; offset < got;) {
      // struct linux_dirent64: u64 inode, s64 offset, u16 record length, u8 type, name.
      constexpr size_t kLengthAt = 16;
      constexpr size_t kNameAt = 19;
      const char* record = buffer.data() + offset;
      uint16_t length = 0;
      std::memcpy(&length, record + kLengthAt, sizeof(length));
      take(record + kNameAt);
      offset += length;
    }
  }
}

/// The same, only for names that are numbers, which is what /proc has for processes, threads and
/// descriptors.
template <class Take>
bool for_each_number(int directory_fd, std::span<char> buffer, const Take& take) {
  return for_each_name(directory_fd, buffer, [&](const char* name) {
    if (const auto number = base::parse_number<int32_t>(name)) take(*number);
  });
}

}  // namespace host
