#include "ports/recorder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace ports {
namespace {

using model::OwnerProof;
using model::RecordedSocket;
using model::SocketEventKind;
using model::SocketRole;

constexpr uint64_t kSecondNs = 1'000'000'000;
// /proc tells the start of a process to the clock tick (USER_HZ is 100 on every Linux), the kernel
// to the nanosecond; the tick is what both can be compared by.
constexpr uint64_t kTickNs = kSecondNs / 100;
// Sockets are released after the exit event of their process, and rows may name it until they are
// flushed; after this long nothing can refer to it any more.
constexpr uint64_t kKeepExitedNs = 30 * kSecondNs;
// Without exit events (no BPF, or one was lost) an unused process is forgotten after this long. If
// it comes back it is stored once more, which costs a row and nothing else.
constexpr uint64_t kKeepUnusedNs = 3600 * kSecondNs;
// An orphaned connection tells of its end when the kernel gives it up, minutes later at most.
constexpr uint64_t kKeepFoundGoneNs = 600 * kSecondNs;
// The kernel closes what a process held right after its exit event; with a hundred thousand
// descriptors that takes a while. What is open after this long has another holder.
constexpr uint64_t kReleasedWithinNs = kSecondNs;
constexpr uint64_t kForgetEveryNs = 10 * kSecondNs;
// Room for a busy machine's batch. It is memory only once it is used, and to grow step by step
// would use it twice.
constexpr size_t kUsualRows = 16'384;
// Two clocks cannot be read at once; a difference up to this is put down to that.
constexpr int64_t kClockNoiseUs = 10'000;
// A setting of the wall clock by less than this is kept, but is not worth a gap.
constexpr int64_t kClockStepUs = 1'000'000;

int64_t us_of(uint64_t boot_ns) { return static_cast<int64_t>(boot_ns / 1000); }

std::string_view text_of(const std::array<char, 16>& command) {
  return {command.data(), ::strnlen(command.data(), command.size())};
}

SocketRole role_of(const model::Socket& socket) {
  using model::SocketState;
  if (socket.state == SocketState::kListen) return SocketRole::kListener;
  if (socket.remote.port == 0) return SocketRole::kBound;
  // Which side dialled cannot be seen afterwards; the caller knows the listeners and may correct
  // it.
  return SocketRole::kOutgoing;
}

// Of an inventory's sockets, those with a port and a program's life still in them.
bool is_programs_own(const model::Socket& socket) {
  using model::Holding;
  return socket.cookie != 0 && socket.local.port != 0 && socket.protocol != model::Protocol::kRaw &&
         socket.holding != Holding::kTimeWait && socket.holding != Holding::kHandshake &&
         socket.holding != Holding::kOrphaned;
}

/// Who holds it is known from the process itself, or from its descriptors.
bool is_certain(OwnerProof proof) {
  return proof == OwnerProof::kActed || proof == OwnerProof::kHeld;
}

/// The reason that goes with a named owner.
std::string reason_of_named(const RecordedSocket& row) {
  return std::string(model::was_taken_over(row) ? model::kTakenOver : "");
}

uint64_t place_of(uint32_t netns, uint16_t port) { return uint64_t{netns} << 16U | port; }

std::unordered_set<uint64_t> listened_ports(const model::Inventory& inventory) {
  std::unordered_set<uint64_t> out;
  for (const auto& socket : inventory.sockets) {
    if (socket.state == model::SocketState::kListen) {
      out.insert(place_of(socket.netns, socket.local.port));
    }
  }
  return out;
}

}  // namespace

size_t Recorder::ProcessKeyHash::operator()(const ProcessKey& key) const {
  return (static_cast<uint64_t>(key.pid) << 40U ^ key.start_tick) * 0x9E3779B97F4A7C15U;
}

Recorder::ProcessKey Recorder::key_of(int32_t pid, uint64_t start_time_ns) {
  return {pid, start_time_ns / kTickNs};
}

