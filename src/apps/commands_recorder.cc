// The recorder, and commands that ask it.
#include <array>
#include <memory>

#include "apps/cmd_record.h"
#include "apps/cmd_status.h"
#include "apps/cmd_timeline.h"
#include "apps/cmd_watch.h"
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
  app.add_flag("--no-alerts", options->no_alerts, "Only record");
  app.add_option("--look", options->look_every,
                 "Look at all that is open so often; some alerts come of that (1m)")
      ->type_name("TIME");
  app.add_option("--ring", options->ring,
                 "Room for events that wait in the kernel; a power of two (8MiB)")
      ->type_name("SIZE");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_record(*options, context); };
}

void define_rows(CLI::App& app, RowOptions& options) {
  define_words(app, "FILTER", options.filter,
               "Which sockets, e.g. 'port = 1744'; see `twinport help filter`");
  app.add_option("-p,--process", options.process, "Of a program's name, or of a pid")
      ->type_name("NAME");
  app.add_option("--peer", options.peer, "With ADDRESS, or ADDRESS:PORT")->type_name("PEER");
  app.add_option("--role", options.role, "What the socket was for")
      ->type_name("listener|outgoing|incoming|bound|connect-failed|bind-failed|refused");
}

Run define_timeline(CLI::App& app) {
  auto options = std::make_shared<TimelineOptions>();
  define_rows(app, options->rows);
  app.add_option("--since", options->since, "Open at that time or later")->type_name("TIME");
  app.add_option("--until", options->until, "Open at that time or earlier")->type_name("TIME");
  app.add_option("-n,--limit", options->limit, "How many at most, the newest first (100)")
      ->type_name("N");
  app.add_flag("--no-header", options->no_header, "Only the rows, for scripts");
  return [options](Context& context) { return run_timeline(*options, context); };
}

Run define_watch(CLI::App& app) {
  auto options = std::make_shared<WatchOptions>();
  define_rows(app, options->rows);
  app.add_option("--for", options->run_for, "Watch so long and end, e.g. 10s, 15m, 2h")
      ->type_name("TIME");
  return [options](Context& context) { return run_watch(*options, context); };
}

Run define_status(CLI::App&) { return run_status; }

constexpr auto kCommands = std::to_array<Definition>({
    {"record", "Record every opening and closing of a port",
     "Watches the kernel open and close sockets, names the process behind each, and keeps that in "
     "the timeline of the state directory, for `twinport who --at`. It runs in the foreground "
     "until "
     "Ctrl-C or SIGTERM, or for the time given with --for; nothing stays behind in the kernel. One "
     "recorder can work on a state directory at a time; any number of commands may ask meanwhile.\n"
     "\n"
     "Needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN. Without them it hears of closings "
     "only "
     "and looks every second, and the timeline says that it may have missed something. Exits with "
     "1 when events were lost or could not be written: the timeline shows where.",
     "twinport record\n"
     "twinport record --for 1s  # a short look, for scripts\n"
     "twinport record --keep 8w --max-size 16GiB --ring 32MiB --for 1s --json\n",
     define_record},
    {"timeline", "What was opened and closed, newest first",
     "Lists what `twinport record` kept: every socket with its times, its peer and the process "
     "behind it, and refused callers and failed connects among them. Stretches that were not "
     "recorded stand between the rows. A \"<\" before a time means that the socket was older than "
     "the record, a \"?\" behind a process that it made the socket and another may have used it.\n"
     "\n"
     "The filter is that of `twinport ports`, less what only a live socket has. Exits with 1 when "
     "not all of the time given with --since or --until was recorded.",
     "twinport timeline\n"
     "twinport timeline --since -1h --process sshd\n"
     "twinport timeline 'raddr in 10.0.0.0/8 and user = www-data' --limit 20\n"
     "twinport timeline 56744 --since '2026-11-22 12:00' --until '2026-11-22 13:00'\n"
     "twinport timeline --role refused --json | jq '.rows[].remote.address'\n",
     define_timeline},
    {"watch", "Openings and closings as they happen",
     "Shows what the recorder sees, within half a second: \"+\" opened, \"-\" closed, \"!\" a "
     "failed "
     "connect or bind, a refused caller, or a loss. Needs a recorder at work; root sees "
     "everything, "
     "others their own sockets. With --json each event is a document on a line of its own.\n"
     "\n"
     "Exits with 1 when something came too fast to be shown, was lost, or the recorder ended.",
     "twinport watch\n"
     "twinport watch 'tcp and rport = 443'\n"
     "twinport watch --process sshd --role incoming\n"
     "twinport watch --role listener --json | jq '.row.local.port'\n",
     define_watch},
    {"status", "What the recorder sees, keeps and has lost",
     "Says whether a recorder is at work, how far back answers reach, what the timeline takes on "
     "disk, what was lost and when nobody recorded, and what cannot be seen.\n"
     "\n"
     "Exits with 1 when no recorder is at work, or it has lost or cannot write something.",
     "twinport status\n"
     "twinport status --json | jq '.timeline.reaches_back_to'\n",
     define_status},
});

}  // namespace

std::span<const Definition> recorder_commands() { return kCommands; }

}  // namespace apps
