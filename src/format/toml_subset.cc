#include "format/toml_subset.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/text.h"

namespace format {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_control(char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F; }

void append_utf8(std::string& out, uint32_t code_point) {
  const auto byte = [&out](uint32_t value) { out += static_cast<char>(value); };
  if (code_point < 0x80) return byte(code_point);
  if (code_point < 0x800) {
    byte(0xC0 | code_point >> 6U);
  } else {
    if (code_point < 0x10000) {
      byte(0xE0 | code_point >> 12U);
    } else {
      byte(0xF0 | code_point >> 18U);
      byte(0x80 | (code_point >> 12U & 0x3F));
    }
    byte(0x80 | (code_point >> 6U & 0x3F));
  }
  byte(0x80 | (code_point & 0x3F));
}

// Every take_ function leaves `rest_` behind what it took and the blanks that follow.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  base::Result<TomlFile> read() {
    TomlFile file;
    TomlTable* table = &file.top;
    while (!rest_.empty()) {
      skip_blanks();
      if (!at_line_end()) {
        if (rest_.front() == '[') {
          auto next = take_table(file);
          if (!next) return std::unexpected(next.error());
          table = *next;
        } else if (auto taken = take_pair(*table); !taken) {
          return std::unexpected(taken.error());
        }
      }
      if (auto ended = take_line_end(); !ended) return std::unexpected(ended.error());
    }
    return file;
  }

 private:
  bool take(std::string_view wanted) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    skip_blanks();
    return true;
  }

  void skip_blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
  }

  [[nodiscard]] bool at_line_end() const {
    return rest_.empty() || rest_.front() == '#' || rest_.front() == '\n' ||
           rest_.starts_with("\r\n");
  }

  // A comment, and the end of the line or of the file.
  base::Result<void> take_line_end() {
    if (!at_line_end()) {
      return toml_fail(line_, "something follows that does not belong there");
    }
    const size_t length = std::min(rest_.find('\n'), rest_.size());
    std::string_view comment = rest_.substr(0, length);
    if (comment.ends_with('\r') && length != rest_.size()) comment.remove_suffix(1);
    if (std::ranges::any_of(comment, is_control) || !base::is_valid_utf8(comment)) {
      return toml_fail(line_, "a control character, or bytes that are not UTF-8");
    }
    rest_.remove_prefix(length);
    if (rest_.empty()) return {};
    rest_.remove_prefix(1);
    ++line_;
    return {};
  }

  std::string_view take_name() {
    const auto end = std::ranges::find_if_not(rest_, is_name_character);
    const std::string_view name = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
    rest_.remove_prefix(name.size());
    skip_blanks();
    return name;
  }

  base::Result<TomlTable*> take_table(TomlFile& file) {
    const bool repeated = take("[[");
    if (!repeated) take("[");
    const std::string name(take_name());
    // "[ [" and "] ]" are not what "[[" and "]]" are.
    const bool closed = repeated ? take("]]") : take("]");
    if (name.empty() || name.size() > kTomlMaxNameBytes || !closed) {
      return toml_fail(line_, "expected [TABLE], [[TABLE]] or KEY = VALUE");
    }
    if (file.tables.size() == kTomlMaxTables) {
      return toml_fail(line_, "there are more than " + std::to_string(kTomlMaxTables) + " tables");
    }
    const auto same =
        std::ranges::find_if(file.tables, [&](const TomlTable& one) { return one.name == name; });
    if (same != file.tables.end() && !(repeated && same->repeated)) {
      return toml_fail(line_,
                       "[" + name + "] is there already, on line " + std::to_string(same->line));
    }
    file.tables.push_back({.name = name, .repeated = repeated, .line = line_, .values = {}});
    return &file.tables.back();
  }

  base::Result<void> take_pair(TomlTable& table) {
    const size_t line = line_;
    const std::string key(take_name());
    if (key.empty() || key.size() > kTomlMaxNameBytes || !take("=")) {
      return toml_fail(line, "expected [TABLE], [[TABLE]] or KEY = VALUE");
    }
    auto value = take_value();
    if (!value) return std::unexpected(value.error());
    if (table.values.size() == kTomlMaxKeys) return toml_fail(line, "there are too many keys here");
    if (!table.values.emplace(key, std::move(*value)).second) {
      return toml_fail(line, "the key \"" + key + "\" is here twice");
    }
    return {};
  }

  base::Result<TomlValue> take_value() {
    TomlValue value{.line = line_, .is_list = take("["), .items = {}};
    if (!value.is_list) {
      auto one = take_scalar();
      if (!one) return std::unexpected(one.error());
      value.items.push_back(std::move(*one));
      return value;
    }
    for (;;) {
      if (auto skipped = skip_lines(value.line); !skipped) return std::unexpected(skipped.error());
      if (take("]")) return value;
      auto one = take_scalar();
      if (!one) return std::unexpected(one.error());
      if (value.items.size() == kTomlMaxListItems) {
        return toml_fail(line_,
                         "the list has more than " + std::to_string(kTomlMaxListItems) + " items");
      }
      value.items.push_back(std::move(*one));
      if (auto skipped = skip_lines(value.line); !skipped) return std::unexpected(skipped.error());
      if (!take(",") && !rest_.starts_with(']')) {
        return toml_fail(line_, "expected \",\" or \"]\" after an item of the list");
      }
    }
  }

  // To the next item of a list that began on line `begun`.
  base::Result<void> skip_lines(size_t begun) {
    while (at_line_end()) {
      if (auto ended = take_line_end(); !ended) return ended;
      if (rest_.empty()) return toml_fail(begun, "a list that is never closed");
      skip_blanks();
    }
    return {};
  }

  base::Result<TomlScalar> take_scalar() {
    TomlScalar scalar{.line = line_, .text = {}};
    if (rest_.starts_with('"') || rest_.starts_with('\'')) {
      auto text = take_text(rest_.front());
      if (!text) return std::unexpected(text.error());
      scalar.text = std::move(*text);
      return scalar;
    }
    const size_t length =
        std::min(rest_.find_first_of(" \t\r\n,]#"), rest_.size());  // what can follow a value
    const std::string_view word = rest_.substr(0, length);
    if (word == "true" || word == "false") {
      scalar.kind = TomlKind::kBoolean;
      scalar.boolean = word == "true";
    } else if (const auto number = integer_of(word)) {
      scalar.kind = TomlKind::kInteger;
      scalar.integer = *number;
    } else {
      return toml_fail(line_, "expected a text in quotes, a whole number, true or false");
    }
    rest_.remove_prefix(length);
    skip_blanks();
    return scalar;
  }

  static std::optional<int64_t> integer_of(std::string_view word) {
    const std::string_view digits = word.starts_with('-') ? word.substr(1) : word;
    if (digits.size() > 1 && digits.starts_with('0')) return std::nullopt;
    return base::parse_number<int64_t>(word);
  }

  base::Result<std::string> take_text(char quote) {
    std::string out;
    for (size_t i = 1; i < rest_.size() && rest_[i] != '\n'; ++i) {
      if (rest_[i] == quote) {
        if (i == 1 && rest_.substr(2).starts_with(quote)) {
          return toml_fail(line_, "a text over several lines; write it on one, with \\n");
        }
        rest_.remove_prefix(i + 1);
        skip_blanks();
        if (!base::is_valid_utf8(out)) return toml_fail(line_, "a text that is not UTF-8");
        return out;
      }
      if (is_control(rest_[i])) return toml_fail(line_, "a control character in a text");
      if (rest_[i] == '\\' && quote == '"') {
        const size_t taken = take_escape(rest_.substr(i + 1), out);
        if (taken == 0) {
          return toml_fail(line_, R"(a backslash must be one of \" \\ \n \t \r \b \f \uXXXX)");
        }
        i += taken;
      } else {
        out += rest_[i];
      }
    }
    return toml_fail(line_, "a text that is never closed");
  }

  // Appends what an escape stands for; the number of characters after the backslash, 0 = it is
  // none.
  static size_t take_escape(std::string_view text, std::string& out) {
    if (text.empty()) return 0;
    constexpr std::string_view kLetters = "\"\\ntrbf";
    constexpr std::string_view kMeanings = "\"\\\n\t\r\b\f";
    if (const size_t at = kLetters.find(text[0]); at != std::string_view::npos) {
      out += kMeanings[at];
      return 1;
    }
    const size_t digits = text[0] == 'u' ? 4 : text[0] == 'U' ? 8 : 0;
    if (digits == 0 || text.size() < digits + 1) return 0;
    const auto code_point = base::parse_number<uint32_t>(text.substr(1, digits), 16);
    if (!code_point || *code_point > 0x10FFFF || (*code_point >> 11U) == 0x1B) return 0;
    append_utf8(out, *code_point);
    return digits + 1;
  }

  std::string_view rest_;
  size_t line_ = 1;
};

}  // namespace

const TomlValue* TomlTable::find(std::string_view key) const {
  const auto found = values.find(key);
  return found == values.end() ? nullptr : &found->second;
}

base::Result<TomlFile> parse_toml(std::string_view text) { return Reader(text).read(); }

std::unexpected<base::Error> toml_fail(size_t line, const std::string& what) {
  return base::fail(base::ErrorKind::kCorrupt, "line " + std::to_string(line) + ": " + what);
}

std::string toml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04X", static_cast<unsigned char>(c));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out += '"';
}

}  // namespace format
