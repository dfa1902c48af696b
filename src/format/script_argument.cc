#include "format/script_argument.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace format {
namespace {

using model::Script;
using model::ScriptKind;

constexpr size_t kMostWords = 256;
constexpr size_t kLongestName = 4096;

// How the command line of one family of interpreters is read. Letters are options of one letter,
// which may be written together; words are whole options, between blanks.
struct Rule {
  std::string_view program;        ///< without version
  std::string_view valued = {};    ///< letters that take a value, in the same word or the next
  std::string_view attached = {};  ///< letters whose value, if any, stands in the same word
  std::string_view code = {};      ///< letters that are followed by code
  std::string_view module = {};    ///< letters that are followed by a module
  std::string_view file = {};      ///< letters that are followed by the script
  std::string_view stdin_ = {};    ///< letters that say: from standard input
  std::string_view valued_words = {};
  std::string_view code_words = {};
  std::string_view module_words = {};
  std::string_view file_words = {};
  std::string_view skipped = {};  ///< a first word that is a command of the interpreter
  bool words_only = false;        ///< "-jar" is one option, not three
  bool class_first = false;       ///< what stands first is a class, not a file
};

constexpr std::string_view kNodeValued =
    "-r --require --import --loader --experimental-loader -C --conditions --env-file --title "
    "--input-type --inspect-port --icu-data-dir --openssl-config";

constexpr std::string_view kJavaValued =
    "-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules "
    "--add-exports --add-opens --add-reads --limit-modules --patch-module --source";

constexpr auto kRules = std::to_array<Rule>({
    {.program = "python",
     .valued = "WXQ",
     .code = "c",
     .module = "m",
     .valued_words = "--check-hash-based-pycs"},
    {.program = "pypy", .valued = "WX", .code = "c", .module = "m"},
    {.program = "perl", .valued = "I", .attached = "0aCDdFilMmVx", .code = "eE"},
    {.program = "ruby", .valued = "IrCEX", .attached = "0FiKTWx", .code = "e"},
    {.program = "bash",
     .valued = "oO",
     .code = "c",
     .stdin_ = "s",
     .valued_words = "--rcfile --init-file +O +o"},
    {.program = "sh", .valued = "o", .code = "c", .stdin_ = "s", .valued_words = "+o"},
    {.program = "dash", .valued = "o", .code = "c", .stdin_ = "s", .valued_words = "+o"},
    {.program = "ksh", .valued = "o", .code = "c", .stdin_ = "s", .valued_words = "+o"},
    {.program = "zsh", .valued = "o", .code = "c", .stdin_ = "s", .valued_words = "+o"},
    {.program = "php", .valued = "cdSztBRFEg", .code = "r", .file = "f"},
    {.program = "lua", .valued = "l", .code = "e"},
    {.program = "luajit", .valued = "l", .attached = "jO", .code = "e"},
    {.program = "node",
     .valued_words = kNodeValued,
     .code_words = "-e --eval -p --print -pe",
     .words_only = true},
    {.program = "nodejs",
     .valued_words = kNodeValued,
     .code_words = "-e --eval -p --print -pe",
     .words_only = true},
    {.program = "java",
     .valued_words = kJavaValued,
     .module_words = "-m --module",
     .file_words = "-jar",
     .words_only = true,
     .class_first = true},
    {.program = "deno",
     .valued_words = "-c --config --import-map --lock --cert",
     .skipped = "run",
     .words_only = true},
    {.program = "bun",
     .valued_words = "-r --preload --cwd -c --config",
     .code_words = "-e --eval",
     .skipped = "run",
     .words_only = true},
    {.program = "dotnet", .skipped = "exec", .words_only = true},
    {.program = "tclsh", .words_only = true},
});

const Rule* find_rule(std::string_view program) {
  const size_t end = program.find_last_not_of("0123456789.-_");
  program = program.substr(0, end == std::string_view::npos ? 0 : end + 1);
  const auto found = std::ranges::find(kRules, program, &Rule::program);
  return found == kRules.end() ? nullptr : &*found;
}

bool is_listed(std::string_view words, std::string_view word) {
  while (!words.empty() && !word.empty()) {
    const std::string_view one = words.substr(0, words.find(' '));
    if (one == word) return true;
    words.remove_prefix(std::min(words.size(), one.size() + 1));
  }
  return false;
}

/// A module or a class, or a Java module with its class; anything else was not meant as one.
bool is_module_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._$/").contains(c);
  });
}

