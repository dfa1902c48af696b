#include "ports/doctor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/endpoints.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::BindOutcome;
using model::BindTrial;
using model::Holding;
using model::ProbeOutcome;

constexpr size_t kHoldersNamed = 3;

bool is_over(const Hold& hold) {
  return hold.holding == Holding::kTimeWait || hold.holding == Holding::kOrphaned ||
         hold.holding == Holding::kVanished;
}

// Only a TCP socket of our own namespace keeps a TCP server off, and only at its own end.
bool is_in_the_way(const Hold& hold) {
  return hold.own_namespace && hold.protocol == model::Protocol::kTcp &&
         hold.role != HoldRole::kRemote;
}

std::string unnamed_holder(Holding holding) {
  switch (holding) {
    case Holding::kKernel:
      return "the kernel itself";
    case Holding::kHidden:
      return "a program of another user that we may not see";
    default:
      return "a program that cannot be named";
  }
}

/// Whom to name as being in the way.
struct Holders {
  std::string words;     ///< "" = nobody in sight
  std::string remedy;    ///< what to do about them
  bool lingers = false;  ///< connections that no program holds any more
};

Holders holders_of(const Explanation& held) {
  std::vector<std::string> names;
  Holders out;
  bool programs = false;
  bool only_bound = true;
  bool only_clients = true;
  for (const Hold& hold : held.holds) {
    // Who listens is named; connections that came in through it are no other obstacle.
    if (!is_in_the_way(hold) || hold.role == HoldRole::kServed) continue;
    if (is_over(hold)) {
      out.lingers = true;
      continue;
    }
    only_bound = only_bound && hold.role == HoldRole::kBound;
    only_clients = only_clients && hold.role == HoldRole::kConnection;
    programs = programs || !hold.programs.empty();
    const auto add = [&](std::string name) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    };
    for (const Program& program : hold.programs) add(process_in_words(program.process));
    if (hold.programs.empty()) add(unnamed_holder(hold.holding));
  }
  if (names.empty()) return out;
  out.words = listed_briefly(names, kHoldersNamed);
  const bool several = names.size() > 1;
  if (only_bound) {
    out.words += several ? " have" : " has";
    out.words += " bound it without listening";
  } else if (only_clients) {
    out.words += several ? " use" : " uses";
    out.words += " it as the own end of a connection";
  } else {
    out.words += several ? " hold it" : " holds it";
  }
  if (programs) {
    out.remedy = "Stop " + listed_briefly(names, kHoldersNamed) + ", or have " +
                 (several ? "them" : "it") + " use another port than ";
  }
  return out;
}

std::string family_words(const BindTrial& trial) {
  return trial.at.address.family == model::Family::kIpv4 ? "IPv4" : "IPv6";
}

// "all of IPv4", "10.0.0.5".
std::string place_words(const BindTrial& trial) {
  return trial.at.address.is_any() ? family_words(trial) : to_string(trial.at.address);
}

std::string places(const std::vector<BindTrial>& trials, auto wanted) {
  std::vector<std::string> out;
  for (const BindTrial& trial : trials) {
    if (wanted(trial)) out.push_back(place_words(trial));
  }
  return listed_briefly(out, 8);
}

std::string channel_words(Channel channel, uint16_t port) {
  std::string out = "Port " + std::to_string(port);
  if (channel == Channel::kControl) out += " (control)";
  if (channel == Channel::kData) out += " (data)";
  if (channel == Channel::kFallback) out += " (fallback)";
  return out;
}

class Doctor {
 public:
  explicit Doctor(const DoctorInput& input)
      : input_(input), everything_seen_(sees_everything(input.inventory)) {}

  Diagnosis run() {
    if (input_.peer != nullptr) judge_peer(*input_.peer);
    for (const uint16_t port : input_.ports) examine(port);
    for (const std::string& sentence : input_.filter_unread) {
      find(FindingKind::kNotReadable, 0, sentence,
           input_.caller_is_root
               ? "Look at the packet filter's rules yourself: not all of them could be read."
               : "Run this as root: the packet filter's rules, which may stand in the way, could "
                 "not be read.");
    }
    out_.next_step = out_.findings.empty() ? nothing_to_do() : out_.findings.front().remedy;
    return std::move(out_);
  }