Recorder::Recorder(ProcessSource& processes, TimelineWriter::Boot boot, ClockReading now,
                   LeftOpen left_open, int64_t recorded_until_us)
    : processes_(processes),
      boot_(boot),
      now_(now),
      before_(now),
      next_process_id_(boot.next_process_id) {
  batch_.closed.reserve(kUsualRows);
  const int64_t wall_minus_boot_us = now.wall_us - us_of(now.boot_ns);
  clock_.add({0, wall_minus_boot_us});
  batch_.clock_steps.push_back({us_of(now.boot_ns), wall_minus_boot_us});
  if (recorded_until_us != 0) add_gap("not-recording", recorded_until_us, now.wall_us, 0);
  // A process keeps its id, so that nobody is taken for a second holder of what is his.
  for (model::RecordedProcess& process : left_open.processes) {
    if (process.boot != boot_.number) continue;
    Known& one = known_[key_of(process.pid, process.start_time_ns)];
    keys_by_id_.emplace(process.id, key_of(process.pid, process.start_time_ns));
    one.process = std::move(process);
    one.used_ns = now_.boot_ns;
    one.stored = one.asked = true;
  }
  for (auto& row : left_open.sockets) {
    if (row.boot == boot_.number) {
      const uint64_t cookie = row.cookie;
      live_.emplace(cookie, Live{.row = std::move(row)});
      continue;
    }
    // The machine was restarted: whatever was open ended with the boot, at a time nobody saw.
    row.closed_boot_us = std::max(boot_.recorded_until_boot_us, row.opened_boot_us);
    row.closed_us = std::max(recorded_until_us, row.opened_us);
    row.close_unseen = true;
    batch_.closed.push_back(std::move(row));
  }
}

int64_t Recorder::wall_of(uint64_t boot_ns) const { return clock_.wall_us(us_of(boot_ns)); }

void Recorder::open_at(RecordedSocket& row, uint64_t boot_ns) const {
  row.opened_boot_us = us_of(boot_ns);
  row.opened_us = wall_of(boot_ns);
}

// Events of different processors may come a little out of order; nothing closes before it opens.
void Recorder::close_at(RecordedSocket& row, uint64_t boot_ns) const {
  row.closed_boot_us = std::max(us_of(boot_ns), row.opened_boot_us);
  row.closed_us = *row.closed_boot_us == row.opened_boot_us ? row.opened_us : wall_of(boot_ns);
}

void Recorder::set_clock(ClockReading now) {
  processes_.forget();
  const int64_t expected_us = wall_of(now.boot_ns);
  const int64_t step_us = now.wall_us - expected_us;
  if (std::abs(step_us) > kClockNoiseUs) {
    // It was set at some moment since the last reading; what happened since is put on the new time.
    const model::ClockStep step{us_of(now_.boot_ns) + 1, now.wall_us - us_of(now.boot_ns)};
    clock_.add(step);
    batch_.clock_steps.push_back(step);
  }
  if (std::abs(step_us) > kClockStepUs) {
    add_gap("clock-set", std::min(expected_us, now.wall_us), std::max(expected_us, now.wall_us), 0);
  }
  before_ = std::exchange(now_, now);
}

void Recorder::add_gap(std::string kind, int64_t from_us, int64_t until_us, uint64_t lost) {
  model::RecordedGap gap;
  gap.boot = boot_.number;
  gap.from_us = from_us;
  gap.until_us = until_us;
  gap.kind = std::move(kind);
  gap.lost = lost;
  batch_.gaps.push_back(std::move(gap));
}

void Recorder::lost(const model::LossCounters& more, int64_t from_us, int64_t until_us) {
  const std::pair<const char*, uint64_t> kinds[] = {{"ring-full", more.ring_full},
                                                    {"recursion", more.recursion_misses},
                                                    {"storage-full", more.storage_full}};
  for (const auto& [kind, count] : kinds) {
    // The clock may have been set back meanwhile.
    if (count != 0) add_gap(kind, std::min(from_us, until_us), until_us, count);
  }
}