Script made(ScriptKind kind, std::string_view name) {
  if (kind == ScriptKind::kInline) return {kind, {}};
  const bool fits = kind == ScriptKind::kModule
                        ? is_module_name(name)
                        : !name.empty() && name != "-" && name.size() <= kLongestName;
  return fits ? Script{kind, std::string(name)} : Script{};
}

class Reader {
 public:
  Reader(const Rule& rule, std::string_view command_line) : rule_(rule), rest_(command_line) {}

  Script read() {
    next();  // the program's name for itself
    while (const auto word = next()) {
      if (words_ == 2 && !rule_.skipped.empty() && *word == rule_.skipped) continue;
      if (word->starts_with('-') && word->size() > 1 && *word != "--") {
        if (auto found = take_option(*word)) return *found;
      } else if (rule_.valued_words.contains('+') && word->starts_with('+')) {
        if (is_listed(rule_.valued_words, *word)) next();
      } else if (*word == "--") {
        const auto script = next();
        return script ? made(first_kind(), *script) : Script{};
      } else {
        return made(first_kind(), *word);
      }
    }
    return {};
  }

 private:
  [[nodiscard]] ScriptKind first_kind() const {
    return rule_.class_first ? ScriptKind::kModule : ScriptKind::kFile;
  }

  std::optional<std::string_view> next() {
    if (rest_.empty() || ++words_ > kMostWords) return std::nullopt;
    const size_t end = std::min(rest_.find('\0'), rest_.size());
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(std::min(rest_.size(), end + 1));
    return word;
  }

  Script of_next(ScriptKind kind) {
    const auto word = next();
    return word ? made(kind, *word) : Script{};
  }

  /// Nothing: go on behind it.
  std::optional<Script> take_option(std::string_view word) {
    if (is_listed(rule_.code_words, word)) return made(ScriptKind::kInline, {});
    if (is_listed(rule_.module_words, word)) return of_next(ScriptKind::kModule);
    if (is_listed(rule_.file_words, word)) return of_next(ScriptKind::kFile);
    if (is_listed(rule_.valued_words, word)) {
      next();
      return std::nullopt;
    }
    if (rule_.words_only || word.starts_with("--")) return std::nullopt;
    for (size_t i = 1; i < word.size(); ++i) {
      const char letter = word[i];
      const std::string_view value = word.substr(i + 1);
      const auto of_value = [&](ScriptKind kind) {
        return value.empty() ? of_next(kind) : made(kind, value);
      };
      if (rule_.code.contains(letter)) return made(ScriptKind::kInline, {});
      if (rule_.module.contains(letter)) return of_value(ScriptKind::kModule);
      if (rule_.file.contains(letter)) return of_value(ScriptKind::kFile);
      if (rule_.stdin_.contains(letter)) return Script{};
      if (rule_.attached.contains(letter)) return std::nullopt;
      if (!rule_.valued.contains(letter)) continue;
      if (value.empty()) next();
      return std::nullopt;
    }
    return std::nullopt;
  }

  const Rule& rule_;
  std::string_view rest_;
  size_t words_ = 0;
};

}  // namespace

bool is_script_interpreter(std::string_view program) { return find_rule(program) != nullptr; }

Script find_script_argument(std::string_view program, std::string_view command_line) {
  const Rule* rule = find_rule(program);
  return rule == nullptr ? Script{} : Reader(*rule, command_line).read();
}

}  // namespace format
