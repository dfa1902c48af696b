// Commands about the registry, which look at nothing of this machine.
#include <array>
#include <memory>

#include "apps/cmd_registry.h"
#include "apps/command_definition.h"

namespace apps {
namespace {

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

constexpr auto kCommands = std::to_array<Definition>({
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
});

}  // namespace

std::span<const Definition> registry_commands() { return kCommands; }

}  // namespace apps
