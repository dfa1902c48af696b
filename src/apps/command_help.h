// The help pages, made from the definitions of the commands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/command_definition.h"
#include "apps/command_line.h"

namespace apps {

/// The options of `app`, or its positionals.
std::vector<OptionDescription> describe_options(CLI::App& app, bool positionals);

/// `twinport help COMMAND`.
std::string command_help(const Definition& definition, const Context& context);
/// `twinport help WORD` of a word that begins commands and is none itself, such as "expect"; "" for
/// any other.
std::string group_help(std::string_view word, const Context& context);
/// `twinport --help`.
std::string overview(const Context& context);

}  // namespace apps
