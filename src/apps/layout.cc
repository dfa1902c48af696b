#include "apps/layout.h"

#include "base/text.h"

namespace apps {
namespace {

constexpr std::string_view kEllipsis = "…";

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

// The longest beginning of `text` that is at most `width` columns wide.
std::string_view head(std::string_view text, size_t width) {
  size_t end = 0;
  while (end < text.size()) {
    size_t next = end + 1;
    while (next < text.size() && is_continuation(text[next])) ++next;
    if (base::display_width(text.substr(0, next)) > width) break;
    end = next;
  }
  return text.substr(0, end);
}

std::string_view tail(std::string_view text, size_t width) {
  size_t begin = text.size();
  while (begin > 0) {
    size_t next = begin - 1;
    while (next > 0 && is_continuation(text[next])) --next;
    if (base::display_width(text.substr(next)) > width) break;
    begin = next;
  }
  return text.substr(begin);
}

}  // namespace

std::string fit(std::string_view text, size_t width, Cut cut) {
  if (base::display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  const size_t room = width - 1;
  const size_t behind = cut == Cut::kEnd ? 0 : room - room / 2;
  std::string out(head(text, room - behind));
  out += kEllipsis;
  out += tail(text, behind);
  return out;
}

std::string wrap_text(std::string_view text, size_t width, std::string_view first_indent,
                      std::string_view next_indent) {
  std::string out;
  bool first = true;
  do {
    std::string_view line = base::take_until(text, '\n');
    const std::string_view indent = first ? first_indent : next_indent;
    out += indent;
    size_t used = base::display_width(indent);
    bool empty = true;
    for (std::string_view word = base::take_word(line); !word.empty();
         word = base::take_word(line)) {
      const size_t word_width = base::display_width(word);
      if (!empty && used + 1 + word_width > width) {
        out += '\n';
        out += next_indent;
        used = base::display_width(next_indent);
        empty = true;
      }
      if (!empty) {
        out += ' ';
        ++used;
      }
      out += word;
      used += word_width;
      empty = false;
    }
    out += '\n';
    first = false;
  } while (!text.empty());
  return out;
}

}  // namespace apps
