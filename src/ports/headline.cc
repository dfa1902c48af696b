#include "ports/headline.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <vector>

#include "ports/explain.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::Holding;
using model::Protocol;

constexpr std::string_view kOutOfSight = "somebody out of our sight";
constexpr size_t kProgramsNamed = 2;
constexpr size_t kSoftwareNamed = 3;

using Holds = std::vector<const Hold*>;

Holds select(const Explanation& of, const std::function<bool(const Hold&)>& wanted) {
  Holds out;
  for (const Hold& hold : of.holds) {
    if (wanted(hold)) out.push_back(&hold);
  }
  return out;
}

std::string program_in_words(const Program& program) {
  if (program.pids.size() == 1) return runner_in_words(program.process);
  return name_in_words(program.process.command) + " (" +
         counted(program.pids.size(), "process", "processes") + ", first pid " +
         std::to_string(program.process.pid) + ")";
}

// Whoever escaped our eyes may hold it all the same.
std::string nobody(const Explanation& of) {
  return of.everything_seen ? "Nobody" : "Nobody that we can see";
}

// Everybody who holds them, once each; sockets without a nameable process add what is known.
std::vector<std::string> subjects_of(const Holds& holds) {
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  };
  for (const Hold* hold : holds) {
    for (const Program& program : hold->programs) add(program_in_words(program));
  }
  for (const Hold* hold : holds) {
    if (hold->holding == Holding::kKernel) add("the kernel itself");
    if (hold->holding == Holding::kHidden) add(std::string(kOutOfSight));
    if (hold->holding == Holding::kNoDescriptor || hold->holding == Holding::kUnknown) {
      add("a program that cannot be named");
    }
  }
  return names;
}

// "sshd (pid 812) and nginx (2 processes, ...)".
std::string holders_in_words(const Holds& holds) {
  return listed_briefly(subjects_of(holds), kProgramsNamed);
}

bool has_several_subjects(const Holds& holds) { return subjects_of(holds).size() > 1; }

std::string port_of(const Explanation& of, const Holds& holds) {
  const bool tcp =
      std::ranges::any_of(holds, [](const Hold* hold) { return hold->protocol == Protocol::kTcp; });
  const bool other =
      std::ranges::any_of(holds, [](const Hold* hold) { return hold->protocol != Protocol::kTcp; });
  const model::PortRange port{of.port, of.port};
  if (tcp && other) return "port " + port_in_words(port, std::nullopt) + " (TCP and UDP)";
  return "port " + port_in_words(port, holds.front()->protocol);
}

std::string reach_in_words(const Holds& holds) {
  const bool all =
      std::ranges::any_of(holds, [](const Hold* hold) { return hold->reach == Reach::kAll; });
  if (all) return "open to every address";
  const bool loopback =
      std::ranges::all_of(holds, [](const Hold* hold) { return hold->reach == Reach::kLoopback; });
  return loopback ? "for this machine only" : "on particular addresses";
}

std::string capital(std::string text) {
  // Names of programs keep their own case; only our own words begin a sentence.
  const bool ours =
      text.starts_with("the ") || text.starts_with("a ") || text.starts_with(kOutOfSight);
  if (ours) text[0] = static_cast<char>(text[0] - 32);
  return text;
}

std::string answering(const Explanation& of, const Holds& holds) {
  const bool listens = std::ranges::any_of(holds, [](const Hold* hold) {
    return hold->role == HoldRole::kListener && hold->protocol == Protocol::kTcp;
  });
  const bool several = has_several_subjects(holds);
  std::string verb = several ? "hold" : "holds";
  if (listens) verb = several ? "listen on" : "listens on";
  return capital(holders_in_words(holds)) + " " + verb + " " + port_of(of, holds) + ", " +
         reach_in_words(holds) + ".";
}

std::string peers_in_words(const Holds& holds, bool with_port) {
  std::vector<std::string> peers;
  size_t total = 0;
  for (const Hold* hold : holds) {
    total += hold->peers_total;
    for (const Peer& peer : hold->peers) {
      std::string text = peer.remote.port == 0 || !with_port ? model::to_string(peer.remote.address)
                                                             : model::to_string(peer.remote);
      if (std::ranges::find(peers, text) == peers.end()) peers.push_back(std::move(text));
    }
  }
  if (peers.empty()) return {};
  return total == 1 ? peers.front() : counted(total, "address", "addresses");
}

