// Lengths of time and sizes as a person writes them. Total functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

/// "500ms", "10s", "15m", "2h", "30d", "4w" in milliseconds; nothing for anything else: the unit is
/// never guessed.
std::optional<int64_t> parse_duration_ms(std::string_view text);

/// "4GiB", "512MiB", "64KiB", also G, M and K for the same, or plain bytes.
std::optional<uint64_t> parse_size_bytes(std::string_view text);

/// "4 GiB", "3.2 MiB", "812 bytes": one digit behind the point where it is not 0.
std::string size_in_words(uint64_t bytes);

}  // namespace base
