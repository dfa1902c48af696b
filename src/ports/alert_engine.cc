#include "ports/alert_engine.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "ports/ephemeral.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::Alert;
using model::AlertRule;
using model::SocketRole;
using model::Verdict;
using model::VerdictKind;

// Verdicts of connections that are remembered; then all are judged anew.
constexpr size_t kTalksKept = 50'000;
// Looks in a row at which unclosed connections must grow.
constexpr int kLeakLooks = 3;

std::string program_of(const SubjectHolder& holder) {
  return holder.exe ? *holder.exe : holder.words;
}

// ", which runs /tmp/x as root in cron.service": what the verdict's reason leaves out.
std::string holder_details(const SubjectHolder& holder) {
  std::string out;
  if (holder.exe) out += " runs " + name_in_words(*holder.exe);
  if (!holder.user.empty()) out += " as " + name_in_words(holder.user);
  if (!holder.units.empty()) out += " in " + name_in_words(holder.units.back());
  if (!holder.container.empty()) out += ", container " + name_in_words(holder.container);
  return out.empty() ? out : "; it" + out;
}

// The holder to blame: of several, the one that the reason speaks of.
const SubjectHolder* culprit_of(const Subject& subject, const Verdict& verdict) {
  for (const SubjectHolder& holder : subject.holders) {
    if (verdict.reason.contains(holder.words)) return &holder;
  }
  return subject.holders.empty() ? nullptr : &subject.holders.front();
}

std::string elsewhere_in_words(const std::string& netns) {
  return " in network namespace " + name_in_words(netns);
}

Alert alert_about(AlertRule rule, const Subject& subject, const SubjectHolder* holder,
                  int64_t time_us) {
  Alert out;
  out.rule = rule;
  out.time_us = time_us;
  out.protocol = subject.protocol;
  out.port = subject.local.port;
  out.about = port_in_words({subject.local.port, subject.local.port}, subject.protocol);
  if (!subject.own_namespace) out.about += elsewhere_in_words(subject.netns);
  if (holder != nullptr) {
    out.program = program_of(*holder);
    out.user = holder->user;
    out.pid = holder->pid;
  }
  return out;
}

std::optional<AlertRule> rule_of(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kUnexpected:
      return AlertRule::kUnexpectedListener;
    case VerdictKind::kImpostor:
      return AlertRule::kImpostor;
    case VerdictKind::kWider:
      return AlertRule::kWider;
    default:
      return std::nullopt;
  }
}

bool takes_calls(const Subject& subject) {
  return subject.role == SubjectRole::kOpen || subject.role == SubjectRole::kUdpMaybe ||
         subject.role == SubjectRole::kBoundOnly;
}

}  // namespace

AlertEngine::AlertEngine(model::AlertSettings settings, const std::vector<ToldFact>& told)
    : settings_(settings),
      facts_(settings, told),
      namespaces_(std::make_unique<NamespaceNumbers>(std::vector<model::NetNamespace>{})),
      scans_(settings.scan_ports, settings.scan_window_us) {}

void AlertEngine::judge_by(const Judge* judge) {
  judge_ = judge;
  fine_talk_.clear();
  fine_talks_ = 0;
}

void AlertEngine::set_namespaces(std::vector<model::NetNamespace> namespaces) {
  namespaces_ = std::make_unique<NamespaceNumbers>(std::move(namespaces));
}

// ---- what the recorder writes ----------------------------------------------------------------

