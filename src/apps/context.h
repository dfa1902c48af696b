// Context: what every command gets: the options that all of them share, where text goes, and the
// machine. Made once in command_line.cc; tests make their own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "apps/expectations.h"
#include "apps/machine.h"
#include "apps/output.h"
#include "apps/style.h"
#include "base/json_writer.h"
#include "base/result.h"
#include "ports/registry.h"

namespace apps {

/// The one version of all JSON output. It changes when a field is renamed, removed or changes its
/// meaning; new fields do not change it.
inline constexpr std::string_view kJsonSchema = "twinport/1";

/// The contract of every command.
enum ExitCode : int {
  kDone = 0,       ///< done, and nothing is wrong
  kAttention = 1,  ///< done, and something needs attention
  kUsage = 2,      ///< the command line cannot be taken
  kFailed = 3,     ///< it could not be done
};

struct Context {
  using MachineMaker = std::function<std::unique_ptr<Machine>()>;
  Context(Output& standard_output, Output& standard_error, MachineMaker machine_maker)
      : out(standard_output), err(standard_error), make_machine(std::move(machine_maker)) {}

  Output& out;
  Output& err;
  MachineMaker make_machine;
  bool json = false;
  std::string state_directory;
  std::string config_directory;
  std::string repository;       ///< TWINPORT_REPO
  std::string passphrase_file;  ///< TWINPORT_PASSPHRASE_FILE
  std::string recorder_socket;  ///< where the recorder of that state listens
  std::string shared_socket;    ///< where that of the whole machine does; "" = it is not meant
  Style style{false};           ///< of standard output
  Style error_style{false};     ///< of standard error
  unsigned width = 0;           ///< columns of the terminal, 0 = no terminal: tables are never cut

  /// Columns for running text: readable lines even on a wide screen, 80 without a terminal.
  [[nodiscard]] unsigned text_width() const;

  Machine& machine();
  const ports::Registry& registry();
  /// Of the configuration directory. What cannot be read or taken is warned of, once, and then
  /// nothing is judged.
  const LoadedExpectations& expectations();

  /// JSON output for one document: `{"schema": "twinport/1", "command": NAME, ...`. The caller adds
  /// its own fields and ends it with end_json().
  base::JsonWriter begin_json(std::string_view command);
  static void end_json(base::JsonWriter& writer);

  /// Prints "twinport: MESSAGE" and returns the exit code that belongs to the error's kind.
  int fail(const base::Error& error);
  /// Prints a line about something that needs attention but stops nothing.
  void warn(std::string_view message);

  std::unique_ptr<Machine> opened_machine;
  std::shared_ptr<const ports::Registry> opened_registry;
  std::shared_ptr<const LoadedExpectations> opened_expectations;
};

}  // namespace apps
