#include "ports/merge.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace ports {
namespace {

using model::Holder;
using model::Holding;
using model::Inventory;
using model::Owner;
using model::Socket;
using model::SocketState;

constexpr uint32_t kNone = RefIndex::kNone;

// Holders by inode, but for those in use already: open addressing over chains, so that a hundred
// thousand descriptors cost two flat arrays and no allocation each.
class HolderIndex {
 public:
  HolderIndex(const std::vector<Holder>& holders, const std::vector<bool>& used)
      : holders_(holders),
        mask_(slots_for(static_cast<size_t>(std::ranges::count(used, false))) - 1),
        heads_(mask_ + 1, kNone),
        next_(holders.size(), kNone) {
    for (uint32_t i = 0; i < holders.size(); ++i) {
      if (used[i]) continue;
      uint32_t& head = heads_[slot_of(holders[i].inode)];
      next_[i] = std::exchange(head, i);
    }
  }

  [[nodiscard]] uint32_t first(uint64_t inode) const { return heads_[slot_of(inode)]; }
  [[nodiscard]] uint32_t next(uint32_t holder) const { return next_[holder]; }

 private:
  [[nodiscard]] size_t slot_of(uint64_t inode) const {
    size_t slot = spread(inode) & mask_;
    while (heads_[slot] != kNone && holders_[heads_[slot]].inode != inode)
      slot = (slot + 1) & mask_;
    return slot;
  }

  const std::vector<Holder>& holders_;
  size_t mask_;
  std::vector<uint32_t> heads_;
  std::vector<uint32_t> next_;
};

// Numbers processes by first appearance. A pid with another start time is another process.
class ProcessNumbers {
 public:
  explicit ProcessNumbers(std::vector<model::Process>& processes) : processes_(processes) {
    for (uint32_t i = 0; i < processes.size(); ++i) {
      numbers_.emplace(key(processes[i].pid, processes[i].start_time_ns), i);
    }
  }

  uint32_t number_of(const Holder& holder) {
    if (last_ != kNone && processes_[last_].pid == holder.pid &&
        processes_[last_].start_time_ns == holder.start_time_ns) {
      return last_;
    }
    const auto [found, added] = numbers_.try_emplace(key(holder.pid, holder.start_time_ns),
                                                     static_cast<uint32_t>(processes_.size()));
    if (added) {
      model::Process process;
      process.pid = holder.pid;
      process.start_time_ns = holder.start_time_ns;
      processes_.push_back(std::move(process));
    }
    last_ = found->second;
    return last_;
  }

 private:
  using Key = std::pair<int32_t, uint64_t>;
  struct Hash {
    size_t operator()(const Key& key) const {
      return (static_cast<uint64_t>(key.first) << 40U ^ key.second) * 0x9E3779B97F4A7C15U;
    }
  };
  static Key key(int32_t pid, uint64_t start_time_ns) { return {pid, start_time_ns}; }

