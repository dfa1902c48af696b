#include "apps/backup_selection.h"

#include "base/file.h"
#include "base/text.h"
#include "base/units.h"

namespace apps {
namespace {

constexpr size_t kPatternFileLargest = 4U << 20;

std::string count_of(uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

base::Result<backup::Selection> read_selection(const SelectionOptions& options) {
  backup::Selection selection;
  selection.exclude_caches = options.exclude_caches;
  selection.one_file_system = options.one_file_system;
  for (const std::string& file : options.exclude_files) {
    const auto text =
        base::read_file(file == "-" ? "/dev/stdin" : file.c_str(), kPatternFileLargest);
    if (!text) {
      return base::fail(base::ErrorKind::kUsage,
                        "--exclude-file: " + text.error().message + "; nothing was backed up");
    }
    if (auto added = selection.patterns.add_lines(*text); !added) {
      return base::fail(added.error().kind, "--exclude-file " + base::escape_for_terminal(file) +
                                                ", " + added.error().message);
    }
  }
  for (const std::string& pattern : options.exclude) {
    if (auto added = selection.patterns.add(pattern); !added)
      return base::fail(added.error().kind, "--exclude: " + added.error().message);
  }
  if (!options.file_largest.empty()) {
    selection.file_largest = base::parse_size_bytes(options.file_largest);
    if (!selection.file_largest) {
      return base::fail(base::ErrorKind::kUsage,
                        "--exclude-larger-than: \"" +
                            base::escape_for_terminal(options.file_largest) +
                            "\" is no size; write one such as 512MiB or 4GiB");
    }
  }
  return selection;
}

std::string left_out_in_words(const backup::LeftOut& left_out) {
  std::string out;
  const auto add = [&out](uint64_t count, const char* one, const char* many) {
    if (count != 0) out += (out.empty() ? "" : ", ") + count_of(count, one, many);
  };
  add(left_out.by_pattern, "entry by pattern", "entries by pattern");
  add(left_out.too_large, "file too large", "files too large");
  add(left_out.caches, "cache", "caches");
  add(left_out.file_systems, "other file system", "other file systems");
  return out.empty() ? "" : "Left out by rule: " + out + ".\n";
}

void write_left_out(const backup::LeftOut& left_out, base::JsonWriter& json) {
  json.key("left_out").begin_object();
  json.field("by_pattern", left_out.by_pattern).field("too_large", left_out.too_large);
  json.field("caches", left_out.caches).field("file_systems", left_out.file_systems);
  json.end_object();
}

}  // namespace apps