 private:
  // What stands in the way of control stops everything, so it is what to see to first; what could
  // not be read comes last.
  static int rank(const Finding& finding) {
    if (finding.kind >= FindingKind::kPeerUnknown &&
        finding.kind <= FindingKind::kPeerUnreachable) {
      return -1;  // who names a peer asks for it
    }
    if (finding.kind == FindingKind::kNotReadable) return 2;
    return finding.port == model::kControlPort ? 0 : 1;
  }

  void find(FindingKind kind, uint16_t port, std::string sentence, std::string remedy) {
    Finding one{kind, port, std::move(sentence), std::move(remedy)};
    const auto at = std::ranges::upper_bound(out_.findings, rank(one), {}, rank);
    out_.findings.insert(at, std::move(one));
  }

  void examine(uint16_t port) {
    PortCheckup checkup;
    checkup.port = port;
    checkup.channel = channel_of(port);
    PortQuery query;
    query.ports = {{port, port}};
    query.protocol = model::Protocol::kTcp;
    auto held = explain_holders(query, input_.inventory);
    if (!held.empty()) {
      checkup.held = std::move(held.front());
      checkup.anybody = true;
    }
    for (const BindTrial& trial : input_.trials) {
      if (trial.at.port == port) checkup.trials.push_back(trial);
    }
    judge_binding(checkup);
    judge_forwarding(checkup);
    out_.ports.push_back(std::move(checkup));
  }

  void judge_binding(PortCheckup& checkup) {
    const auto is = [](BindOutcome outcome) {
      return [outcome](const BindTrial& trial) { return trial.outcome == outcome; };
    };
    const auto& trials = checkup.trials;
    const std::string name = channel_words(checkup.channel, checkup.port);
    const bool some_free = std::ranges::any_of(trials, &BindTrial::is_free);
    checkup.can_bind = some_free && std::ranges::all_of(trials, [](const BindTrial& trial) {
                         return trial.is_free() || trial.outcome == BindOutcome::kNoAddress;
                       });
    if (checkup.can_bind) {
      checkup.sentence = name + " can be bound, on " +
                         places(trials, [](const BindTrial& trial) { return trial.is_free(); }) +
                         ".";
      note_what_lingers(checkup);
    } else if (std::ranges::any_of(trials, is(BindOutcome::kInUse))) {
      judge_taken(checkup, name, some_free);
    } else if (std::ranges::any_of(trials, is(BindOutcome::kDenied))) {
      judge_denied(checkup, name);
    } else {
      judge_failed(checkup, name);
    }
    if (input_.policy.known && input_.policy.hands_out(checkup.port)) {
      append(checkup.note, "The kernel lends this port to outgoing connections (" +
                               to_string(input_.policy.ephemeral) +
                               "): one may have it just when the server starts. Adding it to "
                               "net.ipv4.ip_local_reserved_ports prevents that.");
    }
  }

  static void append(std::string& text, const std::string& sentence) {
    if (!text.empty()) text += " ";
    text += sentence;
  }

  static void note_what_lingers(PortCheckup& checkup) {
    const bool reuse = std::ranges::any_of(checkup.trials, [](const BindTrial& trial) {
      return trial.outcome == BindOutcome::kFreeWithReuse;
    });
    if (!reuse) return;
    const Holders holders = holders_of(checkup.held);
    std::string why = "sockets of it are still there";
    if (holders.lingers) why = "connections of it are not quite over (time-wait)";
    if (!holders.words.empty()) why = holders.words;
    checkup.note =
        "Only a server that sets SO_REUSEADDR can bind it now, as servers do: " + why + ".";
  }

