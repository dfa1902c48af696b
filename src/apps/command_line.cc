#include "apps/command_line.h"

#include <pwd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "apps/cmd_version.h"
#include "apps/command_definition.h"
#include "apps/command_help.h"
#include "apps/context.h"
#include "base/nearest.h"
#include "base/text.h"
#include "ports/filter.h"
#include "ports/port_query.h"
#include "ports/words.h"

namespace apps {
namespace {

base::Error unknown_command(std::string_view word) {
  std::vector<std::string_view> names{"help"};
  for (const Definition* definition : all_commands()) {
    std::string_view rest = definition->name;
    names.push_back(base::take_word(rest));
  }
  if (std::ranges::find(names, word) != names.end()) {
    std::vector<std::string> more;
    for (const Definition* definition : all_commands()) {
      std::string_view rest = definition->name;
      if (base::take_word(rest) == word)
        more.push_back("\"" + std::string(definition->name) + "\"");
    }
    return {base::ErrorKind::kUsage, "\"" + std::string(word) + "\" is one of " +
                                         ports::listed(more, "or") + "\nSee `twinport --help`."};
  }
  std::string message = "there is no command \"" + base::escape_for_terminal(word) + "\"";
  const std::string_view near = base::nearest_word(word, names);
  if (const auto port = ports::parse_port_query(word); port && !port->ports.empty()) {
    message += "; did you mean \"explain " + base::escape_for_terminal(word) + "\"?";
  } else if (!near.empty()) {
    message += "; did you mean \"" + std::string(near) + "\"?";
  }
  message += "\nSee `twinport --help`.";
  return {base::ErrorKind::kUsage, message};
}

/// The first option that was given an empty value, or "": mostly a variable of a script that is not
/// set, and not the question that was meant.
std::string empty_option(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const bool takes_value = option->get_expected_min() > 0 || option->get_positional();
    if (option->count() == 0 || !takes_value) continue;
    for (const std::string& value : option->results()) {
      if (value.empty()) return option->get_name();
    }
  }
  return {};
}

/// "-a, -c and -h": what one letter may be.
std::string one_letter_options(std::span<const std::string> names) {
  std::vector<std::string> letters;
  std::ranges::copy_if(names, std::back_inserter(letters),
                       [](const std::string& name) { return name.size() == 2; });
  return ports::listed(letters);
}

/// The first argument that gives a value to an option that takes none, or "".
std::string valued_flag(std::span<const std::string> arguments, const CLI::App& app) {
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    const size_t equals = argument.find('=');
    if (!argument.starts_with('-') || equals == std::string::npos) continue;
    const CLI::Option* option = app.get_option_no_throw(argument.substr(0, equals));
    if (option != nullptr && option->get_items_expected_max() == 0) return argument;
  }
  return {};
}

base::Error unknown_argument(const std::string& argument, CLI::App& app, std::string_view command) {
  std::vector<std::string> storage;
  for (const OptionDescription& option : describe_options(app, false)) {
    for (const std::string& name : option.names) storage.push_back(name);
  }
  const std::vector<std::string_view> names(storage.begin(), storage.end());
  const bool option = argument.starts_with('-') && argument != "-";
  std::string message = "\"" + std::string(command) + "\" takes no " +
                        (option ? "option" : "argument") + " \"" +
                        base::escape_for_terminal(argument) + "\"";
  const std::string_view head = std::string_view(argument).substr(0, argument.find('='));
  const bool letter = option && argument.size() == 2;  // any other letter is as near
  const std::string_view near =
      option && !letter ? base::nearest_word(head, names) : std::string_view{};
  if (!near.empty()) message += "; did you mean \"" + std::string(near) + "\"?";
  if (letter) message += "; of one letter there are " + one_letter_options(storage);
  message += "\nSee `twinport " + std::string(command) + " --help`.";
  return {base::ErrorKind::kUsage, message};
}

/// Where the command's word stands among the arguments; options before it are skipped.
size_t command_position(std::span<const char* const> arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--state" || argument == "--config") {
      ++i;
    } else if (!argument.starts_with('-')) {
      return i;
    }
  }
  return arguments.size();
}

