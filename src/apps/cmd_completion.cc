#include "apps/cmd_completion.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "apps/command_line.h"
#include "base/text.h"

namespace apps {
namespace {

using Commands = std::vector<CommandDescription>;

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out;
}

/// The first word of every command, each once, and "help".
std::vector<std::string> first_words(const Commands& commands) {
  std::vector<std::string> out;
  for (const CommandDescription& command : commands) {
    std::string_view rest = command.name;
    std::string word(base::take_word(rest));
    if (std::ranges::find(out, word) == out.end()) out.push_back(std::move(word));
  }
  out.emplace_back("help");
  return out;
}

/// "search", "import" behind "registry"; empty where the command has one word only.
std::vector<std::string> second_words(const Commands& commands, std::string_view first) {
  std::vector<std::string> out;
  for (const CommandDescription& command : commands) {
    std::string_view rest = command.name;
    if (base::take_word(rest) != first) continue;
    if (const std::string_view second = base::take_word(rest); !second.empty()) {
      out.emplace_back(second);
    }
  }
  return out;
}

/// The first words that begin commands and are none: "expect", "repo".
std::vector<std::string> groups(const Commands& commands) {
  std::vector<std::string> out = first_words(commands);
  std::erase_if(out, [&](const std::string& word) {
    return second_words(commands, word).empty() ||
           std::ranges::find(commands, word, &CommandDescription::name) != commands.end();
  });
  return out;
}

/// What the shell says beside a first word.
std::string summary_of(const Commands& commands, const std::string& word) {
  const auto found = std::ranges::find(commands, word, &CommandDescription::name);
  if (found != commands.end()) return found->summary;
  const std::vector<std::string> seconds = second_words(commands, word);
  return seconds.empty() ? "Help on a command" : join(seconds, ", ");
}

/// Text between single quotes, for all three shells.
std::string quoted(std::string_view text, std::string_view quote_inside) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += quote_inside;
    } else {
      out += c;
    }
  }
  return out + "'";
}

bool is_file(const OptionDescription& option) { return option.value == "FILE"; }
bool is_directory(const OptionDescription& option) { return option.value == "DIR"; }

/// Options of every command, whose values the script completes even before the command.
bool is_shared(const OptionDescription& option) {
  return option.names.front() == "--state" || option.names.front() == "--config";
}

/// The `case` of the words that may stand as the value of an option.
std::string bash_values(const Commands& commands) {
  std::string out;
  for (const CommandDescription& command : commands) {
    for (const OptionDescription& option : command.options) {
      if (option.value.empty() || is_shared(option)) continue;
      std::vector<std::string> patterns;
      patterns.reserve(option.names.size());
      for (const std::string& name : option.names) {
        patterns.push_back("'" + command.name + ":" + name + "'");
      }
      std::string action = "return";
      if (is_directory(option)) action = "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return";
      if (is_file(option)) action = "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return";
      if (!option.choices.empty()) {
        action = std::string(option.many ? "_twinport_list" : "_twinport_words") + " '" +
                 join(option.choices, " ") + "'; return";
      }
      out += "    " + join(patterns, "|") + ") " + action + " ;;\n";
    }
  }
  return out;
}

std::string bash_words(const Commands& commands) {
  std::string out;
  for (const CommandDescription& command : commands) {
    std::vector<std::string> words;
    for (const OptionDescription& option : command.options) {
      words.insert(words.end(), option.names.begin(), option.names.end());
    }
    std::vector<std::string> values = second_words(commands, command.name);
    bool files = false;
    for (const OptionDescription& positional : command.positionals) {
      values.insert(values.end(), positional.choices.begin(), positional.choices.end());
      files |= is_file(positional);
    }
    out += "    '" + command.name + "') options='" + join(words, " ") + "'; values='" +
           join(values, " ") + "'; files=" + (files ? "1" : "0") + " ;;\n";
  }
  for (const std::string& word : groups(commands)) {
    out += "    '" + word + "') options='--help'; values='" +
           join(second_words(commands, word), " ") + "' ;;\n";
  }
  return out;
}

std::string bash_script(const Commands& commands) {
  std::vector<std::string> pairs;
  for (const CommandDescription& command : commands) {
    if (command.name.contains(' ')) pairs.push_back("'" + command.name + "'");
  }
  std::string out = R"(# bash completion for twinport; made by `twinport completion bash`.
# Load it with: source <(twinport completion bash)

_twinport_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

# Completes the last item of a list joined by commas.
_twinport_list() {
  local before=""
  [[ $cur == *,* ]] && before="${cur%,*},"
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "${cur##*,}")
}