  void judge_taken(PortCheckup& checkup, const std::string& name, bool some_free) {
    const Holders holders = holders_of(checkup.held);
    const std::string port = std::to_string(checkup.port);
    const std::string taken = places(checkup.trials, [](const BindTrial& trial) {
      return trial.outcome == BindOutcome::kInUse;
    });
    checkup.sentence = name + " is taken on " + taken + ": ";
    std::string remedy;
    if (!holders.words.empty()) {
      checkup.sentence += holders.words + ".";
      remedy = holders.remedy.empty()
                   ? "Find out what holds port " + port + " (`twinport who " + port + "`" +
                         (input_.caller_is_root ? ")" : ", as root)") + " and free it"
                   : holders.remedy + port;
    } else if (everything_seen_) {
      checkup.sentence += "but nobody is seen to hold it; whoever did may just have let go of it.";
      remedy = "Run this again: port " + port + " was taken by somebody who then was not there";
    } else {
      checkup.sentence += "nobody that we can see holds it, and not everything could be seen.";
      remedy = "Run `twinport who " + port + "` as root: port " + port +
               " is held by somebody who cannot be seen from here";
    }
    if (some_free) {
      checkup.sentence +=
          " It is free on " +
          places(checkup.trials, [](const BindTrial& trial) { return trial.is_free(); }) + ".";
    }
    find(FindingKind::kTaken, checkup.port, checkup.sentence,
         remedy + consequence(checkup.channel) + ".");
  }

  [[nodiscard]] std::string consequence(Channel channel) const {
    if (channel == Channel::kControl) return "; the control channel has no other port";
    if (channel == Channel::kData && input_.fallback != nullptr) {
      const auto first = input_.fallback->first();
      if (!first) return "; no fallback port is free either";
      return "; until then data goes through fallback port " + std::to_string(*first);
    }
    return {};
  }

  void judge_denied(PortCheckup& checkup, const std::string& name) {
    const uint16_t start = input_.policy.unprivileged_start;
    const std::string port = std::to_string(checkup.port);
    if (checkup.port < start) {
      checkup.sentence = name + " may not be bound by this user: ports below " +
                         std::to_string(start) +
                         " take root or CAP_NET_BIND_SERVICE "
                         "(net.ipv4.ip_unprivileged_port_start). Whether it is free was not tried.";
      find(FindingKind::kDenied, checkup.port, checkup.sentence,
           "Run the server for port " + port +
               " as root or with CAP_NET_BIND_SERVICE, or choose a port from " +
               std::to_string(start) + " on.");
      return;
    }
    checkup.sentence = name +
                       " may not be bound, though it is no privileged port: a security "
                       "policy (SELinux, AppArmor, Landlock or a BPF program of the cgroup) "
                       "forbids it.";
    find(FindingKind::kDenied, checkup.port, checkup.sentence,
         "Allow this user to bind port " + port + " in the machine's security policy.");
  }

  void judge_failed(PortCheckup& checkup, const std::string& name) {
    std::vector<std::string> why;
    for (const BindTrial& trial : checkup.trials) {
      const char* text = strerrordesc_np(trial.error_number);
      why.push_back(place_words(trial) + ": " + (text != nullptr ? text : "unknown error"));
    }
    checkup.sentence = name + " cannot be bound (" + joined(why, "; ") + ").";
    find(FindingKind::kCannotBind, checkup.port, checkup.sentence,
         "Bind port " + std::to_string(checkup.port) +
             " at an address that this machine has: what was tried failed.");
  }