void AlertEngine::take(const TimelineBatch& batch, const ProcessLookup& process) {
  wall_minus_boot_us_ = batch.recorded_until_us - batch.recorded_until_boot_us;
  // A process that was looked at only now, or runs another program now, is judged anew.
  for (const model::RecordedProcess& changed : batch.processes) fine_talk_.erase(changed.id);
  for (const model::RecordedSocket& row : batch.opened) take_row(row, true, process);
  for (const model::RecordedSocket& row : batch.closed) {
    // It is still open, as another's: that row is judged. And what ended with an earlier boot of
    // this machine was judged then.
    if (row.owner_reason == model::kHandedOn || row.boot != batch.boot) continue;
    take_row(row, false, process);
  }
  for (const auto& [address, scan] : scans_now_) tell_scan(scan);
  scans_now_.clear();
  for (const model::RecordedGap& gap : batch.gaps) take_gap(gap);
}

bool AlertEngine::is_watched(const model::NetNamespace& netns) const {
  return netns.own ||
         (judge_ != nullptr && judge_->loaded() && judge_->speaks_of(false, netns.name));
}

void AlertEngine::take_row(const model::RecordedSocket& row, bool still_open,
                           const ProcessLookup& process) {
  const model::NetNamespace* netns = namespaces_->of(row.netns);
  if (!is_watched(*netns)) return;
  if (!netns->own && row.role != SocketRole::kListener && row.role != SocketRole::kBound) return;
  switch (row.role) {
    case SocketRole::kIncoming:
    case SocketRole::kBindFailed:
      return;
    case SocketRole::kRefused:
      if (const auto scan = scans_.refused(row)) {
        scans_now_.insert_or_assign(to_string(scan->from), *scan);
      }
      return;
    case SocketRole::kOutgoing:
    case SocketRole::kConnectFailed:
      if (still_open) held_since_us_.try_emplace(row.cookie, row.opened_boot_us);
      if (!row.remote.address.is_loopback()) scans_.talked_to(row.remote);
      return take_outgoing(row, process);
    case SocketRole::kBound:
      // Without expectations there is nothing to say of it, and clients that use UDP have many.
      if (judge_ == nullptr || !judge_->loaded()) return;
      break;
    case SocketRole::kListener:
      break;
  }
  // A look follows that tells whose it is.
  if (still_open && row.owner_reason == model::kTakenOverUnseen) return;
  std::vector<const model::RecordedProcess*> holders;
  if (const auto* owner = process(row.owner)) holders.push_back(owner);
  for (const int64_t id : row.also_held_by) {
    if (const auto* other = process(id)) holders.push_back(other);
  }
  take_listener(row, subject_of(row, holders, netns));
}

void AlertEngine::take_listener(const model::RecordedSocket& row, const Subject& subject) {
  const Verdict verdict = judge_ == nullptr ? Verdict{} : judge_->judge(subject);
  tell(subject, verdict, row.opened_us);
}

void AlertEngine::tell(const Subject& subject, const Verdict& verdict, int64_t time_us) {
  // Of a UDP port that the kernel handed out, "unexpected" is about who may talk.
  if (subject.role == SubjectRole::kUdpMaybe && verdict.kind == VerdictKind::kUnexpected) {
    return tell_talker(subject, verdict, time_us);
  }
  if (verdict.kind == VerdictKind::kUnjudged) return tell_ephemeral_listener(subject, time_us);
  const auto rule = rule_of(verdict.kind);
  if (!rule) return;
  const SubjectHolder* culprit = culprit_of(subject, verdict);
  Alert alert = alert_about(*rule, subject, culprit, time_us);
  alert.sentence = verdict.reason;
  if (!subject.own_namespace) alert.sentence += elsewhere_in_words(subject.netns);
  // The reason of an impostor says what it runs.
  if (culprit != nullptr && *rule != AlertRule::kImpostor) {
    alert.sentence += holder_details(*culprit);
  }
  facts_.see(std::move(alert));
}

