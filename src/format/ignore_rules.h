// IgnoreRules: patterns in the syntax of gitignore(5), and what they say of a path.
//
//   file    = [ BOM ] line { "\n" line }     a line may end in "\r"
//   line    = "" | "#" text | rule           blanks at the end go, unless escaped
//   rule    = [ "!" ] pattern [ "/" ]        "!": take back; "/" behind: directories only
//   pattern = { "\" byte | "?" | "*" | "**" | "[" class "]" | byte }
//
// A pattern with a "/" in it, but for the one behind, starts where the rules hold; one without
// matches a name in any directory. "*" and "?" stop at "/"; "**" between slashes is any number of
// directories. Patterns are bytes, in no encoding. The last rule that matches decides. What is in a
// directory that is ignored is not asked for: no rule takes it back.
//
// Matching takes time proportional to pattern times path, whatever the pattern.
#pragma once

#include <bitset>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace format {

inline constexpr size_t kIgnorePatternLongest = 4096;
inline constexpr size_t kIgnoreRulesMost = 10000;

class IgnoreRules {
 public:
  /// A whole file. kUsage with the line's number for a pattern that could never match.
  base::Result<void> add_lines(std::string_view text);
  /// One line as a pattern of its own; kUsage also where it says nothing (empty, or a comment).
  base::Result<void> add(std::string_view line);

  [[nodiscard]] bool empty() const { return rules_.empty(); }
  /// Whether the rules leave out `path`, which is relative to where they hold, begins with no "/"
  /// and has no directory on its way that is ignored.
  [[nodiscard]] bool ignores(std::string_view path, bool is_directory) const;

 private:
  struct Step {
    enum class Kind : unsigned char {
      kByte,             ///< this one
      kAnyByte,          ///< but "/"
      kClass,            ///< one of these
      kName,             ///< any number of bytes but "/"
      kPath,             ///< any number of bytes
      kMaybeDirectories  ///< the two steps behind it (kPath, "/") may be passed over
    };
    Kind kind = Kind::kByte;
    char byte = 0;
    size_t class_at = 0;  ///< in classes_
  };
  struct Rule {
    bool takes_back = false;
    bool directories_only = false;
    bool of_name = false;  ///< matches the last part of a path alone
    bool is_text = false;  ///< all steps are kByte: `text`
    std::string text;
    std::vector<Step> steps;
  };
  using ByteSet = std::bitset<256>;

  base::Result<void> compile(std::string_view pattern, Rule& rule);
  base::Result<void> compile_class(std::string_view pattern, size_t& at, Rule& rule);
  [[nodiscard]] bool matches(const Rule& rule, std::string_view text) const;

  std::vector<Rule> rules_;
  std::vector<ByteSet> classes_;
};

}  // namespace format
