#include "format/ignore_rules.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace format {
namespace {

using ByteSet = std::bitset<256>;

std::string_view without_trailing_blanks(std::string_view line) {
  size_t end = 0;  // behind the last byte that stays
  for (size_t at = 0; at < line.size(); ++at) {
    if (line[at] == ' ') continue;
    if (line[at] == '\\') ++at;
    end = std::min(at + 1, line.size());
  }
  return line.substr(0, end);
}

size_t index_of(char byte) { return static_cast<unsigned char>(byte); }

void add_range(ByteSet& set, size_t first, size_t last) {
  for (size_t byte = first; byte <= last; ++byte) set.set(byte);
}

/// The bytes of [:name:], ASCII only, whatever the locale; nothing for an unknown name.
std::optional<ByteSet> named_class(std::string_view name) {
  ByteSet lower;
  ByteSet upper;
  ByteSet digits;
  ByteSet blanks;
  ByteSet printable;
  add_range(lower, 'a', 'z');
  add_range(upper, 'A', 'Z');
  add_range(digits, '0', '9');
  add_range(printable, 0x20, 0x7e);
  blanks.set('\t').set(' ');
  const ByteSet letters = lower | upper;
  if (name == "alpha") return letters;
  if (name == "alnum") return letters | digits;
  if (name == "digit") return digits;
  if (name == "lower") return lower;
  if (name == "upper") return upper;
  if (name == "blank") return blanks;
  if (name == "space") return blanks.set('\n').set('\r');
  if (name == "print") return printable;
  if (name == "graph") return printable.reset(' ');
  if (name == "punct") return printable.reset(' ') & ~letters & ~digits;
  if (name == "cntrl") {
    ByteSet control;
    add_range(control, 0, 0x1f);
    return control.set(0x7f);
  }
  if (name == "xdigit") {
    add_range(digits, 'a', 'f');
    add_range(digits, 'A', 'F');
    return digits;
  }
  return std::nullopt;
}

std::unexpected<base::Error> bad_pattern(std::string_view line, const std::string& what) {
  constexpr size_t kShownMost = 60;
  return base::fail(base::ErrorKind::kUsage,
                    "the pattern \"" + base::escape_for_terminal(line.substr(0, kShownMost)) +
                        (line.size() > kShownMost ? "..." : "") + "\" " + what);
}

}  // namespace

base::Result<void> IgnoreRules::add_lines(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = base::take_until(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#') || without_trailing_blanks(line).empty()) continue;
    if (auto added = add(line); !added) {
      return base::fail(added.error().kind,
                        "line " + std::to_string(number) + ": " + added.error().message);
    }
  }
  return {};
}

base::Result<void> IgnoreRules::add(std::string_view line) {
  if (line.size() > kIgnorePatternLongest) {
    return bad_pattern(line, "is longer than " + std::to_string(kIgnorePatternLongest) +
                                 " bytes, the most that is taken; split it");
  }
  if (rules_.size() >= kIgnoreRulesMost) {
    return base::fail(base::ErrorKind::kUsage, "there are more than " +
                                                   std::to_string(kIgnoreRulesMost) +
                                                   " patterns, the most that are taken; join some");
  }
  if (line.contains('\0')) return bad_pattern(line, "has a NUL byte in it, which no name has");
  if (line.starts_with('#')) return bad_pattern(line, "is a comment; for a name, write \\# for #");
  std::string_view pattern = without_trailing_blanks(line);
  Rule rule;
  if (pattern.starts_with('!')) {
    rule.takes_back = true;
    pattern.remove_prefix(1);
  }
  if (pattern.ends_with('/')) {
    rule.directories_only = true;
    pattern.remove_suffix(1);
  }
  rule.of_name = !pattern.contains('/');
  if (pattern.starts_with('/')) pattern.remove_prefix(1);
  if (pattern.empty()) return bad_pattern(line, "names nothing; leave it away");
  if (auto compiled = compile(pattern, rule); !compiled)
    return bad_pattern(line, compiled.error().message);
  rule.is_text =
      std::ranges::all_of(rule.steps, [](const Step& s) { return s.kind == Step::Kind::kByte; });
  if (rule.is_text) {
    for (const Step& step : rule.steps) rule.text += step.byte;
    rule.steps.clear();
  }
  rules_.push_back(std::move(rule));
  return {};
}

