// Who holds a port, in words: a part of explain_page.h.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "apps/explain_page.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

using model::Holding;
using model::Process;
using ports::Hold;
using ports::HoldRole;
using ports::Program;

constexpr size_t kAncestorsShown = 5;

/// How many of each are told; the full page names every holder.
struct Limits {
  size_t holds, names, programs, pids;
};
constexpr Limits kShortLimits{.holds = 8, .names = 3, .programs = 4, .pids = 6};
constexpr Limits kNoLimits{
    .holds = SIZE_MAX, .names = SIZE_MAX, .programs = SIZE_MAX, .pids = SIZE_MAX};

std::string transport(model::Protocol protocol) {
  std::string out(model::protocol_name(protocol));
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return out;
}

// "0.0.0.0 and [::], every address of this machine".
std::string where(const Hold& hold) {
  const auto addresses = ports::each_in_words(
      hold.addresses, [](const model::IpAddress& address) { return model::to_string(address); });
  std::string out = ports::listed_briefly(addresses, 4);
  switch (hold.reach) {
    case ports::Reach::kLoopback:
      out += ", so only this machine can reach it";
      break;
    case ports::Reach::kAddresses:
      break;
    case ports::Reach::kAll:
      out += ", which means every address";
      break;
  }
  if (hold.takes_ipv4) {
    out += *hold.takes_ipv4 ? "; :: takes IPv4 too" : "; :: takes IPv6 only";
  }
  if (!hold.interfaces.empty()) {
    out += "; bound to interface number " +
           ports::listed(ports::each_in_words(
               hold.interfaces, [](uint32_t index) { return std::to_string(index); }));
  }
  return out;
}

std::string states_in_words(const Hold& hold) {
  return ports::listed(ports::each_in_words(hold.states, [&](const ports::StateCount& count) {
    return ports::grouped(count.sockets) + " " +
           std::string(model::state_name(count.state, hold.protocol));
  }));
}

std::string peers_in_words(const Hold& hold) {
  std::vector<std::string> out;
  for (const auto& peer : hold.peers) {
    std::string text = peer.remote.port == 0 ? model::to_string(peer.remote.address)
                                             : model::to_string(peer.remote);
    if (hold.sockets > 1) text += " (" + ports::grouped(peer.connections) + ")";
    out.push_back(std::move(text));
  }
  if (hold.peers_total > out.size()) {
    out.push_back(ports::grouped(hold.peers_total - out.size()) + " more");
  }
  return ports::listed(out);
}

// The peers of one port, whose number is known: their addresses.
std::string addresses_in_words(const Hold& hold) {
  auto out = ports::each_in_words(
      hold.peers, [](const ports::Peer& peer) { return model::to_string(peer.remote.address); });
  if (hold.peers_total > out.size()) {
    out.push_back(ports::grouped(hold.peers_total - out.size()) + " more");
  }
  return ports::listed(out);
}

std::string names_of(const Hold& hold, size_t most) {
  std::vector<std::string> out;
  for (const Program& program : hold.programs) {
    std::string name = ports::runner_in_words(program.process);
    if (program.pids.size() > 1) {
      name = ports::name_in_words(program.process.command) + " (" +
             ports::counted(program.pids.size(), "process", "processes") + ")";
    }
    out.push_back(std::move(name));
  }
  return ports::listed_briefly(out, most);
}

// What stands in the place of a program's name where none can be given.
std::string unnamed(Holding holding) {
  switch (holding) {
    case Holding::kKernel:
      return "The kernel itself";
    case Holding::kHidden:
      return "Somebody out of our sight";
    case Holding::kNoDescriptor:
      return "A program that keeps it outside its table of open files";
    case Holding::kOwned:
    case Holding::kUnknown:
    case Holding::kTimeWait:
    case Holding::kHandshake:
    case Holding::kNotAccepted:
    case Holding::kOrphaned:
    case Holding::kVanished:
      return "Somebody who cannot be named";
  }
  return {};
}

