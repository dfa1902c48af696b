// Commands that look at the machine as it is now.
#include <array>
#include <memory>

#include "apps/cmd_doctor.h"
#include "apps/cmd_ephemeral.h"
#include "apps/cmd_explain.h"
#include "apps/cmd_ports.h"
#include "apps/cmd_who.h"
#include "apps/command_definition.h"
#include "base/text.h"

namespace apps {
namespace {

Run define_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  define_words(app, "PORT", options->port,
               "1744, 1744/tcp, :1744, 10.0.0.5:56744, ssh, 1743-1844, \"56744 TCP 2024\"")
      ->expected(1, -1)
      ->required();
  app.add_option("--at", options->at, "Also who held it then: a time as logs write it, or -10m")
      ->type_name("TIME");
  app.add_flag("--markdown", options->markdown, "Print the page as Markdown");
  app.add_flag("--verify", options->verify, "Compare the holder's file with its package's sum");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_explain(*options, context); };
}

Run define_doctor(CLI::App& app) {
  auto options = std::make_shared<DoctorOptions>();
  define_words(app, "PORT", options->port,
               "[ADDRESS:]PORT, a range or a service name; usually Twinport's own, 1743 and 1744")
      ->expected(0, -1);
  app.add_option("--peer", options->peer, "Whether HOST can be reached at these ports, or at PORT")
      ->type_name("HOST[:PORT]");
  app.add_option("--profile", options->profile, "Which fallback ports: unix (usual) or windows")
      ->check(CLI::IsMember({"unix", "windows"}));
  app.add_option_function<std::string>(
         "--timeout",
         [options](const std::string& text) {
           const auto number = base::parse_number<unsigned>(text);
           if (!number || *number == 0 || *number > 600) {
             throw CLI::ValidationError("--timeout", "\"" + base::escape_for_terminal(text) +
                                                         "\" is no time in seconds; write 3");
           }
           options->timeout_s = *number;
         },
         "How long to wait for the peer; usually 3")
      ->type_name("SECONDS");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_doctor(*options, context); };
}

Run define_ephemeral(CLI::App& app) {
  auto options = std::make_shared<EphemeralOptions>();
  app.add_option_function<std::string>(
         "--top",
         [options](const std::string& text) {
           const auto number = base::parse_number<decltype(options->top)>(text);
           if (!number) {
             throw CLI::ValidationError("--top", "\"" + base::escape_for_terminal(text) +
                                                     "\" is no number of rows; write 10");
           }
           options->top = *number;
         },
         "How many destinations and holders to list")
      ->type_name("N");
  app.add_option("--since", options->since,
                 "How far to look back in the timeline: RFC 3339, local time, or -6h; usually -1h")
      ->type_name("TIME");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_ephemeral(*options, context); };
}

Run define_ports(CLI::App& app) {
  auto options = std::make_shared<PortsOptions>();
  define_words(app, "FILTER", options->filter,
               "Which sockets, e.g. 'proto=tcp and port in 1743-1844'; see `twinport help filter`");
  app.add_flag("-a,--all", options->all, "All states and all network namespaces");
  app.add_flag("--all-namespaces", options->all_namespaces,
               "All network namespaces, listening and bound sockets only");
  app.add_option("-c,--columns", options->columns, "Columns, joined by commas; \"help\" lists them")
      ->type_name(std::string(kColumnsType));
  app.add_option("-s,--sort", options->sort, "Sort by a column; -COLUMN reverses")
      ->type_name(std::string(kColumnType));
  app.add_flag("--no-header", options->no_header, "Only the rows, for scripts");
  app.add_flag("-w,--wide", options->wide, "Cut nothing, and list every blind spot");
  app.add_flag("--detail", options->detail, "What TCP knows of each connection");
  app.add_flag("--verify", options->verify, "Compare the holders' files with their packages' sums");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_ports(*options, context); };
}

Run define_who(CLI::App& app) {
  auto options = std::make_shared<WhoOptions>();
  define_words(app, "PORT", options->port,
               "[ADDRESS:]PORT, a range or a service name; several ask for each")
      ->expected(1, -1)
      ->required();
  app.add_option("--at", options->at, "Who held it then: a time as logs write it, or -10m")
      ->type_name("TIME");
  app.add_option("--peer", options->peer, "Only connections with ADDRESS, or ADDRESS:PORT")
      ->type_name("PEER");
  app.add_flag("--verify", options->verify, "Compare the holders' files with their packages' sums");
  define_collector(app, options->collector);
  return [options](Context& context) { return run_who(*options, context); };
}