// ---- processes -------------------------------------------------------------------------------

Recorder::Known& Recorder::known(const ProcessKey& key, uint64_t start_time_ns) {
  Recent& recent = recent_[static_cast<size_t>(key.pid) % recent_.size()];
  if (recent.known != nullptr && recent.key == key) {
    recent.known->used_ns = now_.boot_ns;
    return *recent.known;
  }
  const auto [at, added] = known_.try_emplace(key);
  recent = {key, &at->second};
  Known& one = at->second;
  if (added) {
    one.process.id = next_process_id_++;
    one.process.boot = boot_.number;
    one.process.pid = key.pid;
    one.process.start_time_ns = start_time_ns;
    keys_by_id_.emplace(one.process.id, key);
  }
  one.used_ns = now_.boot_ns;
  return one;
}

// Asks /proc once, at the first need: a process that ended by now keeps what its events told.
void Recorder::ask(Known& one) {
  if (std::exchange(one.asked, true)) return;
  const model::Process found = processes_.read(one.process.pid, one.process.start_time_ns);
  // A process that ends has no exe any more; then the path that it was started as leads to it.
  if (found.exe.empty() && found.placement.container.empty() && !one.process.exe.empty()) {
    std::string file = processes_.executable_behind(one.process.exe);
    if (!file.empty()) one.process.exe = std::move(file);
  }
  if (found.gone) return ask_traces(one);
  one.process.uid = found.uid;
  one.process.user = found.user;
  if (!found.command.empty()) one.process.command = found.command;
  if (!found.exe.empty()) one.process.exe = found.exe;
  one.process.unit =
      found.placement.unit.empty() ? found.placement.user_unit : found.placement.unit;
  one.process.container = found.placement.container;
  one.process.parent_pid = found.parent_pid;
  if (const auto parents = processes_.ancestors(one.process.pid); !parents.empty()) {
    one.process.parent_command = parents.front().command;
  }
}

// It ended before it could be read: its user, its cgroup and its parent may still be there.
void Recorder::ask_traces(Known& one) {
  const ProcessTraces traces = processes_.traces(one.process.uid, one.cgroup_id);
  one.process.user = traces.user;
  if (one.process.unit.empty()) {
    one.process.unit =
        traces.placement.unit.empty() ? traces.placement.user_unit : traces.placement.unit;
  }
  if (one.process.container.empty()) one.process.container = traces.placement.container;
  if (one.process.parent_pid != 0 && one.process.parent_command.empty()) {
    // Gone or used again, it has no command.
    one.process.parent_command =
        processes_.read(one.process.parent_pid, one.parent_start_ns).command;
  }
}

int64_t Recorder::owner_id(const model::Actor& actor, bool acts_now) {
  if (actor.pid == 0) return 0;
  Known& one = known(key_of(actor.pid, actor.start_time_ns), actor.start_time_ns);
  if (one.process.command.empty()) one.process.command = text_of(actor.command);
  // Who gives up the rights that it was started with does so before it acts.
  if (!one.asked) one.process.uid = actor.uid;
  if (one.cgroup_id == 0) one.cgroup_id = actor.cgroup_id;
  ask(one);
  if (acts_now) {
    // What /proc has told may be newer than what is told here, but not than a change told here.
    if (one.acted_as.value_or(actor.uid) != actor.uid) {
      become(one, actor.uid, processes_.traces(actor.uid, 0).user);
    }
    one.acted_as = actor.uid;
  }
  if (!std::exchange(one.stored, true)) one.changed = true;
  return one.process.id;
}

