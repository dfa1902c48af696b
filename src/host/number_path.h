// NumberPath: a path such as "123/ns/net" or "task/123/fd", without allocation; /proc is full of
// them.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace host {

class NumberPath {
 public:
  /// At most kPartMax characters before and after the number.
  explicit NumberPath(int32_t number, std::string_view before = {}, std::string_view after = {}) {
    char* end = text_.data() + before.copy(text_.data(), kPartMax);
    end = std::to_chars(end, end + kDigitsMax, number).ptr;
    end += after.copy(end, kPartMax);
    *end = '\0';
  }
  [[nodiscard]] const char* c_str() const { return text_.data(); }

 private:
  static constexpr size_t kPartMax = 8;
  static constexpr size_t kDigitsMax = 11;  // "-2147483648"
  std::array<char, kPartMax + kDigitsMax + kPartMax + 1> text_;
};

}  // namespace host
