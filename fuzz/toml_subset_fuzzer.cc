// The subset of TOML: any bytes give tables whose texts can be written and read back, or an error
// that names a line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/toml_subset.h"

namespace {

void check(const format::TomlTable& table) {
  if (table.values.size() > format::kTomlMaxKeys) abort();
  for (const auto& [key, value] : table.values) {
    if (key.empty() || value.items.size() > format::kTomlMaxListItems) abort();
    if (!value.is_list && value.items.size() != 1) abort();
    for (const auto& item : value.items) {
      if (item.kind != format::TomlKind::kText) continue;
      const auto again = format::parse_toml("a = " + format::toml_quoted(item.text));
      if (!again || again->top.values.at("a").items.at(0).text != item.text) abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = format::parse_toml(text);
  if (!file) {
    if (!file.error().message.starts_with("line ")) abort();
    return 0;
  }
  check(file->top);
  for (const auto& table : file->tables) check(table);
  return 0;
}