int64_t Recorder::owner_id(const model::Process& process) {
  Known& one = known(key_of(process.pid, process.start_time_ns), process.start_time_ns);
  if (one.process.command.empty()) one.process.command = process.command;
  ask(one);
  if (!process.gone && !process.user.empty()) become(one, process.uid, process.user);
  if (!std::exchange(one.stored, true)) one.changed = true;
  return one.process.id;
}

// A daemon opens its port, or asks its first question, and gives up its rights after that.
void Recorder::become(Known& one, uint32_t uid, std::string user) {
  if (one.process.uid == uid) return;
  one.process.uid = uid;
  one.process.user = std::move(user);
  one.changed = one.stored;
}

const model::RecordedProcess* Recorder::process(int64_t id) const {
  const auto key = keys_by_id_.find(id);
  if (key == keys_by_id_.end()) return nullptr;
  const auto at = known_.find(key->second);
  return at == known_.end() ? nullptr : &at->second.process;
}

void Recorder::take_process(const model::ProcessEvent& event) {
  const ProcessKey key = key_of(event.process.pid, event.process.start_time_ns);
  if (event.kind == model::ProcessEventKind::kExit) {
    // Keep it for the sockets that are still to be released, and no longer.
    if (const auto at = known_.find(key); at != known_.end()) {
      at->second.exited_ns = event.time_ns;
      if (at->second.stored) exited_.emplace(at->second.process.id, event.time_ns);
      at->second.used_ns = now_.boot_ns - std::min(now_.boot_ns, kKeepUnusedNs - kKeepExitedNs);
    }
    return;
  }
  Known& one = known(key, event.process.start_time_ns);
  one.process.uid = event.process.uid;
  one.process.command = text_of(event.process.command);
  one.cgroup_id = event.process.cgroup_id;
  if (event.parent_pid != 0) {
    one.process.parent_pid = event.parent_pid;
    one.parent_start_ns = event.parent_start_time_ns;
    const auto parent = known_.find(key_of(event.parent_pid, event.parent_start_time_ns));
    if (parent != known_.end()) {
      one.process.parent_command = parent->second.process.command;
      if (event.kind == model::ProcessEventKind::kFork) {
        one.process.exe = parent->second.process.exe;
      }
    }
  }
  if (event.kind == model::ProcessEventKind::kExec) {
    one.process.exe = event.exe;
    // Another program now: what was read of it before the exec is no longer true.
    one.asked = false;
    one.acted_as.reset();
    one.changed = one.stored;
  }
}

void Recorder::forget_processes() {
  std::unordered_set<int64_t> in_use;
  for (const auto& [cookie, live] : live_) {
    in_use.insert(live.row.owner);
    in_use.insert(live.row.creator);
    in_use.insert(live.row.also_held_by.begin(), live.row.also_held_by.end());
  }
  std::erase_if(found_gone_,
                [&](const auto& item) { return now_.boot_ns - item.second > kKeepFoundGoneNs; });
  std::erase_if(known_, [&](const auto& item) {
    const Known& one = item.second;
    if (now_.boot_ns - one.used_ns < kKeepUnusedNs || in_use.contains(one.process.id)) return false;
    keys_by_id_.erase(one.process.id);
    return true;
  });
  recent_ = {};
}

// ---- sockets ---------------------------------------------------------------------------------

void Recorder::take(const model::Event& event) {
  if (const auto* socket = std::get_if<model::SocketEvent>(&event)) {
    take_socket(*socket);
  } else if (const auto* process = std::get_if<model::ProcessEvent>(&event)) {
    take_process(*process);
  } else if (const auto* reset = std::get_if<model::ResetEvent>(&event)) {
    take_reset(*reset);
  }
}

