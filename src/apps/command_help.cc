#include "apps/command_help.h"

#include <algorithm>

#include "apps/layout.h"
#include "apps/socket_columns.h"
#include "base/text.h"

namespace apps {
namespace {

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

}  // namespace

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

std::string group_help(std::string_view word, const Context& context) {
  if (find_command(word) != nullptr) return {};
  std::string commands;
  std::string examples;
  for (const Definition* definition : all_commands()) {
    std::string_view rest = definition->name;
    if (base::take_word(rest) != word) continue;
    std::string left = "  " + std::string(definition->name);
    left.resize(std::max<size_t>(left.size() + 2, 20), ' ');
    commands += wrap_text(definition->summary, context.text_width(), left, std::string(20, ' '));
    std::string_view all = definition->examples;
    examples += "  " + std::string(base::take_until(all, '\n')) + "\n";
  }
  if (commands.empty()) return {};
  const std::string name(word);
  return context.style("Usage:", Tone::kStrong) + " twinport " + name + " COMMAND [OPTIONS]\n\n" +
         context.style("Commands:", Tone::kStrong) + "\n" + commands + "\n" +
         context.style("Examples:", Tone::kStrong) + "\n" + examples + "\n`twinport help " + name +
         " COMMAND` tells more about each.\n";
}

std::string overview(const Context& context) {
  std::string out =
      "Twinport says who every port is registered to, what really uses it, and who\n"
      "holds it now.\n\n" +
      context.style("Usage:", Tone::kStrong) + " twinport COMMAND [OPTIONS]\n\n" +
      context.style("Commands:", Tone::kStrong) + "\n";
  for (const Definition* definition : all_commands()) {
    std::string left = "  " + std::string(definition->name);
    left.resize(std::max<size_t>(left.size() + 2, 20), ' ');
    out += wrap_text(definition->summary, context.text_width(), left, std::string(20, ' '));
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

std::vector<CommandDescription> describe_commands() {
  std::vector<CommandDescription> out;
  out.reserve(all_commands().size());
  for (const Definition* definition : all_commands()) out.push_back(describe(*definition));
  return out;
}

}  // namespace apps
