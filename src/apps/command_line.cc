#include "apps/command_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "apps/cmd_completion.h"
#include "apps/cmd_ephemeral.h"
#include "apps/cmd_explain.h"
#include "apps/cmd_ports.h"
#include "apps/cmd_registry.h"
#include "apps/cmd_version.h"
#include "apps/cmd_who.h"
#include "apps/context.h"
#include "apps/layout.h"
#include "apps/socket_columns.h"
#include "base/nearest.h"
#include "base/text.h"
#include "ports/filter.h"

namespace apps {
namespace {

using Run = std::function<int(Context&)>;

constexpr std::string_view kColumnType = "COLUMN";
constexpr std::string_view kColumnsType = "COLUMNS";

/// One command. Only the one that is named on the command line is ever built into a CLI::App.
struct Definition {
  std::string_view name;
  std::string_view summary;   ///< one line, for the list of commands
  std::string_view details;   ///< paragraphs
  std::string_view examples;  ///< one command line a line, "  # comment" behind it
  Run (*define)(CLI::App&);
};

struct SharedOptions {
  bool json = false;
  std::string state_directory;
  std::string config_directory;
};

void define_shared(CLI::App& app, SharedOptions& shared) {
  app.set_help_flag("-h,--help", "Show this help");
  app.add_flag("--json", shared.json, "Print one JSON document (docs/json.md)");
  app.add_option("--state", shared.state_directory, "Directory of state [TWINPORT_STATE]")
      ->type_name("DIR");
  app.add_option("--config", shared.config_directory,
                 "Directory of configuration [TWINPORT_CONFIG]")
      ->type_name("DIR");
}

void define_collector(CLI::App& app, std::optional<model::CollectorKind>& collector) {
  app.add_option_function<std::string>(
         "--collector",
         [&collector](const std::string& name) {
           if (name == "auto") {
             collector.reset();
             return;
           }
           for (const auto kind : {model::CollectorKind::kBpf, model::CollectorKind::kSockDiag,
                                   model::CollectorKind::kProc}) {
             if (name == model::collector_name(kind)) {
               collector = kind;
               return;
             }
           }
           throw CLI::ValidationError("--collector", "there is no collector \"" +
                                                         base::escape_for_terminal(name) +
                                                         "\"; use auto, bpf, sock_diag or proc");
         },
         "How to look at sockets; auto takes the best that works here")
      ->type_name("auto|bpf|sock_diag|proc");
}

/// A positional of one or more words, joined by blanks: quotes on the command line are optional.
CLI::Option* define_words(CLI::App& app, const std::string& name, std::string& target,
                          const std::string& help) {
  return app
      .add_option_function<std::vector<std::string>>(
          name,
          [&target](const std::vector<std::string>& words) {
            target = CLI::detail::join(words, " ");
          },
          help)
      ->expected(0, -1);
}

Run define_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  define_words(app, "PORT", options->port,
               "1744, 1744/tcp, :1744, 10.0.0.5:56744, ssh, 1743-1844, \"56744 TCP 2024\"")
      ->expected(1, -1)
      ->required();
  app.add_flag("--markdown", options->markdown, "Print the page as Markdown");
  app.add_flag("--verify", options->verify, "Compare the holder's file with its package's sum");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_explain(*options, context); };
}

Run define_ephemeral(CLI::App& app) {
  auto options = std::make_shared<EphemeralOptions>();
  app.add_option("--top", options->top, "How many destinations and holders to list")
      ->type_name("N");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_ephemeral(*options, context); };
}

Run define_ports(CLI::App& app) {
  auto options = std::make_shared<PortsOptions>();
  define_words(app, "FILTER", options->filter,
               "Which sockets, e.g. 'proto=tcp and port in 1743-1844'; see `twinport help filter`");
  app.add_flag("-a,--all", options->all, "All states and all network namespaces");
  app.add_flag("--all-namespaces", options->all_namespaces,
               "All network namespaces, listening and bound sockets only");
  app.add_option("-c,--columns", options->columns, "Columns, joined by commas; \"help\" lists them")
      ->type_name(std::string(kColumnsType));
  app.add_option("-s,--sort", options->sort, "Sort by a column; -COLUMN reverses")
      ->type_name(std::string(kColumnType));
  app.add_flag("--no-header", options->no_header, "Only the rows, for scripts");
  app.add_flag("-w,--wide", options->wide, "Cut nothing, and list every blind spot");
  app.add_flag("--detail", options->detail, "What TCP knows of each connection");
  app.add_flag("--verify", options->verify, "Compare the holders' files with their packages' sums");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_ports(*options, context); };
}