  std::vector<model::Process>& processes_;
  std::unordered_map<Key, uint32_t, Hash> numbers_;
  uint32_t last_ = kNone;
};

bool same_socket(const Holder& holder, const Socket& socket) {
  if (holder.cookie == 0 || socket.cookie == 0 || holder.mptcp) return true;
  return holder.cookie == socket.cookie;
}

void sort_owners(Inventory& inventory, uint32_t first) {
  const auto begin = inventory.owners.begin() + first;
  if (inventory.owners.end() - begin < 2) return;
  std::sort(begin, inventory.owners.end(), [&](const Owner& left, const Owner& right) {
    return std::tuple(inventory.processes[left.process].pid, left.fd, left.tid) <
           std::tuple(inventory.processes[right.process].pid, right.fd, right.tid);
  });
  // A collector that walks threads may show one descriptor table twice; one row is enough.
  const auto end = std::unique(begin, inventory.owners.end());
  inventory.owners.erase(end, inventory.owners.end());
}

void add_owners(Inventory& inventory, ProcessNumbers& numbers, Socket& socket,
                const std::vector<Holder>& holders, const HolderIndex& index,
                std::vector<bool>& used) {
  socket.first_owner = static_cast<uint32_t>(inventory.owners.size());
  for (uint32_t i = index.first(socket.inode); i != kNone; i = index.next(i)) {
    if (!same_socket(holders[i], socket)) continue;
    used[i] = true;
    socket.mptcp |= holders[i].mptcp;
    inventory.owners.push_back({numbers.number_of(holders[i]), holders[i].tid, holders[i].fd});
  }
  sort_owners(inventory, socket.first_owner);
  socket.owner_count = static_cast<uint32_t>(inventory.owners.size()) - socket.first_owner;
  if (socket.owner_count != 0) socket.holding = Holding::kOwned;
}

// What the state alone tells of a socket without an inode (include/net/inet_timewait_sock.h,
// net/ipv4/inet_diag.c: such sockets carry uid 0 and inode 0, which name nobody).
Holding explain_by_state(const Socket& socket) {
  switch (socket.state) {
    case SocketState::kTimeWait:
      return Holding::kTimeWait;
    case SocketState::kSynReceived:
    case SocketState::kNewSynReceived:
      return Holding::kHandshake;
    case SocketState::kEstablished:
    case SocketState::kCloseWait:
      // A UDP or raw socket is never queued for accept(); without an inode it is on its way out.
      return socket.protocol == model::Protocol::kTcp ? Holding::kNotAccepted : Holding::kOrphaned;
    case SocketState::kFinWait1:
    case SocketState::kFinWait2:
    case SocketState::kLastAck:
    case SocketState::kClosing:
    case SocketState::kSynSent:
    case SocketState::kClose:
      return Holding::kOrphaned;
    case SocketState::kUnknown:
    case SocketState::kListen:
    case SocketState::kBoundInactive:
      return Holding::kUnknown;
  }
  return Holding::kUnknown;
}

/// Answers whether a socket has turned out to be gone.
bool apply_evidence(std::span<Socket> sockets, std::span<const HoldingEvidence> evidence) {
  std::unordered_map<uint64_t, Holding> found;
  for (const auto& one : evidence) found.emplace(one.inode, one.holding);
  bool vanished = false;
  for (auto& socket : sockets) {
    if (socket.holding != Holding::kUnknown || socket.inode == 0) continue;
    if (const auto at = found.find(socket.inode); at != found.end()) socket.holding = at->second;
    vanished |= socket.holding == Holding::kVanished;
  }
  return vanished;
}

std::vector<Socket> ownerless_of(const Inventory& inventory) {
  std::vector<Socket> out;
  for (const auto& socket : inventory.sockets) {
    if (socket.holding == Holding::kUnknown && socket.inode != 0) out.push_back(socket);
  }
  return out;
}

/// A second look at sockets without a known holder, in a thread of its own as far as there is one:
/// the source goes through all descriptors again, while the caller has other things to do.
class SecondLook {
 public:
  SecondLook(SocketSource& source, std::vector<Socket> ownerless)
      : ownerless_(std::move(ownerless)) {
    if (ownerless_.empty()) return;
    const auto look = [this, &source] { evidence_ = source.look_again(ownerless_, late_); };
    try {
      thread_ = std::thread(look);
    } catch (const std::system_error&) {
      look();
    }
  }
  SecondLook(const SecondLook&) = delete;
  SecondLook& operator=(const SecondLook&) = delete;
  ~SecondLook() { wait(); }

  /// Only the first `count` sockets can be in question.
  base::Result<void> add_to(Inventory& inventory, size_t count) {
    wait();
    if (!evidence_) return std::unexpected(evidence_.error());
    if (ownerless_.empty()) return {};
    const auto sockets = std::span(inventory.sockets).first(count);
    std::vector<bool> used(late_.size());
    const HolderIndex index(late_, used);
    ProcessNumbers numbers(inventory.processes);
    for (auto& socket : sockets) {
      if (socket.holding == Holding::kUnknown && socket.inode != 0) {
        add_owners(inventory, numbers, socket, late_, index, used);
      }
    }
    if (apply_evidence(sockets, *evidence_)) {
      std::erase_if(inventory.sockets,
                    [](const Socket& socket) { return socket.holding == Holding::kVanished; });
    }
    return {};
  }

 private:
  void wait() {
    if (thread_.joinable()) thread_.join();
  }

