// Every small damage to some bytes, for tests of decoders.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace testkit {

/// Calls `look` with the first 0, 1, ... bytes, but never all of them.
inline void for_each_truncation(std::string_view bytes,
                                const std::function<void(std::string_view)>& look) {
  for (size_t size = 0; size < bytes.size(); ++size) look(bytes.substr(0, size));
}

/// Calls `look` with each single bit flipped, and where it is.
inline void for_each_flip(std::string_view bytes,
                          const std::function<void(std::string_view, size_t at)>& look) {
  std::string damaged(bytes);
  for (size_t at = 0; at < damaged.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      damaged[at] = static_cast<char>(damaged[at] ^ (1U << bit));
      look(damaged, at);
      damaged[at] = bytes[at];
    }
  }
}

}  // namespace testkit
