// The definitions of `expect ...`: what should be open.
#include <array>
#include <memory>

#include "apps/cmd_expect.h"
#include "apps/command_definition.h"

namespace apps {
namespace {

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

constexpr auto kCommands = std::to_array<Definition>({
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
});

}  // namespace

std::span<const Definition> expect_commands() { return kCommands; }

}  // namespace apps
