#include "apps/command_definition.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace apps {

std::span<const Definition* const> all_commands() {
  static const std::vector<const Definition*> commands = [] {
    std::vector<const Definition*> out;
    for (const auto group :
         {live_commands(), recorder_commands(), expect_commands(), registry_commands(),
          repository_commands(), care_commands(), self_commands()}) {
      for (const Definition& definition : group) out.push_back(&definition);
    }
    return out;
  }();
  return commands;
}

const Definition* find_command(std::string_view name) {
  const auto found = std::ranges::find(all_commands(), name, &Definition::name);
  return found == all_commands().end() ? nullptr : *found;
}

void define_shared(CLI::App& app, SharedOptions& shared) {
  app.set_help_flag("-h,--help", "Show this help");
  app.add_flag("--json", shared.json, "Print one JSON document (docs/json.md)");
  app.add_option("--state", shared.state_directory, "Directory of state [TWINPORT_STATE]")
      ->type_name("DIR");
  app.add_option("--config", shared.config_directory,
                 "Directory of configuration [TWINPORT_CONFIG]")
      ->type_name("DIR");
}

void define_store(CLI::App& app, RepositoryOptions& options) {
  app.add_option("--repo", options.repository, "Directory of the repository [TWINPORT_REPO]")
      ->type_name("DIR");
}

void define_secrets(CLI::App& app, RepositoryOptions& options) {
  app.add_option("--passphrase-file", options.passphrase_file,
                 "File whose first line is the passphrase [TWINPORT_PASSPHRASE_FILE]")
      ->type_name("FILE");
  app.add_option("--key-file", options.key_file, "Key file that opens the repository")
      ->type_name("FILE");
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

}  // namespace apps
