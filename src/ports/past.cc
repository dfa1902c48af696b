#include "ports/past.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "ports/explain_range.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::OwnerProof;
using model::SocketRole;

// Holders of one range that are told; beyond it the answer says that there are more.
constexpr size_t kHoldersMax = 10'000;
constexpr size_t kTalkersMax = 1'000;

// After a loss the recorder looks within a second, as it does all the time where it has no BPF; a
// busy machine may take as long again.
constexpr int64_t kFoundGoneWithinUs = 2'000'000;

constexpr std::string_view kKernel = "the kernel itself";
constexpr std::string_view kNameless = "a program that cannot be named";

std::vector<model::PortRange> ranges_of(const PastQuestion& question) {
  return merge_ranges(question.port.ports);
}

bool asks_for(const PastQuestion& question, uint16_t port) {
  return port != 0 && question.port.covers(port);
}

// Nobody here held the port that a refused caller asked for, or that could not be bound.
bool is_attempt(SocketRole role) {
  return role == SocketRole::kBindFailed || role == SocketRole::kRefused;
}

PastRelation relation_of(const PastQuestion& question, const model::RecordedSocket& socket,
                         bool asked_as_local) {
  if (!asked_as_local) return PastRelation::kRemote;
  if (is_attempt(socket.role)) return PastRelation::kAttempt;
  // A connection that failed never held more than the number, and for its own moment.
  if (socket.role == SocketRole::kConnectFailed && asks_for(question, socket.remote.port)) {
    return PastRelation::kRemote;
  }
  return PastRelation::kHeld;
}

// Gathers rows into groups, in the order in which each was first met.
class Groups {
 public:
  void add(PastGroup one) {
    const auto& socket = one.rows.front().socket;
    const auto [at, added] =
        places_.try_emplace(Key(one.relation, one.role, one.protocol, one.port, socket.netns,
                                socket.owner, socket.proof, socket.owner_reason, socket.creator),
                            groups_.size());
    if (added) {
      groups_.push_back(std::move(one));
    } else {
      groups_[at->second].rows.push_back(std::move(one.rows.front()));
    }
  }
  std::vector<PastGroup> take() {
    std::ranges::sort(groups_, {}, [](const PastGroup& group) {
      const auto& socket = group.first().socket;
      return std::tuple(group.relation, group.port, group.role, socket.netns, socket.owner,
                        socket.proof, socket.creator);
    });
    return std::move(groups_);
  }

 private:
  using Key = std::tuple<PastRelation, SocketRole, model::Protocol, uint16_t, uint32_t, int64_t,
                         OwnerProof, std::string, int64_t>;
  std::map<Key, size_t> places_;
  std::vector<PastGroup> groups_;
};

// Of the rows that have the port at their other end, those that are meant and not told already.
bool is_talk(const PastQuestion& question, const model::RecordedSocket& socket) {
  const auto& address = question.port.address;
  const model::IpAddress remote = socket.remote.address.unmapped();
  if (!asks_for(question, socket.remote.port)) return false;
  if (address && remote != address->unmapped()) return false;
  if (question.peer && question.peer->port != 0 && question.peer->port != socket.remote.port) {
    return false;
  }
  return address || !asks_for(question, socket.local.port);
}

std::string asked_in_words(const PastAnswer& answer) {
  const PortQuery& query = answer.question.port;
  std::vector<std::string> asked;
  for (const model::PortRange range : query.ports) {
    asked.push_back(port_in_words(range, query.protocol));
  }
  const bool one = asked.size() == 1 && query.ports.front().single();
  std::string out = (one ? "port " : "one of the ports ") + listed_briefly(asked, 8);
  if (query.address) out += " of " + to_string(*query.address);
  if (const auto& peer = answer.question.peer) {
    out += " toward " + (peer->port == 0 ? to_string(peer->address)
                                         : to_string(model::Endpoint{peer->address, peer->port}));
  }
  return out;
}

std::string time_in_words(const PastAnswer& answer) {
  const auto parts = each_in_words(answer.question.windows, [](const model::TimeWindow& window) {
    // Less than was asked about must not be denied: where a window does not begin with a second,
    // its fractions are shown.
    return between_in_words(window, window.from_us % 1'000'000 == 0 ? 0 : 3);
  });
  return listed(parts, "or");
}

std::string who_in_words(const PastGroup& group) {
  const TimelineRow& row = group.first();
  if (row.owner) {
    const std::string name = recorded_process_in_words(*row.owner);
    return row.socket.proof == OwnerProof::kInherited ? name + " or a process it passed it to"
                                                      : name;
  }
  return std::string(row.socket.owner_reason == "kernel" ? kKernel : kNameless);
}

