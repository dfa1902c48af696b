// What options of `twinport backup` say of what is left out, and what the answer says of it.
#pragma once

#include <string>
#include <vector>

#include "backup/selection.h"
#include "base/json_writer.h"
#include "base/result.h"

namespace apps {

struct SelectionOptions {
  std::vector<std::string> exclude;        ///< patterns
  std::vector<std::string> exclude_files;  ///< files of patterns; "-" = standard input
  std::string file_largest;                ///< "" = any size
  bool exclude_caches = false;
  bool one_file_system = false;

  friend bool operator==(const SelectionOptions&, const SelectionOptions&) = default;
};

/// Patterns of files come first, so that those of the command line have the last word.
base::Result<backup::Selection> read_selection(const SelectionOptions& options);

/// One sentence and a line break; "" where nothing was left out.
std::string left_out_in_words(const backup::LeftOut& left_out);
/// The field "left_out".
void write_left_out(const backup::LeftOut& left_out, base::JsonWriter& json);

}  // namespace apps
