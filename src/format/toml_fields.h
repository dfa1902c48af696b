// TomlFields: takes the values of one table, by their keys. Of several faults the first is kept,
// with its line; what is taken after that means nothing. One thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/toml_subset.h"

namespace format {

class TomlFields {
 public:
  /// `table` must outlive this. A key that is none of `keys` is a fault.
  TomlFields(const TomlTable& table, std::initializer_list<std::string_view> keys);

  [[nodiscard]] bool has(std::string_view key) const { return table_.find(key) != nullptr; }

  /// A text of at most `limit_bytes`; "" where the key is absent.
  std::string text(std::string_view key, size_t limit_bytes);
  /// One text or a list of them, each once, none empty; empty where the key is absent.
  std::vector<TomlScalar> texts(std::string_view key, size_t limit_bytes);
  /// The same, and whole numbers among them.
  std::vector<TomlScalar> scalars(std::string_view key, size_t limit_bytes);
  /// `otherwise` where the key is absent.
  bool boolean(std::string_view key, bool otherwise);
  int64_t integer(std::string_view key, int64_t least, int64_t most, int64_t otherwise);

  /// Says that the value of `key` cannot be taken; on the line of the table where it has none.
  void blame(std::string_view key, const std::string& what);
  void blame(size_t line, const std::string& what);
  [[nodiscard]] const std::optional<base::Error>& fault() const { return fault_; }

 private:
  const TomlScalar* single(std::string_view key, TomlKind kind, std::string_view wanted);
  std::vector<TomlScalar> many(std::string_view key, size_t limit_bytes, bool numbers);

  const TomlTable& table_;
  std::optional<base::Error> fault_;
};

}  // namespace format