// Sockets that no program holds: their state is the explanation.
std::string how_ownerless(const Hold& hold) {
  const bool one = hold.sockets == 1;
  const std::string count = ports::counted(hold.sockets, "connection");
  switch (hold.holding) {
    case Holding::kTimeWait:
      return count + " in time-wait: closed already. The kernel remembers " +
             (one ? "it" : "them") +
             " for about a minute, so that late packets do no harm. No program holds " +
             (one ? "it." : "them.");
    case Holding::kHandshake:
      return count + " being set up: no program's yet, before the listener accepts " +
             (one ? "it." : "them.");
    case Holding::kNotAccepted:
      return count + " set up and waiting in the listener's queue until the program accepts " +
             (one ? "it." : "them.");
    case Holding::kOrphaned:
      return count + " that a program has closed and the kernel is still finishing.";
    case Holding::kVanished:
      return count + " that ended while we looked.";
    case Holding::kUnknown:
    case Holding::kOwned:
    case Holding::kKernel:
    case Holding::kNoDescriptor:
    case Holding::kHidden:
      return {};
  }
  return {};
}

// Between whom: of a connection that no program holds, its ends are all that can be told.
std::string ends_in_words(const Hold& hold) {
  if (hold.peers.empty()) return {};
  if (hold.role != HoldRole::kRemote) return "With " + peers_in_words(hold) + ".";
  return "The port is the other end's, of " + addresses_in_words(hold) + "; " +
         ports::own_ends_in_words(hold) + ".";
}

std::string ownerless(const Hold& hold) {
  const std::string how = how_ownerless(hold);
  const std::string ends = how.empty() ? std::string() : ends_in_words(hold);
  return ends.empty() ? how : how + " " + ends;
}

std::string heading(const Hold& hold, size_t most_names) {
  if (std::string text = ownerless(hold); !text.empty()) return text;
  std::string who = hold.programs.empty() ? unnamed(hold.holding) : names_of(hold, most_names);
  const bool several = hold.programs.size() > 1;
  const std::string connections = ports::counted(hold.sockets, "connection");
  switch (hold.role) {
    case HoldRole::kListener:
      return who + (several ? " listen on " : " listens on ") + transport(hold.protocol) + " " +
             where(hold);
    case HoldRole::kUdpOpen:
      return who + (several ? " have" : " has") + " a UDP socket on " + where(hold) +
             "; the kernel hands this port out, so it is more likely a client that awaits an "
             "answer than a server";
    case HoldRole::kBound:
      return who + (several ? " have" : " has") + " taken the port on " + transport(hold.protocol) +
             " " + where(hold) + ", and neither listens nor is connected";
    case HoldRole::kServed:
      return who + (several ? " serve " : " serves ") + connections + ", " +
             transport(hold.protocol) + ": " + states_in_words(hold) + ", with " +
             peers_in_words(hold);
    case HoldRole::kConnection:
      return who + (several ? " have " : " has ") + connections + " from this port, " +
             transport(hold.protocol) + ": " + states_in_words(hold) + ", with " +
             peers_in_words(hold);
    case HoldRole::kRemote:
      return who + (several ? " are" : " is") + " connected with this port of " +
             addresses_in_words(hold) + " (" + transport(hold.protocol) + ": " +
             states_in_words(hold) + "); " + ports::own_ends_in_words(hold);
  }
  return who;
}

// What comparing the file with its package's checksum gave, as the end of a sentence.
std::string_view check_in_words(model::PackageCheck check) {
  switch (check) {
    case model::PackageCheck::kNotAsked:
      return "";
    case model::PackageCheck::kIntact:
      return "; its file is as shipped";
    case model::PackageCheck::kModified:
      return "; ITS FILE WAS CHANGED since it was installed";
    case model::PackageCheck::kNoChecksum:
      return "; the package has no checksum to compare its file with";
    case model::PackageCheck::kUnreadable:
      return "; its file could not be compared with the package's checksum";
  }
  return "";
}

std::string program_file(const Process& process) {
  if (process.is_kernel_thread) return "a thread of the kernel";
  if (process.details_hidden || process.exe.empty()) return "not readable with our rights";
  std::string out = ports::name_in_words(process.exe);
  if (process.exe_deleted && !process.exe.starts_with("/memfd:")) {
    out += process.exe_replaced ? " (since replaced)" : " (since removed)";
  }
  if (process.exe_elsewhere) return out + " (in its own file tree)";
  if (!process.package.empty()) {
    out += ", from Debian package " + process.package;
    if (!process.package_version.empty()) out += " " + process.package_version;
    out += check_in_words(process.package_check);
  }
  return out;
}