std::string directory_from(const Environment& environment, const char* variable,
                           const char* root_path, const char* xdg_variable, const char* home_path) {
  const auto value = [&](const char* name) -> std::string {
    const char* text = environment.variable ? environment.variable(name) : nullptr;
    return text == nullptr ? std::string() : std::string(text);
  };
  if (std::string path = value(variable); !path.empty()) return path;
  if (environment.is_root) return root_path;
  // A relative path there is to be ignored (XDG Base Directory Specification).
  if (const std::string path = value(xdg_variable); path.starts_with('/')) {
    return path + "/twinport";
  }
  // Without a home there is no such directory. The current one is never it: whoever can write there
  // would decide what we believe.
  std::string home = value("HOME");
  if (!home.starts_with('/')) home = environment.passwd_home;
  return (home.starts_with('/') ? home : "/nonexistent") + "/" + home_path;
}

Context make_context(const Environment& environment, Output& out, Output& err) {
  const auto set = [&](const char* name) {
    const char* text = environment.variable ? environment.variable(name) : nullptr;
    return text != nullptr && *text != '\0';
  };
  Context context(out, err, environment.make_machine);
  // https://no-color.org: any non-empty value.
  const bool colour = !set("NO_COLOR") &&
                      std::string_view(set("TERM") ? environment.variable("TERM") : "") != "dumb";
  context.style = Style(colour && environment.out_is_terminal);
  context.error_style = Style(colour && environment.err_is_terminal);
  context.width = environment.out_is_terminal ? environment.terminal_columns : 0;
  if (set("COLUMNS")) {
    const auto columns = base::parse_number<unsigned>(environment.variable("COLUMNS"));
    if (columns && *columns >= 20) context.width = *columns;
  }
  context.state_directory = directory_from(environment, "TWINPORT_STATE", "/var/lib/twinport",
                                           "XDG_STATE_HOME", ".local/state/twinport");
  context.config_directory = directory_from(environment, "TWINPORT_CONFIG", "/etc/twinport",
                                            "XDG_CONFIG_HOME", ".config/twinport");
  if (set("TWINPORT_REPO")) context.repository = environment.variable("TWINPORT_REPO");
  if (set("TWINPORT_PASSPHRASE_FILE"))
    context.passphrase_file = environment.variable("TWINPORT_PASSPHRASE_FILE");
  return context;
}

constexpr std::string_view kSharedSocket = "/run/twinport/recorder.sock";

// The state directory is closed to others; what they may ask must stand outside of it. A state that
// was chosen (for tests, trials, a user's own recorder) has its socket inside, and nobody else's is
// asked then.
void place_recorder_socket(const Environment& environment, bool chosen_state, Context& context) {
  const char* chosen = environment.variable ? environment.variable("TWINPORT_SOCKET") : nullptr;
  if (chosen != nullptr && *chosen != '\0') {
    context.recorder_socket = chosen;
    return;
  }
  context.recorder_socket = context.state_directory + "/recorder.sock";
  if (chosen_state) return;
  context.shared_socket = kSharedSocket;
  if (environment.is_root) context.recorder_socket = kSharedSocket;
}

int print_help(std::span<const std::string_view> words, Context& context) {
  if (words.empty()) {
    context.out << overview(context);
    return kDone;
  }
  if (words[0] == "filter") {
    context.out << ports::filter_help();
    return kDone;
  }
  std::string name(words[0]);
  if (words.size() > 1) name += " " + std::string(words[1]);
  const Definition* definition = find_command(name);
  if (definition == nullptr) definition = find_command(words[0]);
  if (definition == nullptr) {
    const std::string group = group_help(words[0], context);
    if (group.empty() || words.size() > 1) return context.fail(unknown_command(words[0]));
    context.out << group;
    return kDone;
  }
  context.out << command_help(*definition, context);
  return kDone;
}

