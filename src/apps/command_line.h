// The command line: finds the command, parses its options, makes the Context and runs it. What the
// commands are is in command_definition.h.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "apps/machine.h"
#include "apps/output.h"

namespace apps {

/// What the process was given besides its arguments.
struct Environment {
  std::function<const char*(const char*)> variable;  ///< getenv
  std::function<std::unique_ptr<Machine>()> make_machine;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  unsigned terminal_columns = 0;  ///< 0 = no terminal, or it does not say
  bool is_root = false;
  std::string passwd_home;  ///< where HOME says nothing

  /// Of this process.
  static Environment of_process();
};

/// Runs one command line (without the program's own name) and returns the exit code.
int run_command_line(std::span<const char* const> arguments, const Environment& environment,
                     Output& out, Output& err);

/// The definitions as plain values, from which completion scripts and documents are made.
struct OptionDescription {
  std::vector<std::string> names;    ///< "-a", "--all"
  std::string value;                 ///< "" = a flag; else what it takes: "FILE", "DIR", "N", ...
  std::vector<std::string> choices;  ///< the words it takes; empty = any
  bool many = false;                 ///< several of the choices, joined by commas
  std::string help;
};
struct CommandDescription {
  std::string name;  ///< one word, or two: "registry search"
  std::string summary;
  std::string examples;                        ///< one command line a line, "  # comment" behind it
  std::vector<OptionDescription> options;      ///< its own and the shared ones
  std::vector<OptionDescription> positionals;  ///< `names` holds one
};
std::vector<CommandDescription> describe_commands();

}  // namespace apps