Run define_who(CLI::App& app) {
  auto options = std::make_shared<WhoOptions>();
  define_words(app, "PORT", options->port, "[ADDRESS:]PORT, a range or a service name")
      ->expected(1, -1)
      ->required();
  app.add_option("--peer", options->peer, "Only connections with ADDRESS, or ADDRESS:PORT")
      ->type_name("PEER");
  app.add_flag("--verify", options->verify, "Compare the holders' files with their packages' sums");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_who(*options, context); };
}

Run define_registry_show(CLI::App& app) {
  auto options = std::make_shared<RegistryShowOptions>();
  define_words(app, "PORT", options->port, "A port, a range or a service name: 1744, 22/tcp, ssh")
      ->expected(1, -1)
      ->required();
  return [options](Context& context) { return run_registry_show(*options, context); };
}

Run define_registry_search(CLI::App& app) {
  auto options = std::make_shared<RegistrySearchOptions>();
  define_words(app, "WORDS", options->words, "All of them must be in a row, in any case")
      ->expected(1, -1)
      ->required();
  return [options](Context& context) { return run_registry_search(*options, context); };
}

Run define_registry_list(CLI::App& app) {
  auto options = std::make_shared<RegistryListOptions>();
  app.add_option_function<std::string>(
         "--protocol",
         [options](const std::string& name) {
           options->protocol = model::protocol_from_name(name);
           if (!options->protocol || *options->protocol == model::Protocol::kRaw) {
             throw CLI::ValidationError("--protocol", "use tcp, udp, sctp or dccp");
           }
         },
         "Only rows of this transport")
      ->type_name("tcp|udp|sctp|dccp");
  app.add_flag("--no-header", options->no_header, "Only the rows, for scripts");
  return [options](Context& context) { return run_registry_list(*options, context); };
}

Run define_registry_import(CLI::App& app) {
  auto options = std::make_shared<RegistryImportOptions>();
  app.add_option("FILE", options->file, "service-names-port-numbers.csv as IANA publishes it")
      ->required()
      ->type_name("FILE");
  app.add_flag("--force", options->force, "Take a file that has implausibly few rows");
  return [options](Context& context) { return run_registry_import(*options, context); };
}

Run define_completion(CLI::App& app) {
  auto options = std::make_shared<CompletionOptions>();
  app.add_option("SHELL", options->shell, "The shell")->required()->type_name("bash|zsh|fish");
  return [options](Context& context) { return run_completion(*options, context); };
}

Run define_version(CLI::App&) { return run_version; }

