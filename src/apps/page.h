// Page: an answer as a person reads it, before it is text for a terminal or Markdown. The strings
// in it are raw: whatever came from outside is escaped here, in the one place where it is printed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/style.h"

namespace apps {

enum class PageItemKind : unsigned char {
  kParagraph,
  kPoint,    ///< one of several things, with details below it
  kDetail,   ///< a label and what belongs to it, below a point
  kCommand,  ///< something to type; never broken over lines
};

struct PageItem {
  PageItemKind kind = PageItemKind::kParagraph;
  std::string label;  ///< of a detail or a command; said once for a run of alike ones
  std::string text;
  Tone tone = Tone::kPlain;  ///< of the label where there is one, else of the text
};

struct PageSection {
  std::string title;
  std::vector<PageItem> items;

  void paragraph(std::string text) { add(PageItemKind::kParagraph, "", std::move(text)); }
  void point(std::string text, Tone tone = Tone::kPlain) {
    add(PageItemKind::kPoint, "", std::move(text), tone);
  }
  void detail(std::string label, std::string text, Tone tone = Tone::kFaint) {
    add(PageItemKind::kDetail, std::move(label), std::move(text), tone);
  }
  void command(std::string label, std::string text) {
    add(PageItemKind::kCommand, std::move(label), std::move(text));
  }

 private:
  void add(PageItemKind kind, std::string label, std::string text, Tone tone = Tone::kPlain) {
    items.push_back({kind, std::move(label), std::move(text), tone});
  }
};

struct Page {
  std::string title;  ///< Markdown only; a terminal shows the lead at once
  /// The answer in brief, one paragraph each; the first is the most important.
  std::vector<PageItem> lead;
  std::vector<PageSection> sections;  ///< those without items are left out
};

/// Wrapped to `width` columns, which only a single word or a command may pass.
std::string page_as_text(const Page& page, const Style& style, unsigned width);

/// CommonMark; text is escaped so that nothing in it is taken for markup.
std::string page_as_markdown(const Page& page);

}  // namespace apps
