// The definitions of `expect ...` and `alerts`: what should be open, and what was not.
#include <array>
#include <memory>

#include "apps/cmd_alerts.h"
#include "apps/cmd_expect.h"
#include "apps/command_definition.h"

namespace apps {
namespace {

Run define_learn(CLI::App& app) {
  auto options = std::make_shared<ExpectLearnOptions>();
  app.add_option("--since", options->since,
                 "Take in the timeline from then on: -2h, \"2026-11-22 12:03\"; else seven days")
      ->type_name("TIME");
  app.add_option("-o,--output", options->output, "Where to write; \"-\" is standard output")
      ->type_name("FILE");
  app.add_flag("-f,--force", options->force, "Replace a file that says otherwise");
  app.add_flag("--open-only", options->open_only, "Nothing about who talks to others");
  app.add_flag("--all-namespaces", options->all_namespaces,
               "Network namespaces that have a name, too");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_expect_learn(*options, context); };
}

Run define_check(CLI::App& app) {
  auto options = std::make_shared<ExpectCheckOptions>();
  define_collector(app, options->collector);
  return [options](Context& context) { return run_expect_check(*options, context); };
}

Run define_show(CLI::App& app) {
  auto options = std::make_shared<ExpectShowOptions>();
  app.add_flag("-w,--wide", options->wide, "Cut nothing");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_expect_show(*options, context); };
}

Run define_alerts(CLI::App& app) {
  auto options = std::make_shared<AlertsOptions>();
  app.add_option("--since", options->since, "From then on: -2h, \"2026-11-22 12:03\"")
      ->type_name("TIME");
  app.add_option("--rule", options->rule, "Only alerts of this rule")->type_name("RULE");
  app.add_option("--limit", options->limit, "How many at most, the newest")->type_name("N");
  return [options](Context& context) { return run_alerts(*options, context); };
}

constexpr auto kCommands = std::to_array<Definition>({
    {"expect learn", "Write down what is open and who talks as what is expected",
     "Writes expectations.toml of the configuration directory from what is open now and, where "
     "`twinport record` ran, from the timeline: each port with its holder, and each program that "
     "talks to others with the ports that it talks to. All of it counts as expected from then on, "
     "so a person should go over the file, take out what should not be, and say who answers for "
     "the rest.\n"
     "\n"
     "A file that is there and says otherwise is left as it is: the difference is shown, and the "
     "exit code is 1. --force replaces it, and keeps what it says of why and owner.",
     "twinport expect learn --output -      # only look\n"
     "twinport expect learn --force\n"
     "twinport expect learn --force --open-only\n",
     define_learn},
    {"expect check", "What is not as it should be",
     "Judges every open port, every port that the packet filter sends elsewhere, and (where an "
     "[[outgoing]] says who may talk to others) every connection by the expectations of the "
     "configuration directory: expectations.toml and expectations.d/*.toml. Says what is "
     "unexpected, held by an impostor, open to more than it should be, missing, or could not be "
     "seen, and by which rule.\n"
     "\n"
     "Exits with 1 when there is such a finding or the view is incomplete, so that cron and CI can "
     "use it, and with 3 when there are no expectations.",
     "twinport expect check\n"
     "twinport expect check --json | jq -r '.findings[] | \"\\(.verdict): \\(.reason)\"'\n",
     define_check},
    {"expect show", "What is expected, who answers for it, and how it is now",
     "Lists the expectations of the configuration directory, one a row, with the worst verdict "
     "that "
     "each led to just now. Exits with 1 when one of them is a finding; what no expectation names "
     "is told by `twinport expect check`.",
     "twinport expect show\n"
     "twinport expect show --wide\n"
     "twinport expect show --json | jq '.expectations[] | select(.now)'\n",
     define_show},
    {"alerts", "What the recorder warned of, newest first",
     "Lists the alerts that `twinport record` told. An alert is about change: it is told once, "
     "when "
     "something becomes so, and again only after it was away for a day. What the rules are, where "
     "alerts go and what to leave out is said in alerts.toml of the configuration directory; "
     "without it they are printed by `record`. `twinport expect check` tells how things stand now.",
     "twinport alerts\n"
     "twinport alerts --since -1d --rule impostor\n"
     "twinport alerts --json | jq -r '.alerts[].sentence'\n",
     define_alerts},
});

}  // namespace

std::span<const Definition> expect_commands() { return kCommands; }

}  // namespace apps