std::string manager(const Process& process) {
  const model::Placement& placement = process.placement;
  if (!placement.container.empty()) {
    std::string out = placement.container_runtime.empty() ? "" : placement.container_runtime + " ";
    out += "container " + ports::name_in_words(placement.container);
    if (!placement.pod.empty()) out += " of pod " + ports::name_in_words(placement.pod);
    return out;
  }
  if (!placement.user_unit.empty()) {
    return ports::name_in_words(placement.user_unit) + " of the user's own systemd";
  }
  if (placement.unit.ends_with(".scope") && placement.unit.starts_with("session-")) {
    return "a login session (" + ports::name_in_words(placement.unit) + ")";
  }
  return placement.unit.empty() ? std::string() : ports::name_in_words(placement.unit);
}

// "bash (pid 900), itself by sshd (pid 880), by systemd (pid 1)".
std::string ancestry(const Process& process) {
  if (process.ancestors.empty()) {
    return process.parent_pid == 0 ? std::string() : "pid " + std::to_string(process.parent_pid);
  }
  std::string out;
  const size_t shown = std::min(process.ancestors.size(), kAncestorsShown);
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i == 1 ? ", itself by " : ", by ";
    const auto& ancestor = process.ancestors[i];
    out += ports::name_in_words(ancestor.command) + " (pid " + std::to_string(ancestor.pid) + ")";
  }
  if (process.ancestors.size() > shown) {
    out += ", by " + ports::grouped(process.ancestors.size() - shown) + " more up to " +
           ports::name_in_words(process.ancestors.back().command) + " (pid " +
           std::to_string(process.ancestors.back().pid) + ")";
  }
  return out;
}

std::string why_it_runs(const Process& process) {
  std::string out = manager(process);
  if (!out.empty()) out = "part of " + out;
  const std::string parents = ancestry(process);
  if (parents.empty()) return out;
  const bool by_init_alone = process.ancestors.size() == 1 && process.ancestors.front().pid == 1;
  if (by_init_alone && process.placement.unit.ends_with(".service") &&
      process.placement.container.empty() && process.placement.user_unit.empty()) {
    return "systemd runs it as " + ports::name_in_words(process.placement.unit);
  }
  if (by_init_alone && !out.empty()) return out;
  return out + (out.empty() ? "started by " : "; started by ") + parents;
}

std::string pids_in_words(const Program& program, size_t most) {
  const auto pids =
      ports::each_in_words(program.pids, [](int32_t pid) { return std::to_string(pid); });
  return ports::listed_briefly(pids, most);
}

void add_program(PageSection& section, const Program& program, bool name_it, int64_t now_unix_s,
                 size_t most_pids) {
  const Process& process = program.process;
  if (process.gone) return;
  if (name_it) section.detail("who", ports::process_in_words(process));
  const bool modified = process.package_check == model::PackageCheck::kModified;
  section.detail("program", program_file(process), modified ? Tone::kBad : Tone::kPlain);
  if (process.script.kind != model::ScriptKind::kNone) {
    section.detail("script", ports::script_in_words(process.script) + ", by its command line");
  }
  if (program.pids.size() > 1) section.detail("pids", pids_in_words(program, most_pids));
  section.detail("user", process.user.empty() ? std::to_string(process.uid)
                                              : ports::name_in_words(process.user));
  if (process.start_time_unix_s != 0) {
    section.detail("since",
                   ports::local_time_text(process.start_time_unix_s * 1'000'000, 0) + " (" +
                       ports::duration_in_words(now_unix_s - process.start_time_unix_s) + ")");
  }
  if (const std::string why = why_it_runs(process); !why.empty()) section.detail("why", why);
}

// Adds holds one after another; what a program is, is said once.
class HoldsWriter {
 public:
  HoldsWriter(const ports::Explanation& of, int64_t now_unix_s, PageLength length)
      : of_(of),
        now_unix_s_(now_unix_s),
        limits_(length == PageLength::kShort ? kShortLimits : kNoLimits) {
    section_.title = "Who holds it now";
  }

  PageSection write();

 private:
  void add(const Hold& hold);
  void add_all(const std::vector<const Hold*>& holds);
  void add_creators(const Hold& hold);
  void add_queue(const Hold& hold);
  void add_published();