// Until when the socket is known to have been open. A look at all sockets follows what hid its end:
// a recorder that did not run, events that were lost, or two looks where nothing else tells.
int64_t known_until_us(const model::RecordedSocket& socket, const PastAnswer& answer) {
  if (socket.closed_us && !socket.close_unseen) return *socket.closed_us;
  const int64_t looked_us =
      socket.closed_us.value_or(answer.recorded_until_us) - kFoundGoneWithinUs;
  int64_t until_us = socket.closed_us ? looked_us : answer.recorded_until_us;
  for (const Unrecorded& part : answer.coverage.unrecorded) {
    if (part.reason == "clock-set" || part.reason == "no-bpf") continue;
    // Of one that was open when the record ended, the looks after earlier losses found it there.
    const int64_t still_us = socket.closed_us ? socket.opened_us : looked_us;
    if (part.window.until_us >= still_us) until_us = std::min(until_us, part.since_us - 1);
  }
  return std::max(until_us, socket.opened_us);
}

// Those who held the port in this network namespace, or in others.
struct Holders {
  std::vector<std::string> names;
  std::vector<std::string> names_before;  // of whom it is not known whether they still held it
  int64_t seen_us = 0;                    // the latest time at which one of those before did

  [[nodiscard]] bool empty() const { return names.empty() && names_before.empty(); }
  void add(const PastGroup& group, const PastAnswer& answer) {
    const bool certain = answer.is_certain(group);
    std::vector<std::string>& told = certain ? names : names_before;
    std::string name = who_in_words(group);
    if (std::ranges::find(told, name) == told.end()) told.push_back(std::move(name));
    if (certain) return;
    for (const TimelineRow& row : group.rows) {
      seen_us = std::max(seen_us, known_until_us(row.socket, answer));
    }
  }
};

Holders holders_of(const PastAnswer& answer, bool elsewhere) {
  Holders out;
  for (const PastGroup& group : answer.groups) {
    if (group.relation != PastRelation::kHeld || answer.is_elsewhere(group) != elsewhere) continue;
    out.add(group, answer);
  }
  return out;
}

std::string last_seen_in_words(const Holders& holders) {
  const bool one = holders.names_before.size() == 1;
  return listed_briefly(holders.names_before, 4) + (one ? " was" : " were") +
         " last seen holding it at " + local_time_text(holders.seen_us, 0) + ".";
}

// Names of programs keep their own case; only our own words begin a sentence. They are longer than
// any program's name.
std::string capital(std::string text) {
  if (text.starts_with(kKernel) || text.starts_with(kNameless)) {
    text.front() = static_cast<char>(text.front() - 32);
  }
  return text;
}

std::string holders_here(const Holders& here, const PastAnswer& answer, bool some_elsewhere) {
  std::string held = " held " + asked_in_words(answer) + " " + time_in_words(answer);
  const bool part = answer.coverage.covered == Covered::kPart;
  if (!here.names.empty()) {
    const bool dark = std::ranges::any_of(answer.coverage.unrecorded, &Unrecorded::nothing);
    return capital(listed_briefly(here.names, 4)) + held +
           (part && dark ? "; part of that time was not recorded." : ".");
  }
  const bool all = answer.coverage.covered == Covered::kAll;
  if (!here.names_before.empty()) {
    return (all ? "Who" : "Not recorded: who") + held + " is not known. " +
           capital(last_seen_in_words(here));
  }
  if (answer.coverage.covered == Covered::kNone) {
    return "Not recorded: who" + held + " is not known.";
  }
  if (some_elsewhere) held += " in this network namespace";
  if (part) {
    return "Nobody is known to have" + held + ", but not all of that time was recorded.";
  }
  if (answer.own_only) return "No program of yours" + held + "; root sees the others.";
  return "Nobody" + held + ".";
}

}  // namespace

std::string_view past_relation_name(PastRelation relation) {
  switch (relation) {
    case PastRelation::kHeld:
      return "held";
    case PastRelation::kAttempt:
      return "attempt";
    case PastRelation::kRemote:
      return "remote";
  }
  return "";
}

bool PastGroup::settled() const {
  const auto& socket = first().socket;
  if (relation == PastRelation::kAttempt) return true;
  return socket.proof == OwnerProof::kActed || socket.proof == OwnerProof::kHeld ||
         socket.owner_reason == "kernel";
}

bool PastAnswer::held() const {
  return std::ranges::any_of(
      groups, [](const PastGroup& group) { return group.relation == PastRelation::kHeld; });
}

bool PastAnswer::is_certain(const PastGroup& group) const {
  return std::ranges::any_of(group.rows, [&](const TimelineRow& row) {
    const int64_t until_us = known_until_us(row.socket, *this);
    return std::ranges::any_of(question.windows, [&](const model::TimeWindow& window) {
      return row.socket.opened_us <= window.until_us && window.from_us <= until_us;
    });
  });
}

bool PastAnswer::is_elsewhere(const PastGroup& group) const {
  const uint32_t netns = group.first().socket.netns;
  return netns != 0 && own_netns != 0 && netns != own_netns;
}