  void judge_forwarding(const PortCheckup& checkup) {
    for (const model::PublishedPort& rule : checkup.held.published) {
      // A redirect to the port itself takes nobody away.
      const bool same = rule.target.is_any() &&
                        (rule.target_ports.first == 0 ||
                         (rule.target_ports.single() && rule.target_ports.first == checkup.port));
      if (rule.protocol != model::Protocol::kTcp || rule.outgoing_only || same) continue;
      std::string target = rule.target.is_any() ? "this machine" : to_string(rule.target);
      if (rule.target_ports.first != 0) target += ", port " + to_string(rule.target_ports);
      std::string sentence = "The packet filter (" + rule.rule + ") sends callers of port " +
                             std::to_string(checkup.port) + " on to " + target;
      if (!rule.conditions.empty()) sentence += ", where this holds: " + rule.conditions;
      sentence += "; a server here would never hear from them.";
      find(FindingKind::kForwarded, checkup.port, std::move(sentence),
           "Take the rule that sends port " + std::to_string(checkup.port) + " to " + target +
               " out of " + rule.rule + ", or publish that on another port" +
               consequence(checkup.channel) + ".");
      return;
    }
  }

  void judge_peer(const model::PeerProbe& peer) {
    const std::string host = name_in_words(peer.host);
    if (!peer.unresolved.empty()) {
      find(FindingKind::kPeerUnknown, 0, "Of the peer " + host + ": " + peer.unresolved + ".",
           "Correct the peer's name " + host +
               ", or make it known (DNS, /etc/hosts): it could not be looked up.");
      return;
    }
    std::vector<uint16_t> tried;
    for (const model::Probe& probe : peer.probes) {
      if (std::ranges::find(tried, probe.to.port) == tried.end()) tried.push_back(probe.to.port);
    }
    for (const uint16_t port : tried) {
      // Of several addresses the one that came closest tells most.
      const model::Probe* best = nullptr;
      for (const model::Probe& probe : peer.probes) {
        if (probe.to.port != port) continue;
        if (best == nullptr || probe.outcome < best->outcome) best = &probe;
      }
      if (best != nullptr && best->outcome != ProbeOutcome::kOpen) {
        find(peer_finding(best->outcome), port, probe_in_words(*best), peer_remedy(host, *best));
      }
    }
  }

  static FindingKind peer_finding(ProbeOutcome outcome) {
    switch (outcome) {
      case ProbeOutcome::kOpen:
      case ProbeOutcome::kRefused:
        return FindingKind::kPeerRefuses;
      case ProbeOutcome::kPortUnreachable:
      case ProbeOutcome::kProhibited:
      case ProbeOutcome::kForbidden:
      case ProbeOutcome::kNoAnswer:
        return FindingKind::kPeerFiltered;
      case ProbeOutcome::kHostUnreachable:
      case ProbeOutcome::kNetUnreachable:
      case ProbeOutcome::kNoRoute:
      case ProbeOutcome::kFailed:
        break;
    }
    return FindingKind::kPeerUnreachable;
  }

  static std::string peer_remedy(const std::string& host, const model::Probe& probe) {
    const std::string port = std::to_string(probe.to.port);
    const std::string sender = probe.said_by ? to_string(*probe.said_by) : std::string("the host");
    switch (probe.outcome) {
      case ProbeOutcome::kOpen:
        return {};
      case ProbeOutcome::kRefused:
        return "Start what should listen on port " + port + " of " + host +
               ": it can be reached and refuses the connection.";
      case ProbeOutcome::kPortUnreachable:
      case ProbeOutcome::kProhibited:
        return "Let the packet filter of " + sender + " accept TCP port " + port + " of " + host +
               ": it rejects the connection.";
      case ProbeOutcome::kForbidden:
        return "Allow connections to TCP port " + port + " of " + host +
               " in this machine's security policy.";
      case ProbeOutcome::kNoAnswer:
        return "See whether " + host +
               " is up, and let the packet filters on the way to it accept TCP port " + port +
               ": nothing came back.";
      case ProbeOutcome::kHostUnreachable:
        return "See whether " + host + " is up and its address " + to_string(probe.to.address) +
               " right: " + sender + " cannot reach it.";
      case ProbeOutcome::kNetUnreachable:
      case ProbeOutcome::kNoRoute:
        return "Repair the way to " + to_string(probe.to.address) + " (`ip route get " +
               to_string(probe.to.address) + "`): there is no route to it.";
      case ProbeOutcome::kFailed:
        break;
    }
    return "Try the address " + to_string(probe.to.address) + " by hand: connecting to it failed.";
  }

