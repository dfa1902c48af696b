#include "apps/page.h"

#include <algorithm>
#include <string_view>

#include "apps/layout.h"
#include "base/text.h"

namespace apps {
namespace {

constexpr size_t kLabelColumns = 9;
constexpr size_t kCommandColumns = 8;

// Wraps plain text and only then adds the terminal's codes, so that they count for no column.
std::string toned_lines(const std::string& wrapped, Tone tone, const Style& style) {
  if (tone == Tone::kPlain || !style.colour()) return wrapped;
  std::string out;
  std::string_view rest = wrapped;
  while (!rest.empty()) {
    const std::string_view line = base::take_until(rest, '\n');
    const size_t blanks = std::min(line.find_first_not_of(' '), line.size());
    out += line.substr(0, blanks);
    style.append(out, line.substr(blanks), tone);
    out += '\n';
  }
  return out;
}

std::string detail_as_text(const PageItem& item, const Style& style, unsigned width) {
  constexpr std::string_view kIndent = "    ";
  const std::string label = base::escape_for_terminal(item.label);
  std::string first(kIndent);
  first += label;
  first.append(std::max(kLabelColumns, base::display_width(label) + 1) - base::display_width(label),
               ' ');
  const std::string next(kIndent.size() + kLabelColumns, ' ');
  std::string out = wrap_text(base::escape_for_terminal(item.text), width, first, next);
  if (!label.empty() && style.colour()) {
    out.replace(kIndent.size(), label.size(), style(label, item.tone));
  }
  return out;
}

// Never wrapped: a command must survive being copied.
std::string command_as_text(const PageItem& item, bool label_said) {
  std::string out = "  ";
  if (!item.label.empty()) {
    std::string label = label_said ? std::string() : base::escape_for_terminal(item.label);
    label.resize(std::max(kCommandColumns, label.size() + 1), ' ');
    out += label;
  } else {
    out += "    ";
  }
  return out + base::escape_for_terminal(item.text) + "\n";
}

std::string item_as_text(const PageItem& item, const Style& style, unsigned width, bool lead) {
  const std::string text = base::escape_for_terminal(item.text);
  const std::string_view indent = lead ? "" : "  ";
  switch (item.kind) {
    case PageItemKind::kParagraph:
      return toned_lines(wrap_text(text, width, indent, indent), item.tone, style);
    case PageItemKind::kPoint:
      return toned_lines(wrap_text(text, width, "  - ", "    "), item.tone, style);
    case PageItemKind::kDetail:
      return detail_as_text(item, style, width);
    case PageItemKind::kCommand:
      return command_as_text(item, false);
  }
  return {};
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Escapes what CommonMark would take for markup. An underscore or an asterisk between letters or
// digits is no emphasis ("_" by the rules, "*" hardly ever), so names like ip_local_port_range stay
// readable; everything else that could be markup gets its backslash.
std::string markdown_text(std::string_view raw) {
  const std::string text = base::escape_for_terminal(raw);
  static constexpr std::string_view kMarkup = "\\`*_[]<>&#|~!$";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool inside_word =
        i > 0 && i + 1 < text.size() && is_word(text[i - 1]) && is_word(text[i + 1]);
    const bool list_mark = (c == '-' || c == '+' || c == '=') && i == 0;
    const bool number_mark =
        (c == '.' || c == ')') && i > 0 && i < 10 &&
        std::ranges::all_of(
            text.substr(0, i), [](char digit) { return digit >= '0' && digit <= '9'; });
    const bool markup = kMarkup.find(c) != std::string_view::npos;
    if (list_mark || number_mark || (markup && (c != '_' || !inside_word))) out += '\\';
    out += c;
  }
  return out;
}

// A code span holds any text when its fence is longer than every run of backticks inside.
std::string markdown_code(std::string_view raw) {
  const std::string text = base::escape_for_terminal(raw);
  size_t longest = 0;
  size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  const std::string_view pad = longest > 0 ? " " : "";
  return fence + std::string(pad) + text + std::string(pad) + fence;
}

std::string item_as_markdown(const PageItem& item, bool in_list, bool below_point) {
  const std::string start = below_point ? "  - " : in_list ? "- " : "\n- ";
  switch (item.kind) {
    case PageItemKind::kParagraph:
      return "\n" + markdown_text(item.text) + "\n";
    case PageItemKind::kPoint:
      return (in_list ? "- " : "\n- ") + markdown_text(item.text) + "\n";
    case PageItemKind::kDetail:
      return start + (item.label.empty() ? "" : "**" + markdown_text(item.label) + "** ") +
             markdown_text(item.text) + "\n";
    case PageItemKind::kCommand:
      if (item.label.empty()) return (in_list ? "  " : "\n") + markdown_code(item.text) + "\n";
      return start + markdown_text(item.label) + ": " + markdown_code(item.text) + "\n";
  }
  return {};
}

}  // namespace

std::string page_as_text(const Page& page, const Style& style, unsigned width) {
  std::string out;
  for (const PageItem& item : page.lead) out += item_as_text(item, style, width, true);
  for (const PageSection& section : page.sections) {
    if (section.items.empty()) continue;
    if (!out.empty()) out += '\n';
    out += style(base::escape_for_terminal(section.title), Tone::kStrong) + "\n";
    const PageItem* before = nullptr;
    for (const PageItem& item : section.items) {
      const bool said = before != nullptr && before->kind == item.kind &&
                        before->label == item.label && item.kind == PageItemKind::kCommand;
      out += said ? command_as_text(item, true) : item_as_text(item, style, width, false);
      before = &item;
    }
  }
  return out;
}

std::string page_as_markdown(const Page& page) {
  std::string out = "# " + markdown_text(page.title) + "\n";
  for (const PageItem& item : page.lead) {
    const std::string text = markdown_text(item.text);
    out += "\n" + (item.tone == Tone::kStrong ? "**" + text + "**" : text) + "\n";
  }
  for (const PageSection& section : page.sections) {
    if (section.items.empty()) continue;
    out += "\n## " + markdown_text(section.title) + "\n";
    bool in_list = false;
    bool below_point = false;
    for (const PageItem& item : section.items) {
      out += item_as_markdown(item, in_list, below_point);
      const bool bare_command = item.kind == PageItemKind::kCommand && item.label.empty();
      in_list = item.kind != PageItemKind::kParagraph && (in_list || !bare_command);
      below_point = item.kind == PageItemKind::kPoint ||
                    (below_point && item.kind != PageItemKind::kParagraph);
    }
  }
  return out;
}

}  // namespace apps
