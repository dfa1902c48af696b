#include "format/port_sysctls.h"

#include <algorithm>

#include "base/text.h"

namespace format {
namespace {

/// The text without the one line break at its end.
std::string_view chomp(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<model::PortRange> decode_local_port_range(std::string_view text) {
  text = chomp(text);
  const auto first = base::parse_number<uint16_t>(base::take_word(text));
  const auto last = base::parse_number<uint16_t>(base::take_word(text));
  if (!first || !last || *first > *last || !base::take_word(text).empty()) return std::nullopt;
  return model::PortRange{*first, *last};
}

std::optional<std::vector<model::PortRange>> decode_reserved_ports(std::string_view text) {
  text = chomp(text);
  std::vector<model::PortRange> ranges;
  while (!text.empty()) {
    const auto range = model::parse_port_range(base::take_until(text, ','));
    if (!range) return std::nullopt;
    ranges.push_back(*range);
  }
  std::ranges::sort(ranges, {}, &model::PortRange::first);
  return ranges;
}

std::optional<uint16_t> decode_port_number(std::string_view text) {
  return base::parse_number<uint16_t>(chomp(text));
}

}  // namespace format
