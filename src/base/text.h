// Small, total functions over text: numbers in, escaped names out. No allocation where a view will
// do. Nothing here knows what the text means.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

/// The whole of `text` as a number, or nothing: no sign for unsigned types, no blanks, no overflow.
template <std::integral T>
std::optional<T> parse_number(std::string_view text, int number_base = 10) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, number_base);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text);

/// Takes the next token up to `separator` off the front of `rest`; an absent separator takes all.
std::string_view take_until(std::string_view& rest, char separator);

/// Takes the next token between runs of blanks and tabs off the front of `rest`; empty at the end.
std::string_view take_word(std::string_view& rest);

bool is_valid_utf8(std::string_view text);

/// Makes text from outside safe to print on a terminal: valid printable UTF-8 passes; control
/// characters (C0, DEL, C1), bidirectional overrides, zero-width characters and broken bytes become
/// \n, \t or \xHH. A backslash is doubled so that the result is unambiguous.
std::string escape_for_terminal(std::string_view text);

/// The same for a message of ours that may quote text from outside which is escaped already, or not
/// at all: line breaks and backslashes pass, what could move the cursor or reorder text does not.
std::string escape_controls(std::string_view message);

/// Whether a terminal would let this one valid UTF-8 character act on its neighbours or vanish: a
/// control character, a bidirectional override, a zero-width one. `code_point` is set either way.
bool is_deceptive_character(std::string_view character, uint32_t& code_point);

/// Columns that `text` (valid UTF-8 with no control characters) takes on a terminal. East Asian
/// wide characters count two, combining marks none.
size_t display_width(std::string_view text);

/// Case-insensitive for ASCII only.
bool equals_ignoring_case(std::string_view left, std::string_view right);
bool contains_ignoring_case(std::string_view haystack, std::string_view needle);
std::string to_lower(std::string_view text);

}  // namespace base