bool is_over(const Hold& hold) {
  return hold.holding == Holding::kTimeWait || hold.holding == Holding::kOrphaned ||
         hold.holding == Holding::kVanished;
}

uint32_t count_sockets(const Holds& holds) {
  uint32_t out = 0;
  for (const Hold* hold : holds) out += hold->sockets;
  return out;
}

// The port is the other end's of every connection that has to do with it.
std::string other_end(const Explanation& of, const Holds& remote) {
  Holds live;
  std::ranges::copy_if(remote, std::back_inserter(live),
                       [](const Hold* hold) { return !is_over(*hold); });
  const Holds& told = live.empty() ? remote : live;
  const uint32_t sockets = count_sockets(told);
  const std::string who = holders_in_words(told);
  std::string out = nobody(of) + " holds port " + port_in_words({of.port, of.port}, of.protocol) +
                    " here: it is the other end of " +
                    (sockets == 1 ? "a connection" : counted(sockets, "connection"));
  if (!who.empty()) out += " that " + who + (has_several_subjects(told) ? " have" : " has");
  out += " with " + peers_in_words(told, false);
  if (live.empty()) out += ", closed already";
  if (told.size() == 1 && told.front()->own_ends_total == 1) {
    out += "; " + own_ends_in_words(*told.front());
  }
  return out + ".";
}

std::string connected(const Explanation& of, const Holds& holds) {
  Holds live;
  std::ranges::copy_if(holds, std::back_inserter(live),
                       [](const Hold* hold) { return !is_over(*hold); });
  const uint32_t sockets = count_sockets(live);
  if (live.empty()) {
    const uint32_t closed = count_sockets(holds);
    return nobody(of) + " holds " + port_of(of, holds) + " any more: " +
           (closed == 1 ? "a connection that used it is closed, and the kernel forgets it within "
                          "about a minute."
                        : counted(closed, "connection") +
                              " that used it are closed, and the kernel forgets them within about "
                              "a minute.");
  }
  const bool named = std::ranges::any_of(live, [](const Hold* hold) {
    return !hold->programs.empty() || hold->holding == Holding::kHidden ||
           hold->holding == Holding::kKernel || hold->holding == Holding::kUnknown ||
           hold->holding == Holding::kNoDescriptor;
  });
  const std::string peers = peers_in_words(live, true);
  const std::string to = peers.empty() ? "" : " with " + peers;
  const std::string connections = sockets == 1 ? "a connection" : counted(sockets, "connection");
  if (!named) {
    return "Connections on " + port_of(of, live) + to +
           " are still being set up or taken down; "
           "no program holds them.";
  }
  const bool several = has_several_subjects(live);
  return capital(holders_in_words(live)) + (several ? " use " : " uses ") + port_of(of, live) +
         " as the local end of " + connections + to + "; nobody listens on it.";
}

std::string published_in_words(const Explanation& of) {
  const model::PublishedPort& port = of.published.front();
  std::string target;
  if (!port.target.is_any()) target = model::to_string(port.target.unmapped());
  if (port.target_ports.first != 0) {
    target += (target.empty() ? "port " : " port ") + model::to_string(port.target_ports);
  }
  if (target.empty()) target = "this machine under another number";
  return "No program here " + std::string(of.everything_seen ? "" : "that we can see ") +
         "holds port " + port_in_words({of.port, of.port}, port.protocol) +
         ", yet it is open: the packet filter sends it on to " + target + ".";
}

std::string elsewhere(const Explanation& of, const Holds& foreign) {
  return nobody(of) + " holds port " + port_in_words({of.port, of.port}, of.protocol) +
         " in this network namespace. In another, " + answering(of, foreign);
}

