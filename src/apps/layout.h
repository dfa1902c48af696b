// Lines for people: text wrapped to a width, or cut to fit a column. Widths are terminal columns.
// The text must already be safe to print (base::escape_for_terminal).
#pragma once

#include <string>
#include <string_view>

namespace apps {

enum class Cut : unsigned char {
  kEnd,     ///< names: the beginning tells most
  kMiddle,  ///< addresses: the port at the end must stay
};

/// `text`, or as much of it as fits with an ellipsis in place of the rest.
std::string fit(std::string_view text, size_t width, Cut cut = Cut::kEnd);

/// Breaks `text` at blanks so that no line is wider than `width` (a longer word keeps its own line)
/// and ends each line with a line break. A line break in the text starts a new line. The first line
/// begins with `first_indent`, the others with `next_indent`.
std::string wrap_text(std::string_view text, size_t width, std::string_view first_indent = "",
                      std::string_view next_indent = "");

}  // namespace apps