void Recorder::take_socket(const model::SocketEvent& event) {
  switch (event.kind) {
    case SocketEventKind::kBound:
      return open(event, SocketRole::kBound);
    case SocketEventKind::kListening:
      return open(event, SocketRole::kListener);
    case SocketEventKind::kConnected:
      return open(event, SocketRole::kOutgoing);
    case SocketEventKind::kAccepted:
      return open(event, SocketRole::kIncoming);
    case SocketEventKind::kClosed:
      return close(event);
    case SocketEventKind::kConnectFailed:
      return fail_connect(event);
    case SocketEventKind::kBindFailed:
      return add_instant(event, SocketRole::kBindFailed);
  }
}

void Recorder::take_reset(const model::ResetEvent& event) {
  RecordedSocket row;
  row.boot = boot_.number;
  row.netns = event.netns;
  row.role = SocketRole::kRefused;
  row.local = event.local;
  row.remote = event.remote;
  open_at(row, event.time_ns);
  close_at(row, event.time_ns);
  batch_.closed.push_back(std::move(row));
}

// Names the owner from who acts in this event, never weakening what is known already.
void Recorder::name_owner(RecordedSocket& row, const model::SocketEvent& event) {
  const bool accepted = row.role == SocketRole::kIncoming;
  if (event.actor.pid != 0 && row.proof != OwnerProof::kActed &&
      (event.kind != SocketEventKind::kClosed || accepted || row.proof == OwnerProof::kNone)) {
    const int64_t before = row.owner;
    const bool was_seen_holding = row.proof == OwnerProof::kHeld;
    row.owner = owner_id(event.actor, true);
    row.proof = OwnerProof::kActed;
    if (before != 0 && before != row.owner) {
      if (was_seen_holding) {
        row.also_held_by.push_back(before);
      } else if (row.creator == 0) {
        row.creator = before;
      }
    }
    std::erase(row.also_held_by, row.owner);
  }
  if (event.creator.pid != 0) {
    if (row.proof == OwnerProof::kNone) {
      row.owner = owner_id(event.creator, false);
      row.proof = OwnerProof::kInherited;
    } else if (row.creator == 0) {
      const int64_t creator = owner_id(event.creator, false);
      if (creator != row.owner) row.creator = creator;
    }
  }
  if (row.proof != OwnerProof::kNone) {
    row.owner_reason = reason_of_named(row);
  } else if (row.owner_reason.empty()) {
    // Nobody notes when a client was made; that it connects shows that it was seen to.
    const bool connects =
        event.kind == SocketEventKind::kConnected || event.kind == SocketEventKind::kConnectFailed;
    row.owner_reason = half_blind_since_us_                 ? "between-looks"
                       : event.created_ns == 0 && !connects ? "older-than-recorder"
                                                            : "no-process";
  }
}

void Recorder::open(const model::SocketEvent& event, SocketRole role) {
  auto [at, added] = live_.try_emplace(event.cookie);
  Live& live = at->second;
  RecordedSocket& row = live.row;
  const bool seen_to_dial = !added && !row.opened_before && row.role == SocketRole::kOutgoing;
  const bool connects_again = seen_to_dial && role == SocketRole::kOutgoing;
  if (connects_again) {
    // It was let off its peer in between, of which nobody tells.
    close_at(row, event.time_ns);
    row.close_unseen = true;
    batch_.closed.push_back(std::exchange(row, {}));
  }
  if (added || connects_again || row.opened_before) {
    row.boot = boot_.number;
    row.netns = event.netns;
    row.protocol = event.protocol;
    row.interface = event.interface;
    open_at(row, event.time_ns);
    row.opened_before = false;
    live.opened_ns = event.time_ns;
  }
  row.cookie = event.cookie;
  change(live);
  // Two that dial each other at once, or a socket that dials itself, are connected like an accepted
  // one; who dialled has still dialled.
  if (!seen_to_dial || role != SocketRole::kIncoming) row.role = role;
  row.local = event.local;
  // A UDP socket that loses its peer again reports none; the last peer is worth more than nothing.
  if (event.remote.port != 0) row.remote = event.remote;
  name_owner(row, event);
}