void AlertEngine::tell_ephemeral_listener(const Subject& subject, int64_t time_us) {
  const bool meant = subject.role == SubjectRole::kOpen &&
                     subject.protocol == model::Protocol::kTcp && subject.ephemeral &&
                     !subject.local.address.is_loopback();
  if (!meant || (judge_ != nullptr && judge_->loaded())) return;
  const SubjectHolder* holder = subject.holders.empty() ? nullptr : &subject.holders.front();
  Alert alert = alert_about(AlertRule::kEphemeralListener, subject, holder, time_us);
  const std::string port = std::exchange(alert.about, "");  // another port is no new fact
  alert.sentence = (holder == nullptr ? std::string("somebody") : holder->words) + " listens on " +
                   port + ", inside the range that the kernel lends to outgoing connections" +
                   (holder == nullptr ? std::string() : holder_details(*holder));
  facts_.see(std::move(alert));
}

void AlertEngine::take_outgoing(const model::RecordedSocket& row, const ProcessLookup& process) {
  if (judge_ == nullptr || !judge_->judges_outgoing() || row.owner == 0) return;
  const bool alone = row.also_held_by.empty();
  if (alone) {
    const auto talks = fine_talk_.find(row.owner);
    if (talks != fine_talk_.end() && talks->second[row.protocol].contains(row.remote)) return;
  }
  std::vector<const model::RecordedProcess*> holders;
  if (const auto* owner = process(row.owner)) holders.push_back(owner);
  for (const int64_t id : row.also_held_by) {
    if (const auto* other = process(id)) holders.push_back(other);
  }
  const Subject subject = subject_of(as_talk(row), holders, namespaces_->of(row.netns));
  const Verdict verdict = judge_->judge(subject);
  if (alone && !verdict.is_finding()) {
    if (++fine_talks_ > kTalksKept) {
      fine_talk_.clear();
      fine_talks_ = 1;
    }
    fine_talk_[row.owner][row.protocol].insert(row.remote);
  }
  if (verdict.kind == VerdictKind::kUnexpected) tell_talker(subject, verdict, row.opened_us);
}

void AlertEngine::tell_talker(const Subject& subject, const Verdict& verdict, int64_t time_us) {
  const SubjectHolder* culprit = culprit_of(subject, verdict);
  Alert alert = alert_about(AlertRule::kNewTalker, subject, culprit, time_us);
  if (subject.remote.port != 0) {
    alert.port = subject.remote.port;
    alert.about = "port " + port_in_words({alert.port, alert.port}, subject.protocol);
    alert.remote =
        to_string(model::Endpoint{subject.remote.address.unmapped(), subject.remote.port});
  } else {
    alert.about = std::string(protocol_name(subject.protocol));
  }
  alert.sentence = verdict.reason;
  if (culprit != nullptr) alert.sentence += holder_details(*culprit);
  // A program of which nothing is expected is one fact, wherever it talks to.
  if (verdict.reason.starts_with("no expectation lets")) alert.about.clear();
  facts_.see(std::move(alert));
}

void AlertEngine::tell_scan(const Scan& scan) {
  Alert alert;
  alert.rule = AlertRule::kPortScan;
  alert.time_us = scan.time_us;
  alert.about = alert.remote = to_string(scan.from);
  alert.protocol = model::Protocol::kTcp;
  if (!facts_.is_known(alert)) {
    const auto ports =
        each_in_words(scan.examples, [](uint16_t port) { return std::to_string(port); });
    alert.sentence = alert.remote + " tried " + grouped(scan.ports) +
                     " closed ports of this machine within " +
                     duration_in_words(settings_.scan_window_us / model::kAlertSecondUs) +
                     ", among them " + listed(ports);
  }
  facts_.see(std::move(alert));
}

void AlertEngine::take_gap(const model::RecordedGap& gap) {
  const int64_t length_us = gap.until_us - gap.from_us;
  Alert alert;
  alert.rule = AlertRule::kEventLoss;
  alert.time_us = gap.until_us;
  alert.about = gap.kind;
  if (gap.kind == "clock-set") return;
  if (gap.lost > 0) {
    alert.sentence = "the recorder lost " + counted(gap.lost, "event") + " (" + gap.kind +
                     "): what happened then may be missing in the timeline";
  } else if (length_us >= settings_.gap_us) {
    alert.sentence = "nothing was recorded for " +
                     duration_in_words(length_us / model::kAlertSecondUs) + " (" + gap.kind +
                     "): what opened and closed meanwhile is not known";
  } else {
    return;
  }
  facts_.see(std::move(alert));
}

