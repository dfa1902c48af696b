// Table: rows of text in aligned columns. On a terminal, columns that can be spared are left out
// until the rows fit, and then the widest give way; without one nothing is cut, so that scripts get
// whole values. Texts are kept in one block: a hundred thousand sockets are a hundred thousand
// rows. The text must already be safe to print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/layout.h"
#include "apps/output.h"
#include "apps/style.h"

namespace apps {

struct Column {
  std::string header;
  bool right = false;  ///< numbers
  size_t least = 0;    ///< may be cut down to this width; 0 = never cut
  Cut cut = Cut::kEnd;
  unsigned spare = 0;  ///< may be left out, those with the highest first; 0 = never
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Appends the next cell; a row is full when it has a cell for each column.
  void cell(std::string_view text, Tone tone = Tone::kPlain);
  /// Text to print under the row that was completed last, indented and wrapped.
  void note(std::string text) { notes_.emplace_back(rows(), std::move(text)); }
  [[nodiscard]] size_t rows() const { return cells_.size() / columns_.size(); }

  /// Prints the rows. `width` 0 = as wide as they are. Answers which columns were left out.
  std::vector<std::string> print(Output& out, const Style& style, size_t width,
                                 bool with_header) const;

 private:
  /// Cells lie one behind another in text_, so that each need not say where it begins.
  struct Cell {
    uint32_t size = 0;
    uint16_t columns = 0;
    Tone tone = Tone::kPlain;
  };
  /// kLeftOut for a column that finds no room.
  static constexpr size_t kLeftOut = SIZE_MAX;
  [[nodiscard]] std::vector<size_t> column_widths(size_t width, bool with_header) const;

  std::vector<Column> columns_;
  std::string text_;
  std::vector<Cell> cells_;
  std::vector<std::pair<size_t, std::string>> notes_;  ///< by number of rows before
};

}  // namespace apps