_twinport() {
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD - 1]}"
  local command="" options="" values="" files=0 word i
  COMPREPLY=()
  # "--option=value" arrives as three words where "=" breaks words.
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" ]] && ((COMP_CWORD >= 2)); then
    prev="${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    case "$word" in
      --state | --config) ((i++)); [[ ${COMP_WORDS[i]} == "=" ]] && ((i++)) ;;
      -*) ;;
      *)
        if [[ -z $command ]]; then
          command="$word"
        else
          case "$command $word" in
            @PAIRS@) command="$command $word" ;;
          esac
          break
        fi
        ;;
    esac
  done
  case "$command:$prev" in
    *:--state | *:--config) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
@VALUES@  esac
  case "$command" in
    '') values='@COMMANDS@'; options='--help --version --json --state --config' ;;
    help) values='@COMMANDS@ filter' ;;
@WORDS@  esac
  if [[ $cur == -* ]]; then
    _twinport_words "$options"
  elif ((files)); then
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur"; compgen -f -- "$cur")
  else
    _twinport_words "$values"
  fi
}

complete -F _twinport twinport
)";
  const auto put = [&](std::string_view mark, const std::string& text) {
    for (size_t at = out.find(mark); at != std::string::npos; at = out.find(mark, at)) {
      out.replace(at, mark.size(), text);
      at += text.size();
    }
  };
  put("@PAIRS@", pairs.empty() ? "''" : join(pairs, " | "));
  put("@VALUES@", bash_values(commands));
  put("@COMMANDS@", join(first_words(commands), " "));
  put("@WORDS@", bash_words(commands));
  return out;
}

/// One option as zsh's _arguments takes it: '(-a --all)'{-a,--all}'[help]:message:action'.
std::string zsh_option(const OptionDescription& option) {
  std::string help;
  for (const char c : option.help) {
    if (c == '[' || c == ']' || c == ':') help += '\\';
    help += c;
  }
  std::string tail = "[" + help + "]";
  if (!option.value.empty()) {
    std::string action;
    if (is_directory(option)) action = "_files -/";
    if (is_file(option)) action = "_files";
    if (!option.choices.empty()) {
      action = (option.many ? "_values -s , value " : "(") + join(option.choices, " ") +
               (option.many ? "" : ")");
    }
    tail += ":" + (option.choices.empty() ? option.value : std::string("value")) + ":" + action;
  }
  if (option.names.size() == 1) {
    return quoted(option.names[0] + (option.value.empty() ? "" : "=") + tail, "'\\''");
  }
  std::string names;
  for (const std::string& name : option.names) {
    if (!names.empty()) names += ',';
    names += name + (option.value.empty() ? "" : name.starts_with("--") ? "=" : "+");
  }
  return "'(" + join(option.names, " ") + ")'{" + names + "}" + quoted(tail, "'\\''");
}

std::string zsh_script(const Commands& commands) {
  std::string out = R"(#compdef twinport
# zsh completion for twinport; made by `twinport completion zsh`. Save it as _twinport in a
# directory of $fpath, or load it with: source <(twinport completion zsh)

_twinport() {
  local -a commands
  local i command="" at=0
  commands=(
)";
  const std::vector<std::string> firsts = first_words(commands);
  for (const std::string& word : firsts) {
    out += "    " + quoted(word + ":" + summary_of(commands, word), "'\\''") + "\n";
  }
  out += R"(  )
  for ((i = 2; i < CURRENT; i++)); do
    case "$words[i]" in
      --state | --config) ((i++)) ;;
      -*) ;;
      *)
        if [[ -z $command ]]; then
          command="$words[i]" at=$i
        else
)";
  std::vector<std::string> pairs;
  for (const CommandDescription& command : commands) {
    if (command.name.contains(' ')) pairs.push_back("'" + command.name + "'");
  }
  if (!pairs.empty()) {
    out += "          case \"$command $words[i]\" in\n            " + join(pairs, " | ") +
           ") command=\"$command $words[i]\" at=$i ;;\n          esac\n";
  }
  out += R"(          break
        fi
        ;;
    esac
  done
  if [[ -z $command ]]; then
    if [[ $words[CURRENT] == -* ]]; then
      compadd -- --help --version --json --state --config
    else
      _describe command commands
    fi
    return
  fi
  # _arguments wants to see the command as the first word.
  words=("$command" "${(@)words[at + 1, -1]}")
  ((CURRENT -= at - 1))
  case "$command" in
)";
  for (const CommandDescription& command : commands) {
    out += "    '" + command.name + "')\n      _arguments -s";
    for (const OptionDescription& option : command.options) {
      out += " \\\n        " + zsh_option(option);
    }
    std::vector<std::string> values = second_words(commands, command.name);
    for (const OptionDescription& positional : command.positionals) {
      values.insert(values.end(), positional.choices.begin(), positional.choices.end());
    }
    if (!values.empty()) {
      out += " \\\n        '*:word:(" + join(values, " ") + ")'";
    } else if (std::ranges::any_of(command.positionals, is_file)) {
      out += " \\\n        '*:file:_files'";
    }
    out += "\n      ;;\n";
  }
  for (const std::string& word : groups(commands)) {
    out += "    '" + word + "') compadd -- " + join(second_words(commands, word), " ") + " ;;\n";
  }
  out += "    help) compadd -- " + join(firsts, " ") + " filter ;;\n";
  out += R"(  esac
}