// ---- what a look shows -------------------------------------------------------------------------

void AlertEngine::look(const model::Inventory& inventory, int64_t now_us) {
  set_namespaces(inventory.namespaces);
  const InventorySubjects subjects(inventory, packages_known_);
  if (judge_ != nullptr && judge_->loaded()) {
    const InventoryVerdicts verdicts = judge_inventory(*judge_, inventory, packages_known_);
    for (size_t i = 0; i < inventory.sockets.size(); ++i) {
      if (!verdicts.sockets[i].is_finding()) continue;
      const Subject subject = subjects.of(inventory.sockets[i]);
      // Of a namespace that no expectation names nothing is found.
      if (takes_calls(subject)) tell(subject, verdicts.sockets[i], now_us);
    }
    for (size_t i = 0; i < inventory.published.size(); ++i) {
      const auto rule = rule_of(verdicts.published[i].kind);
      if (!rule) continue;
      Alert alert;
      alert.rule = *rule;
      alert.time_us = now_us;
      alert.protocol = inventory.published[i].protocol;
      alert.port = inventory.published[i].ports.first;
      alert.about = port_in_words(inventory.published[i].ports, alert.protocol);
      alert.program = "the packet filter";
      alert.sentence = verdicts.published[i].reason;
      facts_.see(std::move(alert));
    }
    look_for_missing(verdicts, now_us);
  }
  look_for_leaks(inventory, now_us);
  look_for_held(inventory, subjects, now_us);
  look_for_exhaustion(inventory, now_us);
}

void AlertEngine::look_for_missing(const InventoryVerdicts& verdicts, int64_t now_us) {
  std::map<std::string, int64_t> still;
  for (const MissingPort& missing : verdicts.missing) {
    if (missing.verdict.kind != VerdictKind::kMissing) continue;
    Alert alert;
    alert.rule = AlertRule::kMissing;
    alert.time_us = now_us;
    alert.protocol = missing.protocol;
    alert.port = missing.port;
    alert.about = port_in_words({missing.port, missing.port}, missing.protocol);
    if (missing.verdict.expectation) {
      const std::string& netns = judge_->expectations()[*missing.verdict.expectation].netns;
      if (!netns.empty()) alert.about += elsewhere_in_words(netns);
    }
    alert.sentence = missing.verdict.reason;
    const std::string key = alert.about + missing.verdict.reason;
    const auto before = missing_since_us_.find(key);
    const int64_t since_us = before == missing_since_us_.end() ? now_us : before->second;
    still.emplace(key, since_us);
    if (now_us - since_us >= settings_.missing_after_us) facts_.see(std::move(alert));
  }
  missing_since_us_ = std::move(still);
}

void AlertEngine::look_for_leaks(const model::Inventory& inventory, int64_t now_us) {
  std::map<std::string, std::pair<uint32_t, SubjectHolder>> piles;
  for (const model::Socket& socket : inventory.sockets) {
    if (socket.state != model::SocketState::kCloseWait) continue;
    const model::NetNamespace* netns = inventory.find_namespace(socket.netns);
    const auto owners = inventory.owners_of(socket);
    if (owners.empty() || (netns != nullptr && !netns->own)) continue;
    SubjectHolder holder = holder_of(inventory.processes[owners.front().process]);
    auto& pile = piles[program_of(holder)];
    ++pile.first;
    pile.second = std::move(holder);
  }
  std::map<std::string, LeakState> still;
  for (const auto& [program, pile] : piles) {
    const uint32_t count = pile.first;
    if (count < settings_.close_wait) continue;
    const auto before = leaks_.find(program);
    LeakState state{.first = count, .last = count, .looks = 1};
    if (before != leaks_.end() && count >= before->second.last) {
      state = {before->second.first, count, before->second.looks + 1};
    }
    still.emplace(program, state);
    if (state.looks < kLeakLooks || state.last <= state.first) continue;
    Alert alert;
    alert.rule = AlertRule::kCloseWaitLeak;
    alert.time_us = now_us;
    alert.program = program;
    alert.user = pile.second.user;
    alert.pid = pile.second.pid;
    alert.sentence = pile.second.words + " does not close " + counted(count, "connection") +
                     " that the other side has closed, and there are more and more" +
                     holder_details(pile.second);
    facts_.see(std::move(alert));
  }
  leaks_ = std::move(still);
}

