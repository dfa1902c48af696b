// What an interpreter was told to run, taken from its command line as /proc/PID/cmdline has it:
// words, each ended by a NUL. A process may overwrite these bytes with anything, so this is what
// its command line says, and no proof. Pure and total; any thread.
#pragma once

#include <string_view>

#include "model/process.h"

namespace format {

/// Whether find_script_argument() knows the command line of this program: "python3.11", "java".
bool is_script_interpreter(std::string_view program);

/// `program` is the file that runs, without its folder: never the first word, which is free text.
/// Of the script's own arguments nothing is read.
model::Script find_script_argument(std::string_view program, std::string_view command_line);

}  // namespace format