base::Result<void> IgnoreRules::compile(std::string_view pattern, Rule& rule) {
  for (size_t at = 0; at < pattern.size();) {
    const char byte = pattern[at];
    if (byte == '\\') {
      if (at + 1 == pattern.size()) {
        return base::fail(base::ErrorKind::kUsage,
                          "ends in a backslash with nothing behind it; for the byte write \\\\");
      }
      rule.steps.push_back({.kind = Step::Kind::kByte, .byte = pattern[at + 1]});
      at += 2;
    } else if (byte == '?') {
      rule.steps.push_back({.kind = Step::Kind::kAnyByte});
      ++at;
    } else if (byte == '[') {
      if (auto done = compile_class(pattern, at, rule); !done) return done;
    } else if (byte == '*') {
      const bool begins = at == 0 || pattern[at - 1] == '/';
      const size_t first = at;
      while (at < pattern.size() && pattern[at] == '*') ++at;
      const std::string_view rest = pattern.substr(at);
      if (at - first == 1 || !begins ||
          !(rest.empty() || rest.starts_with('/') || rest.starts_with("\\/"))) {
        rule.steps.push_back({.kind = Step::Kind::kName});
        continue;
      }
      if (rest.starts_with('/')) rule.steps.push_back({.kind = Step::Kind::kMaybeDirectories});
      rule.steps.push_back({.kind = Step::Kind::kPath});
    } else {
      rule.steps.push_back({.kind = Step::Kind::kByte, .byte = byte});
      ++at;
    }
  }
  return {};
}

/// From the "[" at `at` to behind its "]".
base::Result<void> IgnoreRules::compile_class(std::string_view pattern, size_t& at, Rule& rule) {
  const auto unfinished = [] {
    return base::fail(base::ErrorKind::kUsage,
                      "has a \"[\" without its \"]\"; for the byte write \\[");
  };
  ++at;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  ByteSet set;
  std::optional<size_t> before;  // the byte that a range may begin with
  for (bool first = true;; first = false, ++at) {
    if (at >= pattern.size()) return unfinished();
    if (pattern[at] == ']' && !first) break;
    if (pattern[at] == '[' && pattern.substr(at).starts_with("[:")) {
      const size_t end = pattern.find(']', at + 2);
      if (end == std::string_view::npos) return unfinished();
      if (end > at + 2 && pattern[end - 1] == ':') {
        const auto named = named_class(pattern.substr(at + 2, end - at - 3));
        if (!named) {
          return base::fail(base::ErrorKind::kUsage,
                            "has a class " + std::string(pattern.substr(at, end + 1 - at)) +
                                " that is not known; there are alnum, alpha, blank, cntrl, digit, "
                                "graph, lower, print, punct, space, upper and xdigit");
        }
        set |= *named;
        at = end;
        before.reset();
        continue;
      }
    }
    if (pattern[at] == '-' && before && at + 1 < pattern.size() && pattern[at + 1] != ']') {
      ++at;
      if (pattern[at] == '\\') ++at;
      if (at >= pattern.size()) return unfinished();
      add_range(set, *before, index_of(pattern[at]));
      before.reset();
      continue;
    }
    if (pattern[at] == '\\') ++at;
    if (at >= pattern.size()) return unfinished();
    before = index_of(pattern[at]);
    set.set(*before);
  }
  ++at;
  if (negated) set.flip();
  set.reset('/');
  rule.steps.push_back({.kind = Step::Kind::kClass, .class_at = classes_.size()});
  classes_.push_back(set);
  return {};
}

/// Runs through the text once, with all places of the pattern at which it may be.
bool IgnoreRules::matches(const Rule& rule, std::string_view text) const {
  if (rule.is_text) return rule.text == text;
  using Kind = Step::Kind;
  const std::vector<Step>& steps = rule.steps;
  std::vector<bool> here(steps.size() + 1);
  std::vector<bool> next(steps.size() + 1);
  // A repeating step may be over at once. Steps only lead ahead, so one pass finds all of them.
  const auto pass_over = [&steps](std::vector<bool>& places) {
    for (size_t i = 0; i < steps.size(); ++i) {
      if (!places[i]) continue;
      if (steps[i].kind == Kind::kMaybeDirectories) places[i + 1] = places[i + 3] = true;
      if (steps[i].kind == Kind::kName || steps[i].kind == Kind::kPath) places[i + 1] = true;
    }
  };
  here[0] = true;
  pass_over(here);
  for (const char byte : text) {
    bool anywhere = false;
    next.assign(next.size(), false);
    for (size_t i = 0; i < steps.size(); ++i) {
      if (!here[i]) continue;
      const Step& step = steps[i];
      const bool repeats = step.kind == Kind::kPath || (step.kind == Kind::kName && byte != '/');
      const bool advances = (step.kind == Kind::kByte && step.byte == byte) ||
                            (step.kind == Kind::kAnyByte && byte != '/') ||
                            (step.kind == Kind::kClass && classes_[step.class_at][index_of(byte)]);
      if (repeats) next[i] = true;
      if (advances) next[i + 1] = true;
      anywhere = anywhere || repeats || advances;
    }
    if (!anywhere) return false;
    pass_over(next);
    std::swap(here, next);
  }
  return here[steps.size()];
}

bool IgnoreRules::ignores(std::string_view path, bool is_directory) const {
  const size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  for (size_t i = rules_.size(); i-- > 0;) {
    const Rule& rule = rules_[i];
    if (rule.directories_only && !is_directory) continue;
    if (matches(rule, rule.of_name ? name : path)) return !rule.takes_back;
  }
  return false;
}

}  // namespace format
