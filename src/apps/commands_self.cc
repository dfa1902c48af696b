// Commands about Twinport itself.
#include <array>
#include <memory>

#include "apps/cmd_completion.h"
#include "apps/cmd_version.h"
#include "apps/command_definition.h"

namespace apps {
namespace {

Run define_completion(CLI::App& app) {
  auto options = std::make_shared<CompletionOptions>();
  app.add_option("SHELL", options->shell, "The shell")->required()->type_name("bash|zsh|fish");
  return [options](Context& context) { return run_completion(*options, context); };
}

Run define_version(CLI::App&) { return run_version; }

constexpr auto kCommands = std::to_array<Definition>({
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

}  // namespace

std::span<const Definition> self_commands() { return kCommands; }

}  // namespace apps