  const std::vector<Socket> ownerless_;
  base::Result<std::vector<HoldingEvidence>> evidence_;
  std::vector<Holder> late_;
  std::thread thread_;
};

void keep_seen_commands(std::vector<SeenProcess>& seen, std::vector<model::Process>& processes) {
  // By pid and start: a pid may have been used twice within one look.
  const auto identity = [](const auto& one) { return std::pair(one.pid, one.start_time_ns); };
  std::map<std::pair<int32_t, uint64_t>, SeenProcess*> by_identity;
  for (auto& one : seen) by_identity.emplace(identity(one), &one);
  for (auto& process : processes) {
    const auto at = by_identity.find(identity(process));
    if (at != by_identity.end()) process.command = at->second->command;
  }
}

void read_processes(ProcessSource& source, std::span<model::Process> processes) {
  for (auto& process : processes) {
    const int32_t pid = process.pid;
    const uint64_t start_time_ns = process.start_time_ns;
    std::string seen_command = std::move(process.command);
    process = source.read(pid, start_time_ns);
    process.pid = pid;
    if (!process.gone) {
      process.ancestors = source.ancestors(pid);
    } else {
      process.command = std::move(seen_command);
    }
  }
}

/// What the tables only referred to, and which descriptors lead there.
struct HeldRefs {
  std::vector<uint32_t> first_holders;                ///< one for each socket
  std::vector<std::pair<uint32_t, uint32_t>> others;  ///< places in `first_holders`, more holders
  std::vector<ListedRef> unheld;
};

/// Goes through the descriptors in their order, which is kind to the caches.
HeldRefs find_held_refs(RawInventory& raw, ProcessNumbers& numbers, std::vector<bool>& used) {
  HeldRefs found;
  if (raw.listed_refs.empty()) return found;
  if (!raw.ref_index || raw.ref_index->count() != raw.listed_refs.size()) {
    raw.ref_index.emplace(raw.listed_refs);
  }
  RefIndex& index = *raw.ref_index;
  found.first_holders.reserve(raw.listed_refs.size());
  for (uint32_t i = 0; i < raw.holders.size(); ++i) {
    const Holder& holder = raw.holders[i];
    if (i + RefIndex::kAhead < raw.holders.size()) {
      index.prepare(raw.holders[i + RefIndex::kAhead].cookie);
    }
    uint32_t* place = index.find(holder.cookie);
    if (place == nullptr) continue;
    used[i] = true;
    numbers.number_of(holder);
    if (*place != kNone) {
      found.others.emplace_back(*place, i);
      continue;
    }
    *place = static_cast<uint32_t>(found.first_holders.size());
    found.first_holders.push_back(i);
  }
  std::ranges::sort(found.others);
  if (found.first_holders.size() == raw.listed_refs.size()) return found;
  for (const ListedRef& ref : raw.listed_refs) {
    if (*index.find(ref.cookie) == kNone) found.unheld.push_back(ref);
  }
  return found;
}

/// Fills in, from the descriptors, what the tables only referred to.
void add_held_refs(const RawInventory& raw, const HeldRefs& refs, ProcessNumbers& numbers,
                   Inventory& out) {
  const auto own = [&](uint32_t i) {
    const Holder& holder = raw.holders[i];
    out.owners.push_back({numbers.number_of(holder), holder.tid, holder.fd});
  };
  out.sockets.reserve(out.sockets.size() + refs.first_holders.size());
  auto other = refs.others.begin();
  for (uint32_t place = 0; place < refs.first_holders.size(); ++place) {
    const uint32_t first = refs.first_holders[place];
    Socket& socket = out.sockets.emplace_back(raw.held(first));
    socket.first_owner = static_cast<uint32_t>(out.owners.size());
    own(first);
    for (; other != refs.others.end() && other->first == place; ++other) own(other->second);
    sort_owners(out, socket.first_owner);
    socket.owner_count = static_cast<uint32_t>(out.owners.size()) - socket.first_owner;
    socket.holding = Holding::kOwned;
  }
}

/// Sockets in the tables that a descriptor should lead to, and yet none with their cookie was
/// found.
void add_unheld(const RawInventory& raw, const std::vector<ListedRef>& unheld, Inventory& out) {
  if (unheld.empty()) return;
  RawInventory::LookedUp found = raw.look_up(unheld);
  if (found.unread > 0) {
    out.report.complete = false;
    out.report.blind_spots.push_back(
        "Sockets that the kernel lists and that could not be looked "
        "up again, and so are missing here: " +
        std::to_string(found.unread) + " (" + found.why + ").");
  }
  std::ranges::move(found.sockets, std::back_inserter(out.sockets));
}

/// A table and a descriptor may show one socket at different moments, and the table without its
/// inode. Whichever is newer is right: true if the table's row stays as it is.
bool table_is_newer(const Socket& listed) {
  return listed.holding != Holding::kNotAccepted && listed.holding != Holding::kHandshake;
}

/// Rows without an inode, by cookie.
std::unordered_map<uint64_t, size_t> rows_without_inode(const Inventory& inventory) {
  std::unordered_map<uint64_t, size_t> rows;
  for (size_t i = 0; i < inventory.sockets.size(); ++i) {
    const Socket& socket = inventory.sockets[i];
    if (socket.inode == 0 && socket.cookie != 0) rows.emplace(socket.cookie, i);
  }
  return rows;
}

/// What only descriptors show.
void add_unlisted(const RawInventory& raw, const HolderIndex& index, Inventory& out,
                  ProcessNumbers& numbers, std::vector<bool>& used) {
  if (!raw.held || std::ranges::find(used, false) == used.end()) return;
  const auto without_inode = rows_without_inode(out);
  for (size_t i = 0; i < raw.holders.size(); ++i) {
    if (used[i] || raw.holders[i].inode == 0) continue;
    Socket socket = raw.held(i);
    const auto same = without_inode.find(socket.cookie);
    if (same == without_inode.end()) {
      // Where a table was not read, nobody can say that the socket is not in it.
      socket.listed = socket.state == SocketState::kBoundInactive && !raw.bound_listed;
      add_owners(out, numbers, socket, raw.holders, index, used);
      out.sockets.push_back(socket);
    } else if (table_is_newer(out.sockets[same->second])) {
      used[i] = true;  // closed since the descriptor was seen
    } else {
      add_owners(out, numbers, socket, raw.holders, index, used);  // accepted since it was listed
      out.sockets[same->second] = socket;
    }
  }
}

/// The join, in two steps: after the first it is known which sockets have no holder in sight, while
/// nearly all of the others, which cost the most time, are yet to be copied.
class Join {
 public:
  explicit Join(RawInventory raw) : raw_(std::move(raw)), numbers_(out_.processes) {
    out_.sockets = std::move(raw_.listed);
    out_.tcp_details = std::move(raw_.tcp_details);
    out_.namespaces = std::move(raw_.namespaces);
    out_.report = std::move(raw_.report);
    out_.owners.reserve(raw_.holders.size());

    std::vector<bool> used(raw_.holders.size());
    refs_ = find_held_refs(raw_, numbers_, used);
    add_unheld(raw_, refs_.unheld, out_);
    const HolderIndex index(raw_.holders, used);
    for (auto& socket : out_.sockets) {
      if (socket.inode == 0) {
        socket.holding = explain_by_state(socket);
      } else {
        add_owners(out_, numbers_, socket, raw_.holders, index, used);
      }
    }
    add_unlisted(raw_, index, out_, numbers_, used);
    keep_seen_commands(raw_.seen_processes, out_.processes);
  }