/// Parses the arguments of one command and runs it.
int run_definition(const Definition& definition, std::vector<std::string> arguments,
                   const Environment& environment, Context& context) {
  CLI::App app;
  app.allow_extras();
  app.name(std::string(definition.name));
  SharedOptions shared;
  Run run;
  try {
    run = definition.define(app);
    define_shared(app, shared);
    if (const std::string flag = valued_flag(arguments, app); !flag.empty()) {
      const std::string_view name = std::string_view(flag).substr(0, flag.find('='));
      return context.fail(
          {base::ErrorKind::kUsage, "\"" + std::string(name) +
                                        "\" takes no value: write it to "
                                        "have it, leave it out to not; found \"" +
                                        base::escape_for_terminal(flag) + "\"\nSee `twinport " +
                                        std::string(definition.name) + " --help`."});
    }
    std::ranges::reverse(arguments);
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    context.out << command_help(definition, context);
    return kDone;
  } catch (const CLI::ParseError& error) {
    return context.fail({base::ErrorKind::kUsage, base::escape_for_terminal(error.what()) +
                                                      "\nSee `twinport " +
                                                      std::string(definition.name) + " --help`."});
  }
  std::vector<std::string> extras = app.remaining();
  // CLI11 keeps the mark behind which all are arguments, as if it were one of them.
  if (const auto mark = std::ranges::find(extras, "--"); mark != extras.end()) extras.erase(mark);
  if (!extras.empty()) {
    return context.fail(unknown_argument(extras.front(), app, definition.name));
  }
  if (const std::string empty = empty_option(app); !empty.empty()) {
    return context.fail(
        {base::ErrorKind::kUsage, "the value of " + empty +
                                      " is empty: give one, or leave it out\nSee `twinport " +
                                      std::string(definition.name) + " --help`."});
  }
  context.json = shared.json;
  if (!shared.state_directory.empty()) context.state_directory = shared.state_directory;
  if (!shared.config_directory.empty()) context.config_directory = shared.config_directory;
  const char* state = environment.variable ? environment.variable("TWINPORT_STATE") : nullptr;
  const bool chosen_state = !shared.state_directory.empty() || (state != nullptr && *state != '\0');
  place_recorder_socket(environment, chosen_state, context);
  return run(context);
}

int dispatch(std::span<const char* const> arguments, const Environment& environment,
             Context& context) {
  const size_t at = command_position(arguments);
  std::vector<std::string> rest(arguments.begin(), arguments.end());
  if (at == arguments.size()) {
    for (const std::string_view argument : rest) {
      if (argument == "--help" || argument == "-h") return print_help({}, context);
      if (argument == "--version" || argument == "-V") return run_version(context);
    }
    if (!rest.empty()) {
      return context.fail(
          {base::ErrorKind::kUsage, "no command was given\nSee `twinport --help`."});
    }
    context.err << overview(context);
    return kUsage;
  }
  if (rest[at] == "help") {
    const std::vector<std::string_view> words(rest.begin() + static_cast<ptrdiff_t>(at) + 1,
                                              rest.end());
    return print_help(words, context);
  }
  const Definition* definition = nullptr;
  const size_t second = at + 1 + command_position(arguments.subspan(at + 1));
  if (second < rest.size()) definition = find_command(rest[at] + " " + rest[second]);
  if (definition != nullptr) {
    rest.erase(rest.begin() + static_cast<ptrdiff_t>(second));
  } else {
    definition = find_command(rest[at]);
  }
  if (definition == nullptr) {
    const bool asks_for_help = std::ranges::any_of(
        rest, [](const std::string& word) { return word == "--help" || word == "-h"; });
    if (asks_for_help && second >= rest.size()) {
      const std::string_view group = rest[at];
      return print_help({&group, 1}, context);
    }
    return context.fail(unknown_command(rest[at]));
  }
  rest.erase(rest.begin() + static_cast<ptrdiff_t>(at));
  return run_definition(*definition, std::move(rest), environment, context);
}

}  // namespace

Environment Environment::of_process() {
  Environment out;
  out.variable = [](const char* name) -> const char* {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here writes the environment
  };
  out.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  out.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  out.is_root = ::geteuid() == 0;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet
  if (const passwd* user = ::getpwuid(::geteuid()); user != nullptr) {
    out.passwd_home = user->pw_dir;
  }
  struct winsize size{};
  if (out.out_is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    out.terminal_columns = size.ws_col;
  }
  if (out.out_is_terminal && out.terminal_columns == 0) out.terminal_columns = 80;
  return out;
}

int run_command_line(std::span<const char* const> arguments, const Environment& environment,
                     Output& out, Output& err) {
  Context context = make_context(environment, out, err);
  const int code = dispatch(arguments, environment, context);
  if (auto written = out.finish(); !written) return context.fail(written.error());
  return code;
}

}  // namespace apps