constexpr auto kCommands = std::to_array<Definition>({
    {"explain", "Everything known about a port, in plain words",
     "Says what a port is, to whom it is registered, what really uses it, who holds it here and "
     "why that program runs, whether that is safe and on what evidence, and how to check by hand. "
     "For a port that nobody holds it says why one still meets it in logs and scans. Exits with 1 "
     "when a holder cannot be seen or something asks for a look.",
     "twinport explain 1744\n"
     "twinport explain \"56744 TCP 2024\"  # as pasted from an article\n"
     "twinport explain ssh --verify       # and compare programs with their packages\n"
     "twinport explain 10.0.0.5:443/tcp\n"
     "twinport explain 1743-1844          # a range, compact\n"
     "twinport explain 1744 --markdown > port-1744.md\n",
     define_explain},
    {"ephemeral", "The ports that the kernel lends to outgoing connections",
     "Shows the range that the kernel lends from, how much of it is in use toward each "
     "destination, who uses the most, what listens inside it, and what to do when it runs short. "
     "Exits with 1 when less than a tenth of the ports is free for a destination or for UDP.",
     "twinport ephemeral\n"
     "twinport ephemeral --top 3\n"
     "twinport ephemeral --json\n",
     define_ephemeral},
    {"ports", "Who holds what, now",
     "Lists the sockets that hold a port: listening TCP and bound UDP of this network namespace, "
     "with the process behind each. A filter or --all shows connections too. A socket without a "
     "process is explained, never left blank.\n"
     "\n"
     "The exit code is 1 when rights or a failure left something out of the view; as root there is "
     "more to see.",
     "twinport ports\n"
     "twinport ports 22  # who listens on port 22\n"
     "twinport ports 'proto=tcp and state=listen and port in 1743-1844'\n"
     "twinport ports --all --sort -recvq --columns local,peer,recvq,process\n"
     "twinport ports 'state=established' --detail\n"
     "twinport ports --all --json | jq '.sockets[] | select(.owners == [])'\n",
     define_ports},
    {"who", "Who holds a port now, and why they run",
     "Names every process that holds the port, listeners and connections apart, with what started "
     "each, its unit or container and its Debian package. A port that the packet filter sends "
     "elsewhere is named as such.\n"
     "\n"
     "The exit code is 0 when every holder is named or there surely is none, and 1 when a holder "
     "could not be seen.",
     "twinport who 22\n"
     "twinport who 127.0.0.1:5432\n"
     "twinport who https --peer 10.0.0.5\n"
     "twinport who 22 --json | jq '.held[].holds[].programs[].process.exe'\n",
     define_who},
    {"registry", "Who a port is registered to, and what really uses it",
     "Looks a port or a service name up in IANA's registry and in our own table of known uses. A "
     "registration whose tenant left no documentation is called a ghost, with the signs for it. "
     "Nothing of this machine is looked at; `twinport explain` does that.",
     "twinport registry 1744\n"
     "twinport registry ssh\n"
     "twinport registry 1743-1749/tcp\n"
     "twinport registry search backup agent\n"
     "twinport registry 22 --json | jq -r '.registrations[].assignee'\n",
     define_registry_show},
    {"registry search", "Rows of the registry and known uses that have all the words",
     "Searches service names, descriptions and assignees of the registry, and software, roles and "
     "summaries of the known uses. Case is ignored.",
     "twinport registry search backup\n"
     "twinport registry search remote desktop\n",
     define_registry_search},
    {"registry list", "Every row of the registry", "Lists the whole registry, by port.",
     "twinport registry list --protocol sctp\n"
     "twinport registry list --json | jq '.registrations | length'\n",
     define_registry_list},
    {"registry import", "Take IANA's own file for look-ups from now on",
     "Reads service-names-port-numbers.csv as IANA publishes it, checks all of it, and keeps it in "
     "the state directory. A malformed file is refused with its line number, and what was there "
     "stays. Remove registry.table from the state directory to go back to the built-in registry.",
     "twinport registry import service-names-port-numbers.csv\n", define_registry_import},
    {"completion", "A script that completes command lines in your shell",
     "Prints a script for bash, zsh or fish. It is made from the commands themselves.",
     "source <(twinport completion bash)  # for this shell\n"
     "twinport completion bash > /etc/bash_completion.d/twinport\n"
     "twinport completion fish | source\n",
     define_completion},
    {"version", "Which Twinport this is", "Prints the version of this program.",
     "twinport version\n"
     "twinport version --json  # for programs\n",
     define_version},
});

const Definition* find_command(std::string_view name) {
  const auto* found = std::ranges::find(kCommands, name, &Definition::name);
  return found == kCommands.end() ? nullptr : found;
}

/// Takes the type's name apart: "a|b|c" are choices, and columns have their own.
void describe_value(const std::string& type, OptionDescription& out) {
  out.value = type;
  if (type.contains('|')) {
    out.value = "WHICH";
    out.choices = CLI::detail::split(type, '|');
  } else if (type == kColumnType || type == kColumnsType) {
    for (const SocketColumn& column : socket_columns()) out.choices.emplace_back(column.name);
    out.many = type == kColumnsType;
  }
}

std::vector<OptionDescription> describe_options(CLI::App& app, bool positionals) {
  std::vector<OptionDescription> out;
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional() == positionals) continue;
    OptionDescription description;
    for (const std::string& name : option->get_snames()) description.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) description.names.push_back("--" + name);
    if (positionals) {
      std::string name = option->get_name();
      if (option->get_items_expected_max() > 1) name += "...";
      description.names = {option->get_required() ? name : "[" + name + "]"};
    }
    if (option->get_items_expected_max() > 0) describe_value(option->get_type_name(), description);
    description.help = option->get_description();
    out.push_back(std::move(description));
  }
  return out;
}

CommandDescription describe(const Definition& definition) {
  CLI::App app;
  app.set_help_flag();
  const Run run = definition.define(app);
  CommandDescription out{std::string(definition.name),
                         std::string(definition.summary),
                         std::string(definition.examples),
                         {},
                         describe_options(app, true)};
  SharedOptions shared;
  define_shared(app, shared);
  out.options = describe_options(app, false);
  return out;
}

void append_options(std::string& out, const std::vector<OptionDescription>& options, size_t width) {
  constexpr size_t kHelpColumn = 24;
  for (const OptionDescription& option : options) {
    std::string left = "  " + CLI::detail::join(option.names, ", ");
    if (!option.value.empty() && option.names.front().starts_with('-')) left += " " + option.value;
    std::string help = option.help;
    if (option.value == "WHICH") help += ": " + CLI::detail::join(option.choices, ", ");
    if (left.size() + 2 > kHelpColumn) {
      out += left + "\n";
      left.clear();
    }
    left.resize(kHelpColumn, ' ');
    out += wrap_text(help, width, left, std::string(kHelpColumn, ' '));
  }
}

