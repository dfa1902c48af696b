#include "apps/table.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/text.h"

namespace apps {
namespace {

constexpr size_t kGap = 2;
// Longer than any name or path of the kernel's; wide characters take two columns at most.
constexpr size_t kLongestCell = 30000;
constexpr std::string_view kNoteIndent = "      ";

/// With a gap before all but the first of a line.
void append_aligned(std::string& line, std::string_view text, size_t text_columns, size_t width,
                    const Column& column, bool first, Tone tone, const Style& style) {
  if (!first) line.append(kGap, ' ');
  std::string cut;
  if (text_columns > width) {
    cut = fit(text, width, column.cut);
    text = cut;
    text_columns = base::display_width(cut);
  }
  const size_t padding = width - text_columns;
  if (column.right) line.append(padding, ' ');
  style.append(line, text, tone);
  if (!column.right) line.append(padding, ' ');
}

}  // namespace

void Table::cell(std::string_view text, Tone tone) {
  text = text.substr(0, kLongestCell);
  cells_.push_back(
      {static_cast<uint32_t>(text.size()), static_cast<uint16_t>(base::display_width(text)), tone});
  text_ += text;
}

std::vector<size_t> Table::column_widths(size_t width, bool with_header) const {
  std::vector<size_t> widths(columns_.size(), 0);
  for (size_t i = 0; with_header && i < columns_.size(); ++i) {
    widths[i] = base::display_width(columns_[i].header);
  }
  for (size_t i = 0; i < cells_.size(); ++i) {
    size_t& widest = widths[i % columns_.size()];
    widest = std::max<size_t>(widest, cells_[i].columns);
  }
  if (width == 0) return widths;
  size_t total = kGap * (columns_.size() - 1);
  for (const size_t column : widths) total += column;
  while (total > width) {
    size_t spared = columns_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == kLeftOut || columns_[i].spare == 0) continue;
      if (spared == columns_.size() || columns_[i].spare > columns_[spared].spare) spared = i;
    }
    if (spared == columns_.size()) break;
    total -= std::exchange(widths[spared], kLeftOut) + kGap;
  }
  // The column with most to give gives one step at a time, so that none is starved alone.
  while (total > width) {
    size_t widest = columns_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == kLeftOut || columns_[i].least == 0 || widths[i] <= columns_[i].least) {
        continue;
      }
      if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::vector<std::string> Table::print(Output& out, const Style& style, size_t width,
                                      bool with_header) const {
  assert(cells_.size() % columns_.size() == 0);
  const std::vector<size_t> widths = column_widths(width, with_header);
  std::string line;
  const auto end_line = [&] {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    line += '\n';
    out.write(line);
    line.clear();
  };
  std::vector<std::string> left_out;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const std::string& header = columns_[i].header;
    if (widths[i] == kLeftOut) {
      left_out.push_back(header);
    } else if (with_header) {
      append_aligned(line, header, base::display_width(header), widths[i], columns_[i],
                     line.empty(), Tone::kStrong, style);
    }
  }
  if (with_header) end_line();
  size_t note = 0;
  size_t begin = 0;
  for (size_t i = 0; i < cells_.size() && !out.closed(); ++i) {
    const size_t column = i % columns_.size();
    if (widths[column] != kLeftOut) {
      append_aligned(line, std::string_view(text_).substr(begin, cells_[i].size), cells_[i].columns,
                     widths[column], columns_[column], line.empty(), cells_[i].tone, style);
    }
    begin += cells_[i].size;
    if (column + 1 != columns_.size()) continue;
    end_line();
    const size_t rows = (i + 1) / columns_.size();
    for (; note < notes_.size() && notes_[note].first == rows; ++note) {
      out.write(
          wrap_text(notes_[note].second, width == 0 ? SIZE_MAX : width, kNoteIndent, kNoteIndent));
    }
  }
  return left_out;
}

}  // namespace apps