if [[ $funcstack[1] == _twinport ]]; then _twinport "$@"; else compdef _twinport twinport; fi
)";
  return out;
}

std::string fish_script(const Commands& commands) {
  const auto quote = [](std::string_view text) { return quoted(text, "\\'"); };
  std::string out = R"(# fish completion for twinport; made by `twinport completion fish`.
# Load it with: twinport completion fish | source

# Prints the command that stands on the line so far: one word, or two.
function __twinport_command
    set -l words
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word --state --config
            set skip 1
        else if not string match -q -- '-*' $word
            set -a words $word
        end
    end
    set -l two "$words[1] $words[2]"
    if contains -- $two @PAIRS@
        echo $two
    else
        echo "$words[1]"
    end
end

function __twinport_on
    test (__twinport_command) = $argv[1]
end

complete -c twinport -f
)";
  std::string pairs;
  for (const CommandDescription& command : commands) {
    if (command.name.contains(' ')) pairs += (pairs.empty() ? "" : " ") + quote(command.name);
  }
  constexpr std::string_view kMark = "@PAIRS@";
  out.replace(out.find(kMark), kMark.size(), pairs.empty() ? "''" : pairs);
  const std::vector<std::string> firsts = first_words(commands);
  for (const std::string& word : firsts) {
    out += "complete -c twinport -n '__twinport_on \"\"' -a " + word + " -d " +
           quote(summary_of(commands, word)) + "\n";
  }
  out += "complete -c twinport -n '__twinport_on help' -a " + quote(join(firsts, " ") + " filter") +
         "\n";
  for (const std::string& word : groups(commands)) {
    out += "complete -c twinport -n " + quote("__twinport_on \"" + word + "\"") + " -a " +
           quote(join(second_words(commands, word), " ")) + "\n";
  }
  for (const CommandDescription& command : commands) {
    const std::string on =
        "complete -c twinport -n " + quote("__twinport_on \"" + command.name + "\"");
    std::vector<std::string> values = second_words(commands, command.name);
    for (const OptionDescription& positional : command.positionals) {
      values.insert(values.end(), positional.choices.begin(), positional.choices.end());
      if (is_file(positional)) out += on + " -F\n";
    }
    if (!values.empty()) out += on + " -a " + quote(join(values, " ")) + "\n";
    for (const OptionDescription& option : command.options) {
      out += on;
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (!option.value.empty()) {
        if (option.many) {
          out += " -x -a " + quote("(__fish_complete_list , \"string split ' ' '" +
                                   join(option.choices, " ") + "'\")");
        } else if (!option.choices.empty()) {
          out += " -x -a " + quote(join(option.choices, " "));
        } else if (is_directory(option)) {
          out += " -x -a '(__fish_complete_directories)'";
        } else {
          out += is_file(option) ? " -r -F" : " -x";
        }
      }
      out += " -d " + quote(option.help) + "\n";
    }
  }
  return out;
}

}  // namespace

int run_completion(const CompletionOptions& options, Context& context) {
  if (context.json) {
    return context.fail({base::ErrorKind::kUsage, "a completion script has no JSON form"});
  }
  const Commands commands = describe_commands();
  if (options.shell == "bash") {
    context.out << bash_script(commands);
  } else if (options.shell == "zsh") {
    context.out << zsh_script(commands);
  } else if (options.shell == "fish") {
    context.out << fish_script(commands);
  } else {
    return context.fail({base::ErrorKind::kUsage, "there is no completion for the shell \"" +
                                                      base::escape_for_terminal(options.shell) +
                                                      "\"; there is one for bash, zsh and fish"});
  }
  return kDone;
}

}  // namespace apps