void Recorder::close(const model::SocketEvent& event) {
  const auto at = live_.find(event.cookie);
  if (looking_) closed_meanwhile_.insert(event.cookie);
  if (found_gone_.erase(event.cookie) != 0 && at == live_.end()) return;
  if (at == live_.end() && event.local.port == 0) return;  // it never had a port
  RecordedSocket row;
  if (at != live_.end()) {
    hand_on_to_closer(at->second, event);
    row = std::move(at->second.row);
    live_.erase(at);
  } else {
    row.cookie = event.cookie;
    row.boot = boot_.number;
    row.netns = event.netns;
    row.protocol = event.protocol;
    const bool incoming = event.protocol == model::Protocol::kTcp &&
                          listened_.contains(place_of(event.netns, event.local.port));
    row.role = event.remote.port == 0 ? SocketRole::kBound
               : incoming             ? SocketRole::kIncoming
                                      : SocketRole::kOutgoing;
    row.opened_before = event.created_ns == 0;
    row.interface = event.interface;
    open_at(row, event.created_ns == 0 ? event.time_ns : event.created_ns);
  }
  // After a reset the kernel has taken the port away; then the opening's tuple stands.
  if (event.local.port != 0) row.local = event.local;
  if (event.remote.port != 0) row.remote = event.remote;
  close_at(row, event.time_ns);
  row.totals = event.totals;
  name_owner(row, event);
  batch_.closed.push_back(std::move(row));
}

void Recorder::fail_connect(const model::SocketEvent& event) {
  const auto at = live_.find(event.cookie);
  if (at == live_.end() || at->second.row.role != SocketRole::kOutgoing) {
    return add_instant(event, SocketRole::kConnectFailed);
  }
  RecordedSocket row = std::move(at->second.row);
  live_.erase(at);
  if (looking_) closed_meanwhile_.insert(event.cookie);
  row.role = SocketRole::kConnectFailed;
  row.error = event.error;
  close_at(row, event.time_ns);
  name_owner(row, event);
  batch_.closed.push_back(std::move(row));
}

void Recorder::add_instant(const model::SocketEvent& event, SocketRole role) {
  RecordedSocket row;
  row.cookie = event.cookie;
  row.boot = boot_.number;
  row.netns = event.netns;
  row.protocol = event.protocol;
  row.interface = event.interface;
  row.role = role;
  row.error = event.error;
  row.local = event.local;
  row.remote = event.remote;
  open_at(row, event.time_ns);
  close_at(row, event.time_ns);
  name_owner(row, event);
  batch_.closed.push_back(std::move(row));
}

const Recorder::Known* Recorder::known_by_id(int64_t id) const {
  const auto key = keys_by_id_.find(id);
  if (key == keys_by_id_.end()) return nullptr;
  const auto at = known_.find(key->second);
  return at == known_.end() ? nullptr : &at->second;
}

/// Ends the row with its owner, and goes on with one whose owner is to be found. `unseen`: the
/// owner let it go at some time before.
void Recorder::hand_on(Live& live, uint64_t when_ns, bool unseen) {
  RecordedSocket& row = live.row;
  RecordedSocket before = row;
  close_at(before, when_ns);
  before.close_unseen = unseen;
  before.owner_reason = model::kHandedOn;
  row.creator = row.owner;
  row.owner = 0;
  row.proof = OwnerProof::kNone;
  row.owner_reason = model::kTakenOverUnseen;
  row.opened_before = false;
  open_at(row, when_ns);
  // Whom a look has seen sharing it, and who did not end since, holds it still.
  std::erase_if(row.also_held_by, [&](int64_t id) {
    const Known* other = known_by_id(id);
    return unseen || id == row.creator || other == nullptr || other->exited_ns != 0;
  });
  if (row.also_held_by.empty()) {
    heir_unseen_ = true;
  } else {
    row.owner = row.also_held_by.front();
    row.also_held_by.erase(row.also_held_by.begin());
    row.proof = OwnerProof::kHeld;
    row.owner_reason = model::kTakenOver;
  }
  batch_.closed.push_back(std::move(before));
  change(live);
}

