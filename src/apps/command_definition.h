// Definition: what the command line knows of a command: its name, its help and its options.
// Commands that belong together are defined in one file, commands_GROUP.cc; command_line.cc finds
// and runs them. Only these files use CLI11: its header alone takes three seconds to compile.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "apps/context.h"
#include "apps/repository_access.h"
#include "model/inventory.h"

namespace apps {

using Run = std::function<int(Context&)>;

/// One command. Only the one that is named on the command line is ever built into a CLI::App.
struct Definition {
  std::string_view name;
  std::string_view summary;   ///< one line, for the list of commands
  std::string_view details;   ///< paragraphs
  std::string_view examples;  ///< one command line a line, "  # comment" behind it
  Run (*define)(CLI::App&);
};

// The groups, in the order in which they are listed. Good as long as the program runs.
std::span<const Definition> live_commands();
std::span<const Definition> recorder_commands();
std::span<const Definition> expect_commands();
std::span<const Definition> registry_commands();
std::span<const Definition> repository_commands();
std::span<const Definition> care_commands();
std::span<const Definition> self_commands();

/// All of them.
std::span<const Definition* const> all_commands();
/// By name, nullptr when there is none.
const Definition* find_command(std::string_view name);

// Names of a value's type that completion knows: a column of `twinport ports`, or several.
inline constexpr std::string_view kColumnType = "COLUMN";
inline constexpr std::string_view kColumnsType = "COLUMNS";

/// Options that every command has.
struct SharedOptions {
  bool json = false;
  std::string state_directory;
  std::string config_directory;
};

void define_shared(CLI::App& app, SharedOptions& shared);

// Options that several commands have.

void define_store(CLI::App& app, RepositoryOptions& options);
void define_secrets(CLI::App& app, RepositoryOptions& options);
void define_collector(CLI::App& app, std::optional<model::CollectorKind>& collector);
/// A positional of one or more words, joined by blanks: quotes on the command line are optional.
CLI::Option* define_words(CLI::App& app, const std::string& name, std::string& target,
                          const std::string& help);

}  // namespace apps