void AlertEngine::look_for_held(const model::Inventory& inventory,
                                const InventorySubjects& subjects, int64_t now_us) {
  const int64_t now_boot_us = now_us - wall_minus_boot_us_;
  std::unordered_map<uint64_t, int64_t> still;
  for (const model::Socket& socket : inventory.sockets) {
    if (socket.cookie == 0 || socket.remote.port == 0) continue;
    const auto before = held_since_us_.find(socket.cookie);
    const int64_t since_us = before == held_since_us_.end() ? now_boot_us : before->second;
    const bool is_long = now_boot_us - since_us >= settings_.held_us;
    if (!is_long) {
      still.emplace(socket.cookie, since_us);
      continue;
    }
    const Subject subject = subjects.of(socket);
    if (subject.role != SubjectRole::kOutgoing || !subject.own_namespace) continue;
    still.emplace(socket.cookie, since_us);
    if (subject.holders.empty()) continue;
    const SubjectHolder& holder = subject.holders.front();
    Alert alert = alert_about(AlertRule::kPortHeldForDays, subject, &holder, now_us);
    alert.remote = to_string(subject.remote);
    alert.sentence = holder.words + " has held client port " + std::exchange(alert.about, "") +
                     " toward " + alert.remote + " for " +
                     duration_in_words((now_boot_us - since_us) / model::kAlertSecondUs) +
                     holder_details(holder);
    facts_.see(std::move(alert));
  }
  held_since_us_ = std::move(still);
}

void AlertEngine::look_for_exhaustion(const model::Inventory& inventory, int64_t now_us) {
  if (!settings_.of(AlertRule::kEphemeralExhaustion).enabled) return;
  for (const EphemeralUse& use :
       measure_ephemeral(inventory, now_us / model::kAlertSecondUs).namespaces) {
    if (!use.own || use.worst != Headroom::kNearlyOut) continue;
    const auto see = [&](std::string about, const std::string& toward, uint32_t free,
                         const std::vector<Share>& programs) {
      Alert alert;
      alert.rule = AlertRule::kEphemeralExhaustion;
      alert.time_us = now_us;
      alert.about = std::move(about);
      alert.sentence = "only " + grouped(free) + " of " + grouped(use.size) +
                       " ephemeral ports are free for " + toward;
      if (!programs.empty()) {
        const model::Process& most = programs.front().program.process;
        alert.program = most.exe.empty() ? most.command : most.exe;
        alert.pid = most.pid;
        alert.user = most.user;
        alert.sentence +=
            "; " + process_in_words(most) + " uses the most, " + grouped(programs.front().ports);
      }
      facts_.see(std::move(alert));
    };
    for (const DestinationUse& one : use.destinations) {
      if (one.headroom != Headroom::kNearlyOut) continue;
      see(to_string(one.destination),
          "connections from " + to_string(one.local) + " to " + to_string(one.destination),
          one.free, one.programs);
    }
    if (use.udp_headroom == Headroom::kNearlyOut) see("udp", "UDP", use.udp_free, use.programs);
  }
}

}  // namespace ports