/// Of a socket that is closed by another than its owner.
void Recorder::hand_on_to_closer(Live& live, const model::SocketEvent& event) {
  RecordedSocket& row = live.row;
  const Known* owner = known_by_id(row.owner);
  if (event.actor.pid == 0 || owner == nullptr || !is_certain(row.proof)) return;
  const ProcessKey closer = key_of(event.actor.pid, event.actor.start_time_ns);
  if (closer == key_of(owner->process.pid, owner->process.start_time_ns)) return;
  if (owner->exited_ns != 0 && owner->exited_ns < event.time_ns)
    return hand_on(live, owner->exited_ns, false);
  const int64_t other = owner_id(event.actor, true);
  if (std::ranges::find(row.also_held_by, other) == row.also_held_by.end())
    row.also_held_by.push_back(other);
}

void Recorder::hand_on_of_exited() {
  std::unordered_map<int64_t, uint64_t> due;
  std::erase_if(exited_, [&](const auto& one) {
    if (now_.boot_ns < one.second + kReleasedWithinNs) return false;
    due.insert(one);
    return true;
  });
  if (due.empty()) return;
  for (auto& [cookie, live] : live_) {
    if (!is_certain(live.row.proof)) continue;
    const auto owner = due.find(live.row.owner);
    if (owner != due.end()) hand_on(live, owner->second, false);
  }
}

void Recorder::change(Live& live) {
  if (!std::exchange(live.changed, true)) changed_.push_back(live.row.cookie);
}

// ---- inventories -----------------------------------------------------------------------------

// A look that does not find the owner among the holders of a socket that was open when it began.
void Recorder::hand_on_as_seen(Live& live, const model::Inventory& inventory,
                               const model::Socket& socket, uint64_t begun_ns) {
  const Known* owner = known_by_id(live.row.owner);
  if (owner == nullptr || !is_certain(live.row.proof) || live.opened_ns >= begun_ns) return;
  const ProcessKey key = key_of(owner->process.pid, owner->process.start_time_ns);
  const auto holders = inventory.owners_of(socket);
  for (const auto& one : holders) {
    const model::Process& process = inventory.processes[one.process];
    if (key_of(process.pid, process.start_time_ns) == key) return;
  }
  if (owner->exited_ns != 0 && owner->exited_ns + kReleasedWithinNs < begun_ns) {
    hand_on(live, owner->exited_ns, false);
  } else if (owner->exited_ns == 0) {
    // Its end may have been missed: by a recorder that did not run, or with events that were lost.
    const bool let_go = holders.empty()
                            ? processes_.read(owner->process.pid, owner->process.start_time_ns).gone
                            : inventory.report.complete;
    if (let_go) hand_on(live, begun_ns, true);
  }
}

void Recorder::name_holders(Live& live, const model::Inventory& inventory,
                            const model::Socket& socket) {
  RecordedSocket& row = live.row;
  if (row.proof == OwnerProof::kNone && socket.owner_count == 0 && !model::was_taken_over(row)) {
    std::string reason(model::holding_name(socket.holding));
    if (reason != row.owner_reason) change(live);
    row.owner_reason = std::move(reason);
  }
  for (const auto& owner : inventory.owners_of(socket)) {
    const int64_t id = owner_id(inventory.processes[owner.process]);
    if (id == row.owner && row.proof != OwnerProof::kInherited) continue;
    if (row.proof == OwnerProof::kNone || row.proof == OwnerProof::kInherited) {
      if (row.owner != 0 && row.owner != id && row.creator == 0) row.creator = row.owner;
      row.owner = id;
      row.proof = OwnerProof::kHeld;
      row.owner_reason = reason_of_named(row);
      change(live);
    } else if (std::ranges::find(row.also_held_by, id) == row.also_held_by.end()) {
      row.also_held_by.push_back(id);
      change(live);
    }
  }
}

