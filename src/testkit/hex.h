// Hexadecimal text as bytes, for golden files: one record a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace testkit {

/// Throws where the text is not hexadecimal.
inline std::vector<std::byte> bytes_of_hex(std::string_view text) {
  std::vector<std::byte> out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto byte = base::parse_number<uint8_t>(text.substr(i, 2), 16);
    out.push_back(static_cast<std::byte>(byte.value()));
  }
  return out;
}

}  // namespace testkit