std::string command_help(const Definition& definition, const Context& context) {
  const size_t width = context.text_width();
  const CommandDescription command = describe(definition);
  std::string usage = "twinport " + command.name + " [OPTIONS]";
  for (const OptionDescription& positional : command.positionals) {
    usage += " " + positional.names.front();
  }
  std::string out = context.style("Usage:", Tone::kStrong) + " " + usage + "\n\n";
  out += wrap_text(definition.details, width);
  if (!command.positionals.empty()) {
    out += "\n" + context.style("Arguments:", Tone::kStrong) + "\n";
    append_options(out, command.positionals, width);
  }
  out += "\n" + context.style("Options:", Tone::kStrong) + "\n";
  append_options(out, command.options, width);
  out += "\n" + context.style("Examples:", Tone::kStrong) + "\n";
  std::string_view examples = definition.examples;
  while (!examples.empty()) {
    out += "  ";
    out += base::take_until(examples, '\n');
    out += '\n';
  }
  return out;
}

std::string overview(const Context& context) {
  std::string out =
      "Twinport says who every port is registered to, what really uses it, and who\n"
      "holds it now.\n\n" +
      context.style("Usage:", Tone::kStrong) + " twinport COMMAND [OPTIONS]\n\n" +
      context.style("Commands:", Tone::kStrong) + "\n";
  for (const Definition& definition : kCommands) {
    std::string left = "  " + std::string(definition.name);
    left.resize(std::max<size_t>(left.size() + 2, 20), ' ');
    out += wrap_text(definition.summary, context.text_width(), left, std::string(20, ' '));
  }
  out += "\n" + context.style("Options of every command:", Tone::kStrong) + "\n";
  CLI::App app;
  SharedOptions shared;
  define_shared(app, shared);
  append_options(out, describe_options(app, false), context.text_width());
  out +=
      "\n`twinport help COMMAND` tells more about a command, with examples, and\n"
      "`twinport help filter` how to ask for sockets.\n"
      "Exit codes: 0 nothing wrong, 1 something needs attention, 2 wrong usage,\n"
      "3 could not be done.\n";
  return out;
}

base::Error unknown_command(std::string_view word) {
  std::vector<std::string_view> names{"help"};
  for (const Definition& definition : kCommands) {
    std::string_view rest = definition.name;
    names.push_back(base::take_word(rest));
  }
  std::string message = "there is no command \"" + base::escape_for_terminal(word) + "\"";
  const std::string_view near = base::nearest_word(word, names);
  if (!near.empty()) message += "; did you mean \"" + std::string(near) + "\"?";
  message += "\nSee `twinport --help`.";
  return {base::ErrorKind::kUsage, message};
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
  const std::string_view near = option ? base::nearest_word(head, names) : std::string_view{};
  if (!near.empty()) message += "; did you mean \"" + std::string(near) + "\"?";
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
  const std::string home = value("HOME");
  return (home.empty() ? std::string() : home + "/") + home_path;
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
  return context;
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
  if (definition == nullptr) return context.fail(unknown_command(words[0]));
  context.out << command_help(*definition, context);
  return kDone;
}

/// Parses the arguments of one command and runs it.
int run_definition(const Definition& definition, std::vector<std::string> arguments,
                   Context& context) {
  CLI::App app;
  app.allow_extras();
  app.name(std::string(definition.name));
  SharedOptions shared;
  Run run;
  try {
    run = definition.define(app);
    define_shared(app, shared);
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
  const std::vector<std::string> extras = app.remaining();
  if (!extras.empty()) {
    return context.fail(unknown_argument(extras.front(), app, definition.name));
  }
  context.json = shared.json;
  if (!shared.state_directory.empty()) context.state_directory = shared.state_directory;
  if (!shared.config_directory.empty()) context.config_directory = shared.config_directory;
  return run(context);
}

int dispatch(std::span<const char* const> arguments, Context& context) {
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
  if (definition == nullptr) return context.fail(unknown_command(rest[at]));
  rest.erase(rest.begin() + static_cast<ptrdiff_t>(at));
  return run_definition(*definition, std::move(rest), context);
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
  const int code = dispatch(arguments, context);
  if (auto written = out.finish(); !written) return context.fail(written.error());
  return code;
}

std::vector<CommandDescription> describe_commands() {
  std::vector<CommandDescription> out;
  out.reserve(kCommands.size());
  for (const Definition& definition : kCommands) out.push_back(describe(definition));
  return out;
}

}  // namespace apps