bool PastAnswer::needs_attention() const {
  const auto is_unsure = [](const Holders& holders) {
    return holders.names.empty() && !holders.names_before.empty();
  };
  return coverage.covered != Covered::kAll || more || own_only ||
         is_unsure(holders_of(*this, false)) || is_unsure(holders_of(*this, true)) ||
         std::ranges::any_of(groups, [](const PastGroup& group) {
           return group.relation == PastRelation::kHeld && !group.settled();
         });
}

std::vector<TimelineQuery> past_queries(const PastQuestion& question) {
  std::vector<TimelineQuery> out;
  for (const model::PortRange range : ranges_of(question)) {
    TimelineQuery held;
    held.windows = question.windows;
    held.protocol = question.port.protocol;
    held.local_port = range;
    held.local_address = question.port.address;
    held.limit = kHoldersMax;
    if (question.peer) {
      held.remote_address = question.peer->address;
      if (question.peer->port != 0) held.remote_port = question.peer->port;
    }
    TimelineQuery talked = held;
    talked.local_port.reset();
    talked.local_address.reset();
    talked.port = range;
    if (range.single()) talked.remote_port = range.first;
    if (question.port.address && !question.peer) talked.remote_address = question.port.address;
    talked.limit = kTalkersMax;
    out.push_back(std::move(held));
    out.push_back(std::move(talked));
  }
  return out;
}

PastAnswer past_answer(PastQuestion question, std::vector<TimelineAnswer> answers, int64_t now_us) {
  PastAnswer out;
  Groups groups;
  for (size_t i = 0; i < answers.size(); ++i) {
    const bool as_local = i % 2 == 0;
    out.more |= answers[i].more;
    for (TimelineRow& row : answers[i].rows) {
      const model::RecordedSocket& socket = row.socket;
      if (!as_local && !is_talk(question, socket)) continue;
      PastGroup one;
      one.relation = relation_of(question, socket, as_local);
      one.role = socket.role;
      one.protocol = socket.protocol;
      one.port = one.relation == PastRelation::kRemote ? socket.remote.port : socket.local.port;
      one.rows.push_back(std::move(row));
      groups.add(std::move(one));
    }
  }
  out.groups = groups.take();
  if (!answers.empty()) {
    const TimelineAnswer& last = answers.back();
    out.coverage = find_coverage(question.windows, last, now_us);
    out.oldest_us = last.oldest_us;
    out.recorded_until_us = last.recorded_until_us;
  }
  out.question = std::move(question);
  return out;
}

PastAnswer past_unknown(PastQuestion question) {
  PastAnswer out;
  out.coverage = no_coverage(question.windows);
  out.question = std::move(question);
  return out;
}

std::string past_headline(const PastAnswer& answer) {
  const Holders here = holders_of(answer, false);
  const Holders elsewhere = holders_of(answer, true);
  std::string out = holders_here(here, answer, !elsewhere.empty());
  if (!elsewhere.empty()) {
    out += " In another network namespace " +
           (elsewhere.names.empty() ? last_seen_in_words(elsewhere)
                                    : listed_briefly(elsewhere.names, 4) + " held it.");
  }
  return out;
}

std::string recorded_process_in_words(const model::RecordedProcess& process) {
  const std::string pid = "pid " + std::to_string(process.pid);
  if (process.command.empty()) return pid + " (it ended before its name could be read)";
  return name_in_words(process.command) + " (" + pid + ")";
}

std::string owner_proof_in_words(const model::RecordedSocket& socket) {
  switch (socket.proof) {
    case OwnerProof::kActed:
      return socket.role == SocketRole::kIncoming
                 ? "it was seen to close the connection, as the last"
                 : "it was seen to do it itself";
    case OwnerProof::kHeld:
      return "a look at all open files found it there";
    case OwnerProof::kInherited:
      return socket.role == SocketRole::kIncoming
                 ? "it made the listener; who took the connection was not seen"
                 : "it made the socket; who used it was not seen";
    case OwnerProof::kNone:
      break;
  }
  const std::string& reason = socket.owner_reason;
  if (reason == model::kTakenOverUnseen) {
    return "nobody can be named: who opened it had ended or let it go, and who held it then was "
           "not "
           "seen";
  }
  if (socket.role == SocketRole::kRefused) return "nobody held the port, so the kernel refused";
  if (reason == "kernel") return "the kernel itself opened it; no process holds it";
  if (reason == "older-than-recorder") {
    return "nobody can be named: it was open before the recorder ran, and gone before a look";
  }
  if (reason == "between-looks") {
    return "nobody can be named: it opened and closed between two looks";
  }
  if (reason == "not-accepted") return "no program had accepted the connection yet";
  if (reason == "hidden") return "nobody can be named: the holder was hidden from the recorder";
  if (reason == "no-descriptor") return "a program kept it outside its table of open files";
  if (reason == "vanished") return "nobody can be named: it was gone when the recorder looked";
  return "nobody can be named: the kernel named no process";
}

}  // namespace ports