  const ports::Explanation& of_;
  int64_t now_unix_s_;
  Limits limits_;
  PageSection section_;
  std::set<std::vector<int32_t>> told_;  // pids of the programs that have been described
};

// All that is known of a holder who cannot be named.
void HoldsWriter::add_creators(const Hold& hold) {
  if (!hold.programs.empty() || hold.creators.empty() || hold.holding == Holding::kKernel) return;
  const auto users = ports::each_in_words(hold.creators, [](uint32_t uid) {
    return uid == 0 ? std::string("root") : "user number " + std::to_string(uid);
  });
  section_.detail("opened", "by " + ports::listed_briefly(users, 4) +
                                ", as the kernel remembers; who holds it now may be another");
}

void HoldsWriter::add_queue(const Hold& hold) {
  if (hold.role != HoldRole::kListener || hold.waiting == 0) return;
  section_.detail("queue", ports::counted(hold.waiting, "connection") +
                               " waiting to be accepted (limit " + ports::grouped(hold.backlog) +
                               ")");
}

void HoldsWriter::add(const Hold& hold) {
  std::string text = heading(hold, limits_.names);
  if (!text.ends_with('.')) text += '.';
  section_.point(std::move(text), hold.answers() ? Tone::kStrong : Tone::kPlain);
  if (!hold.own_namespace) {
    section_.detail("where",
                    "network namespace " + ports::number_and_name(hold.netns, hold.netns_name));
  }
  size_t shown = 0;
  for (const Program& program : hold.programs) {
    if (!told_.insert(program.pids).second) continue;
    if (++shown > limits_.programs) {
      section_.detail("and",
                      ports::counted(hold.programs.size() - limits_.programs, "more program"));
      break;
    }
    add_program(section_, program, hold.programs.size() > 1, now_unix_s_, limits_.pids);
  }
  add_creators(hold);
  add_queue(hold);
  if (hold.unlisted > 0) {
    section_.detail("note", "seen only through an open file: its namespace's tables were not read");
  }
}

void HoldsWriter::add_all(const std::vector<const Hold*>& holds) {
  for (size_t i = 0; i < holds.size(); ++i) {
    if (i == limits_.holds) {
      section_.paragraph("And " + ports::counted(holds.size() - i, "more group") +
                         " of sockets: see `twinport who " + std::to_string(of_.port) + "`.");
      return;
    }
    add(*holds[i]);
  }
}

void HoldsWriter::add_published() {
  for (const auto& rule : of_.published) {
    std::string text = rule.outgoing_only
                           ? "The packet filter sends connections that this machine makes to "
                           : "The packet filter sends callers of ";
    text += transport(rule.protocol) + " port " + model::to_string(rule.ports);
    if (rule.destination_bits > 0) {
      text += " on " + model::to_string(rule.destination);
      const bool whole =
          rule.destination_bits == (rule.destination.family == model::Family::kIpv4 ? 32 : 128);
      if (!whole) text += "/" + std::to_string(rule.destination_bits);
    }
    text += " on to ";
    text += rule.target.is_any() ? "this machine" : model::to_string(rule.target);
    if (rule.target_ports.first != 0) text += " port " + model::to_string(rule.target_ports);
    text += "; no socket is needed here for that.";
    section_.point(std::move(text), Tone::kStrong);
    section_.detail("rule", rule.rule);
    if (!rule.conditions.empty()) section_.detail("only if", rule.conditions);
  }
  if (of_.behind_published.empty()) return;
  section_.paragraph("Listeners of this machine that may be what answers there:");
  for (const Hold& hold : of_.behind_published) add(hold);
}

PageSection HoldsWriter::write() {
  std::vector<const Hold*> own;
  std::vector<const Hold*> foreign;
  for (const Hold& hold : of_.holds) (hold.own_namespace ? own : foreign).push_back(&hold);
  add_all(own);
  add_published();
  if (!foreign.empty() && !own.empty()) section_.paragraph("In other network namespaces:");
  add_all(foreign);
  return std::move(section_);
}

}  // namespace

PageSection holds_section(const ports::Explanation& explanation, int64_t now_unix_s,
                          PageLength length) {
  return HoldsWriter(explanation, now_unix_s, length).write();
}

}  // namespace apps