// Every registered name once. A ghost is one that nothing documents under any transport.
std::vector<std::string> registered_names(const Explanation& of, bool ghosts_only) {
  std::vector<std::string> out;
  for (const Registration& registration : of.registrations) {
    const std::string_view service = registration.entry.service;
    if (service.empty()) continue;
    const bool documented = std::ranges::any_of(of.registrations, [&](const Registration& other) {
      return other.entry.service == service && !other.ghost.ghost;
    });
    std::string name = name_in_words(service);
    if (ghosts_only && documented) continue;
    if (std::ranges::find(out, name) == out.end()) out.push_back(std::move(name));
  }
  return out;
}

}  // namespace

std::string headline(const Explanation& of) {
  if (of.port == 0) return "Nobody can hold port 0: it is a placeholder, not a port.";
  const auto own_answers =
      select(of, [](const Hold& hold) { return hold.own_namespace && hold.answers(); });
  if (!own_answers.empty()) return answering(of, own_answers);
  const auto own_bound = select(
      of, [](const Hold& hold) { return hold.own_namespace && hold.role == HoldRole::kBound; });
  if (!own_bound.empty()) {
    return capital(holders_in_words(own_bound)) +
           (has_several_subjects(own_bound) ? " have " : " has ") + "taken " +
           port_of(of, own_bound) + " and does not listen on it, so nobody else can.";
  }
  const bool published = std::ranges::any_of(
      of.published, [](const model::PublishedPort& port) { return !port.outgoing_only; });
  if (published) return published_in_words(of);
  const auto connections = select(of, [](const Hold& hold) {
    return hold.own_namespace &&
           (hold.role == HoldRole::kConnection || hold.role == HoldRole::kServed);
  });
  if (!connections.empty()) return connected(of, connections);
  const auto foreign = select(of, [](const Hold& hold) { return hold.answers(); });
  if (!foreign.empty()) return elsewhere(of, foreign);
  const auto remote = select(of, [](const Hold& hold) { return hold.role == HoldRole::kRemote; });
  std::string port = "port " + port_in_words({of.port, of.port}, of.protocol);
  if (!remote.empty()) return other_end(of, remote);
  std::string others;
  if (of.address) port += " of " + to_string(*of.address);
  if (!of.at_other_addresses.empty()) {
    Holds holds;
    for (const Hold& hold : of.at_other_addresses) holds.push_back(&hold);
    others = " At another address of this machine " + holders_in_words(holds) +
             (has_several_subjects(holds) ? " hold it." : " holds it.");
  }
  if (!of.everything_seen) {
    return "Nobody that we can see holds " + port + "; not all of this machine could be read." +
           others;
  }
  return "Nobody holds " + port + (of.address ? " now." : " on this machine now.") + others;
}

std::string summary(const Explanation& of) {
  if (of.port == 0) return {};
  std::vector<std::string> parts;
  const std::vector<std::string> names = registered_names(of, false);
  const std::vector<std::string> ghosts = registered_names(of, true);
  if (!names.empty()) {
    std::string part = "registered as " + listed_briefly(names, kSoftwareNamed);
    if (!ghosts.empty()) {
      if (names.size() > 1) {
        part += ", where " + listed_briefly(ghosts, kSoftwareNamed) +
                (ghosts.size() == 1 ? " is" : " are");
      } else {
        part += ",";
      }
      part += ghosts.size() == 1
                  ? " a name for which we found no documentation (a ghost registration)"
                  : " names for which we found no documentation (ghost registrations)";
    }
    parts.push_back(std::move(part));
  }
  std::vector<std::string> software;
  for (const auto* use : of.uses) {
    if (!names_software(*use)) continue;
    std::string name(use->software);
    if (std::ranges::find(software, name) == software.end()) software.push_back(std::move(name));
  }
  if (!software.empty()) {
    parts.push_back("really used by " + listed_briefly(software, kSoftwareNamed));
  }
  if (names.empty()) {
    parts.emplace_back(of.facts.rfc_class == model::PortClass::kDynamic
                           ? "a dynamic port, which belongs to no service"
                           : "registered to nobody");
  }
  if (of.facts.own.handed_out) {
    parts.emplace_back("ephemeral on this host, where the kernel lends it to outgoing connections");
  }
  std::string out = "It is ";
  for (size_t i = 0; i < parts.size(); ++i) out += (i == 0 ? "" : "; ") + parts[i];
  return out + ".";
}

}  // namespace ports
