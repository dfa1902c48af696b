#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace base {

void fill_random(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();
    }
    out = out.subspan(static_cast<size_t>(got));
  }
}

}  // namespace base
