// The subset of TOML (https://toml.io, version 1.0) in which our own tables and people's
// configuration are written. What this reads, any TOML reader reads alike; what it leaves out, it
// refuses with the line:
//
//   file    = { [ table | pair ] [ "#" comment ] LINE-END }
//   table   = "[" NAME "]" | "[[" NAME "]]"
//   pair    = NAME "=" value                        NAME of letters, digits, "_" and "-"
//   value   = scalar | "[" [ scalar { "," scalar } [ "," ] ] "]"     a list may span lines
//   scalar  = '"' text '"' | "'" text "'" | integer | "true" | "false"
//
// Texts are valid UTF-8 without control characters; between double quotes the escapes \" \\ \n \t
// \r \b \f \uXXXX and \UXXXXXXXX stand for what TOML says. Left out: several-line texts, dotted and
// quoted names, inline tables, lists in lists, dates, fractions, and numbers in other bases.
//
// The subset has a reader of its own because toml++ 3.3 aborts on some malformed input ("[[[",
// "[}"), and this is a total function: any bytes give tables or an error that begins with "line N:
// ". Callers say which names they know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace format {

inline constexpr size_t kTomlMaxTables = 10'000;
inline constexpr size_t kTomlMaxKeys = 64;       ///< in a table
inline constexpr size_t kTomlMaxListItems = 64;  ///< in a list
inline constexpr size_t kTomlMaxNameBytes = 64;

enum class TomlKind : uint8_t { kText, kInteger, kBoolean };

struct TomlScalar {
  size_t line = 0;
  TomlKind kind = TomlKind::kText;
  std::string text;
  int64_t integer = 0;
  bool boolean = false;
};

struct TomlValue {
  size_t line = 0;
  bool is_list = false;
  std::vector<TomlScalar> items;  ///< exactly one where it is no list
};

struct TomlTable {
  std::string name;
  bool repeated = false;  ///< [[name]], which may come again; a [name] comes once
  size_t line = 0;
  std::map<std::string, TomlValue, std::less<>> values;

  [[nodiscard]] const TomlValue* find(std::string_view key) const;
};

struct TomlFile {
  TomlTable top;  ///< pairs before the first table; its name is ""
  std::vector<TomlTable> tables;
};

base::Result<TomlFile> parse_toml(std::string_view text);

/// kCorrupt, "line N: WHAT".
std::unexpected<base::Error> toml_fail(size_t line, const std::string& what);

/// A text as it is written between double quotes. Bytes that are not valid UTF-8 cannot be written
/// in TOML: `text` must be valid.
std::string toml_quoted(std::string_view text);

}  // namespace format
