// BLAKE3, plain and keyed, 32 bytes of output. Any thread; a Blake3 belongs to one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace base {

using Hash256 = std::array<uint8_t, 32>;
using Key256 = std::array<uint8_t, 32>;

class Blake3 {
 public:
  Blake3();
  explicit Blake3(const Key256& key);
  ~Blake3();
  Blake3(const Blake3&) = delete;
  Blake3& operator=(const Blake3&) = delete;

  Blake3& update(std::string_view bytes);
  [[nodiscard]] Hash256 finish() const;
  /// The extended output, from `offset` on.
  void finish(uint64_t offset, std::span<uint8_t> out) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Hash256 blake3(std::string_view bytes);
Hash256 blake3(const Key256& key, std::string_view bytes);

inline std::string_view as_text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace base
