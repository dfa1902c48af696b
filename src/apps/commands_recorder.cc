// The recorder, and commands that ask it.
#include <array>
#include <memory>

#include "apps/cmd_record.h"
#include "apps/command_definition.h"

namespace apps {
namespace {

Run define_record(CLI::App& app) {
  auto options = std::make_shared<RecordOptions>();
  app.add_option("--for", options->run_for, "Record so long and end, e.g. 10s, 15m, 2h")
      ->type_name("TIME");
  app.add_option("--keep", options->keep, "Forget what ended longer ago (30d)")->type_name("TIME");
  app.add_option("--max-size", options->max_size,
                 "Forget the oldest where the timeline would pass this (4GiB)")
      ->type_name("SIZE");
  app.add_option("--ring", options->ring,
                 "Room for events that wait in the kernel; a power of two (8MiB)")
      ->type_name("SIZE");
  return [options](Context& context) { return run_record(*options, context); };
}

constexpr auto kCommands = std::to_array<Definition>({
    {"record", "Record every opening and closing of a port",
     "Watches the kernel open and close sockets, names the process behind each, and keeps that in "
     "the timeline of the state directory, for `twinport who --at`. It runs in the foreground "
     "until "
     "Ctrl-C or SIGTERM, or for the time given with --for; nothing stays behind in the kernel. One "
     "recorder can work on a state directory at a time; any number of commands may ask meanwhile.\n"
     "\n"
     "Needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN. Exits with 1 when events were lost or "
     "could not be written: the timeline shows where.",
     "twinport record\n"
     "twinport record --for 1s  # a short look, for scripts\n"
     "twinport record --keep 8w --max-size 16GiB --ring 32MiB --for 1s --json\n",
     define_record},
});

}  // namespace

std::span<const Definition> recorder_commands() { return kCommands; }

}  // namespace apps