constexpr auto kCommands = std::to_array<Definition>({
    {"explain", "Everything known about a port, in plain words",
     "Says what a port is, to whom it is registered, what really uses it, who holds it here and "
     "why that program runs, whether that is safe and on what evidence, and how to check by hand. "
     "For a port that nobody holds it says why one still meets it in logs and scans. With --at it "
     "says first who held it at that time, from what `twinport record` kept. Exits with 1 when a "
     "holder cannot be seen, the time was not recorded, or something asks for a look.",
     "twinport explain 1744\n"
     "twinport explain \"56744 TCP 2024\"  # as pasted from an article\n"
     "twinport explain ssh --verify       # and compare programs with their packages\n"
     "twinport explain 10.0.0.5:443/tcp\n"
     "twinport explain 56744 --at '2026-11-22 12:03:11'\n"
     "twinport explain 1743-1844          # a range or a list (22,80), compact\n"
     "twinport explain 1744 --markdown > port-1744.md\n",
     define_explain},
    {"doctor", "Can a port be bound; who or what is in the way",
     "Tries whether a server could take the TCP port here, on IPv4 and IPv6, and lets go of it at "
     "once; says who or what is in the way, and first the one thing to do next. Without PORT it "
     "looks at the two ports of Twinport's own channels, control 1743 and data 1744, and for data "
     "also which of the fallback ports are free.\n"
     "\n"
     "With --peer it also connects to the ports of another host, or to the one that is given, and "
     "closes at once: open, refused, filtered and out of reach are told apart.\n"
     "\n"
     "Exits with 0 when every port can be bound and nothing is in the way, and with 1 when "
     "something is, or when not all that may be could be read.",
     "twinport doctor\n"
     "twinport doctor 8080\n"
     "twinport doctor 127.0.0.1:5432\n"
     "twinport doctor --profile windows\n"
     "twinport doctor --peer localhost\n"
     "twinport doctor --peer 127.0.0.1:22 --timeout 5\n"
     "twinport doctor 1744 --json | jq -r '.next_step'\n",
     define_doctor},
    {"ephemeral", "The ports that the kernel lends to outgoing connections",
     "Shows the range that the kernel lends from, how much of it is in use toward each "
     "destination, who uses the most, what listens inside it, and what to do when it runs short.\n"
     "\n"
     "Where `twinport record` was at work it also tells of the last hour, or since --since: the "
     "highest use toward each destination, whether it will run out, who used ports up, and how "
     "well "
     "the next source port can be guessed (RFC 6056).\n"
     "\n"
     "Exits with 1 when less than a tenth of the ports is free for a destination or for UDP, or "
     "when the forecast is that none will be within an hour.",
     "twinport ephemeral\n"
     "twinport ephemeral --top 3\n"
     "twinport ephemeral --since -6h\n"
     "twinport ephemeral --json\n",
     define_ephemeral},
    {"ports", "Who holds what, now",
     "Lists the sockets that hold a port: listening TCP and bound UDP of this network namespace, "
     "with the process behind each. --all shows connections too, and so does a filter on a state, "
     "a "
     "peer or ADDRESS:PORT. A socket without a process is explained, never left blank.\n"
     "\n"
     "The exit code is 1 when rights or a failure left something out of the view; as root there is "
     "more to see.",
     "twinport ports\n"
     "twinport ports 22 80,443  # who listens on any of them\n"
     "twinport ports 10.0.0.5:56744\n"
     "twinport ports 'proto=tcp and state=listen and port in 1743-1844'\n"
     "twinport ports --all --sort -recvq --columns local,peer,recvq,process\n"
     "twinport ports 'state=established' --detail\n"
     "twinport ports --all --json | jq '.sockets[] | select(.owners == [])'\n",
     define_ports},
    {"who", "Who holds a port now or held it then, and why they run",
     "Names every process that holds the port, listeners and connections apart, with what started "
     "each, its unit or container and its Debian package. A port that the packet filter sends "
     "elsewhere is named as such.\n"
     "\n"
     "With --at it says who held the port at a moment that is over, from what `twinport record` "
     "kept: every holder in that second, give or take one, with the connection's peer and how long "
     "it was open. What was not recorded is called so, never \"nobody\".\n"
     "\n"
     "The exit code is 0 when every holder is named or there surely is none, and 1 when a holder "
     "could not be seen or the time was not recorded.",
     "twinport who 22\n"
     "twinport who 127.0.0.1:5432\n"
     "twinport who https --peer 10.0.0.5\n"
     "twinport who 56744 --at '2026-11-22 12:03:11'\n"
     "twinport who 10.0.0.5:56744 --at 2026-11-22T12:03:11Z --peer 10.9.9.9:443\n"
     "twinport who 22 --at -10m --json | jq '.rows[].owner.command'\n"
     "twinport who 22 --json | jq '.held[].holds[].programs[].process.exe'\n",
     define_who},
});

}  // namespace

std::span<const Definition> live_commands() { return kCommands; }

}  // namespace apps