  [[nodiscard]] std::string nothing_to_do() const {
    std::vector<std::string> names;
    for (const uint16_t port : input_.ports) names.push_back(std::to_string(port));
    const bool one = names.size() == 1;
    return std::string("Nothing needs to be done: ") + (one ? "port " : "ports ") +
           listed_briefly(names, 4) + " can be bound here, " +
           (input_.peer != nullptr ? name_in_words(input_.peer->host) + " can be reached, " : "") +
           "and nothing that was looked at is in the way.";
  }

  const DoctorInput& input_;
  bool everything_seen_;
  Diagnosis out_;
};

}  // namespace

Channel channel_of(uint16_t port) {
  if (port == model::kControlPort) return Channel::kControl;
  if (port == model::kDataPort) return Channel::kData;
  return model::kFallbackPorts.contains(port) ? Channel::kFallback : Channel::kNone;
}

std::string_view channel_name(Channel channel) {
  switch (channel) {
    case Channel::kNone:
      return "";
    case Channel::kControl:
      return "control";
    case Channel::kData:
      return "data";
    case Channel::kFallback:
      return "fallback";
  }
  return "";
}

std::string_view finding_name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kTaken:
      return "taken";
    case FindingKind::kDenied:
      return "denied";
    case FindingKind::kCannotBind:
      return "cannot-bind";
    case FindingKind::kForwarded:
      return "forwarded";
    case FindingKind::kPeerUnknown:
      return "peer-unknown";
    case FindingKind::kPeerRefuses:
      return "peer-refuses";
    case FindingKind::kPeerFiltered:
      return "peer-filtered";
    case FindingKind::kPeerUnreachable:
      return "peer-unreachable";
    case FindingKind::kNotReadable:
      return "not-readable";
  }
  return "";
}

std::string probe_in_words(const model::Probe& probe) {
  const std::string at = to_string(probe.to);
  const std::string sender =
      probe.said_by ? " (ICMP from " + to_string(*probe.said_by) + ")" : std::string();
  switch (probe.outcome) {
    case ProbeOutcome::kOpen:
      return at + " is open: a connection was accepted.";
    case ProbeOutcome::kRefused:
      return at + " refuses: nobody listens there, or a packet filter answers with a reset.";
    case ProbeOutcome::kPortUnreachable:
      return at + " is filtered: \"port unreachable\"" + sender +
             " is what packet filters say; a host itself resets.";
    case ProbeOutcome::kProhibited:
      return at + " is filtered: \"administratively prohibited\"" + sender + ".";
    case ProbeOutcome::kHostUnreachable:
      return at + " cannot be reached: \"host unreachable\"" + sender +
             "; it is down, or its address is wrong, or a filter says so.";
    case ProbeOutcome::kNetUnreachable:
      return at + " cannot be reached: \"network unreachable\"" + sender + ".";
    case ProbeOutcome::kNoRoute:
      return at + " cannot be reached: this machine has no route to it.";
    case ProbeOutcome::kForbidden:
      return at +
             ": this machine does not let us connect (a security policy, or its own packet "
             "filter).";
    case ProbeOutcome::kNoAnswer:
      return at + " is filtered or down: nothing came back within " +
             std::to_string(probe.waited_ms / 1000) + " s. Which of the two cannot be told.";
    case ProbeOutcome::kFailed:
      break;
  }
  const char* text = strerrordesc_np(probe.error_number);
  return at + ": connecting failed: " + (text != nullptr ? text : "unknown error") + ".";
}

bool is_reachable(const model::PeerProbe& peer) {
  return peer.unresolved.empty() && std::ranges::all_of(peer.probes, [&](const model::Probe& one) {
           return std::ranges::any_of(peer.probes, [&](const model::Probe& other) {
             return other.to.port == one.to.port && other.outcome == ProbeOutcome::kOpen;
           });
         });
}

Diagnosis diagnose(const DoctorInput& input) { return Doctor(input).run(); }

}  // namespace ports
