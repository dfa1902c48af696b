#include "base/units.h"

#include <array>
#include <limits>
#include <utility>

#include "base/text.h"

namespace base {
namespace {

// The number at the front of `text` and the unit behind it.
std::optional<std::pair<uint64_t, std::string_view>> split(std::string_view text) {
  const size_t digits = text.find_first_not_of("0123456789");
  const auto number = parse_number<uint64_t>(text.substr(0, digits));
  if (!number) return std::nullopt;
  return std::pair(*number, digits == std::string_view::npos ? "" : text.substr(digits));
}

}  // namespace

std::optional<int64_t> parse_duration_ms(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, int64_t>, 6> kUnits{{{"ms", 1},
                                                                               {"s", 1000},
                                                                               {"m", 60'000},
                                                                               {"h", 3600'000},
                                                                               {"d", 86400'000},
                                                                               {"w", 604800'000}}};
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  for (const auto& [name, ms] : kUnits) {
    int64_t out = 0;
    if (parts->second != name) continue;
    if (__builtin_mul_overflow(parts->first, ms, &out)) return std::nullopt;
    return out;
  }
  return std::nullopt;
}

std::optional<uint64_t> parse_size_bytes(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, unsigned>, 7> kUnits{
      {{"", 0}, {"KiB", 10}, {"K", 10}, {"MiB", 20}, {"M", 20}, {"GiB", 30}, {"G", 30}}};
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  for (const auto& [name, shift] : kUnits) {
    if (parts->second != name) continue;
    if (parts->first > std::numeric_limits<uint64_t>::max() >> shift) return std::nullopt;
    return parts->first << shift;
  }
  return std::nullopt;
}

std::string size_in_words(uint64_t bytes) {
  static constexpr std::array<std::pair<std::string_view, unsigned>, 3> kUnits{
      {{" GiB", 30}, {" MiB", 20}, {" KiB", 10}}};
  for (const auto& [name, shift] : kUnits) {
    if (bytes >> shift == 0) continue;
    const uint64_t whole = bytes >> shift;
    const uint64_t tenth = ((bytes >> (shift - 10)) & 1023U) * 10 / 1024;
    std::string out = std::to_string(whole);
    if (tenth != 0) out.append(".").append(std::to_string(tenth));
    return out.append(name);
  }
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

}  // namespace base