// A socket that was open before we could see it being opened.
RecordedSocket Recorder::row_of(const model::Socket& socket, uint64_t seen_ns,
                                bool incoming) const {
  RecordedSocket row;
  row.cookie = socket.cookie;
  row.boot = boot_.number;
  row.netns = socket.netns;
  row.protocol = socket.protocol;
  row.role = incoming ? SocketRole::kIncoming : role_of(socket);
  row.local = socket.local;
  row.remote = socket.remote;
  row.interface = socket.interface;
  open_at(row, seen_ns);
  row.opened_before = true;
  return row;
}

void Recorder::begin_look() {
  looking_ = true;
  closed_meanwhile_.clear();
}

void Recorder::resync(const model::Inventory& inventory, ClockReading begun) {
  listened_ = listened_ports(inventory);
  std::unordered_set<uint64_t> seen;
  for (const auto& socket : inventory.sockets) {
    if (!is_programs_own(socket)) continue;
    seen.insert(socket.cookie);
    if (closed_meanwhile_.contains(socket.cookie)) continue;
    auto at = live_.find(socket.cookie);
    if (at == live_.end()) {
      found_gone_.erase(socket.cookie);
      Live live;
      // An incoming connection is told from an outgoing one after the fact: somebody listens on
      // its port.
      const bool incoming = socket.protocol == model::Protocol::kTcp && socket.remote.port != 0 &&
                            listened_.contains(place_of(socket.netns, socket.local.port));
      live.row = row_of(socket, begun.boot_ns, incoming);
      at = live_.emplace(socket.cookie, std::move(live)).first;
      change(at->second);
    }
    hand_on_as_seen(at->second, inventory, socket, begun.boot_ns);
    name_holders(at->second, inventory, socket);
  }
  for (auto at = live_.begin(); at != live_.end();) {
    Live& live = at->second;
    const model::NetNamespace* home = inventory.find_namespace(live.row.netns);
    const bool looked = home == nullptr || home->tables_read;
    // What is younger than the look could not be in it.
    if (seen.contains(at->first) || !looked || live.opened_ns > begun.boot_ns) {
      ++at;
      continue;
    }
    close_at(live.row, begun.boot_ns);
    live.row.close_unseen = true;
    batch_.closed.push_back(std::move(live.row));
    found_gone_[at->first] = now_.boot_ns;
    at = live_.erase(at);
  }
  looking_ = false;
  heir_unseen_ = false;
  closed_meanwhile_.clear();
}

TimelineBatch Recorder::flush(bool drained) {
  hand_on_of_exited();
  for (const uint64_t cookie : changed_) {
    const auto at = live_.find(cookie);
    if (at == live_.end() || !std::exchange(at->second.changed, false)) continue;
    batch_.opened.push_back(at->second.row);
  }
  changed_.clear();
  for (auto& [key, one] : known_) {
    if (std::exchange(one.changed, false)) batch_.processes.push_back(one.process);
  }
  if (now_.boot_ns - forgot_ns_ > kForgetEveryNs) {
    forgot_ns_ = now_.boot_ns;
    forget_processes();
  }
  const ClockReading& until = drained ? now_ : before_;
  if (half_blind_since_us_) {
    add_gap("no-bpf", std::exchange(*half_blind_since_us_, until.wall_us), until.wall_us, 0);
  }
  batch_.boot = boot_.number;
  batch_.recorded_until_boot_us = us_of(until.boot_ns);
  batch_.recorded_until_us = until.wall_us;
  return std::exchange(batch_, {});
}

void Recorder::reuse(TimelineBatch written) {
  if (!batch_.closed.empty()) return;
  written.closed.clear();
  batch_.closed = std::move(written.closed);
}

}  // namespace ports