  [[nodiscard]] const Inventory& first_step() const { return out_; }

  Inventory finish() {
    add_held_refs(raw_, refs_, numbers_, out_);
    return std::move(out_);
  }

 private:
  RawInventory raw_;
  Inventory out_;
  ProcessNumbers numbers_;
  HeldRefs refs_;
};

}  // namespace

Inventory merge(RawInventory raw) { return Join(std::move(raw)).finish(); }

base::Result<Inventory> take_inventory(SocketSource& sockets, ProcessSource& processes,
                                       const InventoryRequest& request,
                                       const Meanwhile& meanwhile) {
  auto raw = sockets.read(request);
  if (!raw) return std::unexpected(raw.error());
  Join join(std::move(*raw));
  // The others are held, and as our own programs tell of them.
  const size_t in_question = join.first_step().sockets.size();
  SecondLook second(sockets, ownerless_of(join.first_step()));
  Inventory inventory = join.finish();
  read_processes(processes, inventory.processes);
  if (meanwhile) meanwhile(inventory);
  const size_t known = inventory.processes.size();
  if (auto looked = second.add_to(inventory, in_question); !looked) {
    // What was seen stands; only what a second look would have told stays unknown.
    inventory.report.complete = false;
    inventory.report.blind_spots.push_back(
        "Sockets without a known holder could not be looked at "
        "again (" +
        looked.error().message + ").");
  }
  sockets.end_look();
  read_processes(processes, std::span(inventory.processes).subspan(known));
  const size_t left = std::min(in_question, inventory.sockets.size());
  for (auto& socket : std::span(inventory.sockets).first(left)) {
    // Some collectors cannot help reading timers; an answer must not depend on the collector.
    if (!request.tcp_detail) socket.timer = model::TimerKind::kOff;
    if (inventory.report.processes_hidden > 0 && socket.holding == Holding::kUnknown &&
        socket.inode != 0) {
      socket.holding = Holding::kHidden;
    }
  }
  return inventory;
}

}  // namespace ports
