// Recorder: turns what the kernel tells (events) and what a look around shows (inventories) into
// rows of the timeline. It joins by socket cookie, decides the owner, and names what was lost. Pure
// but for the process source: time comes in with set_clock(), nothing is written here. One thread.
//
// Attribution, most certain first (model::OwnerProof):
//   kActed      the process bound, connected or listened, or closed the last descriptor
//   kHeld       an inventory saw a descriptor of it
//   kInherited  only the maker of the socket, or of the listener it came through, is known
// A closer counts only where nobody acted before: on an accepted connection the process that closes
// the last descriptor is the one that served it, while the listener's maker may be its parent.
//
// No owner outlives its process: the kernel closes what a process holds right after it ends, so a
// socket that is open a second later was handed on, over fork or to another process. Its row ends
// with the process, and a new one begins, of whoever is found to hold or to close it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/clock_history.h"
#include "model/event.h"
#include "model/inventory.h"
#include "model/recorded_socket.h"
#include "ports/process_source.h"
#include "ports/timeline.h"

namespace ports {

/// One moment on both clocks, sampled together.
struct ClockReading {
  uint64_t boot_ns = 0;  ///< CLOCK_BOOTTIME
  int64_t wall_us = 0;   ///< CLOCK_REALTIME, microseconds since 1970
};

class Recorder {
 public:
  /// `left_open` is what the store still holds as open from an earlier recorder, which
  /// wrote last at `recorded_until_us` (0 = there was none).
  Recorder(ProcessSource& processes, TimelineWriter::Boot boot, ClockReading now,
           LeftOpen left_open, int64_t recorded_until_us);

  /// Once before each round of take(). A step of the wall clock is noticed here: it goes into the
  /// batch, and where it is large it is a gap of kind "clock-set" too.
  void set_clock(ClockReading now);

  void take(const model::Event& event);

  /// An inventory is about to be read: what closes from now on may be in it still.
  void begin_look();
  /// Merges what an inventory shows: sockets we did not know are added as opened before, known ones
  /// get their holders, and those that are gone are closed with `close_unseen`. The order is: take
  /// all events, begin_look(), read the inventory (begun at `begun`), take all events, resync().
  void resync(const model::Inventory& inventory, ClockReading begun);

  /// The source tells of no openings: every batch has a gap "no-bpf" over its time.
  void set_half_blind() { half_blind_since_us_ = now_.wall_us; }

  /// Events of these kinds were lost in that stretch of wall time.
  void lost(const model::LossCounters& more, int64_t from_us, int64_t until_us);
  /// Any other stretch of which the timeline must say that it is not whole.
  void add_gap(std::string kind, int64_t from_us, int64_t until_us, uint64_t lost);

  /// What is new since the last flush, for the store and for watchers. `drained`: all events before
  /// the last set_clock() have been taken; otherwise all before the one before it must have been.
  TimelineBatch flush(bool drained = true);
  /// Gives a batch back that nobody needs any more. The next one will be of about the same size,
  /// and memory that is there costs less than memory that is asked for.
  void reuse(TimelineBatch written);
  /// About how many rows the next flush has.
  [[nodiscard]] size_t waiting_rows() const { return batch_.closed.size() + changed_.size(); }
  /// A socket was handed on, and only a look can tell to whom.
  [[nodiscard]] bool wants_look() const { return heir_unseen_; }

  [[nodiscard]] size_t open_sockets() const { return live_.size(); }
  /// A process by the id that rows carry; nullptr when it is not remembered any more.
  [[nodiscard]] const model::RecordedProcess* process(int64_t id) const;

 private:
  struct Live {
    model::RecordedSocket row;
    bool changed = false;  // since the last flush: then it stands in changed_
    uint64_t opened_ns = 0;
  };
  struct ProcessKey {
    int32_t pid = 0;
    uint64_t start_tick = 0;
    bool operator==(const ProcessKey&) const = default;
  };
  struct ProcessKeyHash {
    size_t operator()(const ProcessKey& key) const;
  };
  struct Known {
    model::RecordedProcess process;
    uint64_t cgroup_id = 0;
    uint64_t parent_start_ns = 0;
    uint64_t used_ns = 0;              // boot time of the last use, for forgetting
    uint64_t exited_ns = 0;            // boot time; 0 = not that we know
    bool stored = false;               // a row refers to it, so the store must have it
    bool changed = false;              // since the last flush
    bool asked = false;                // the process source has been asked
    std::optional<uint32_t> acted_as;  // user of its last act
  };

  static ProcessKey key_of(int32_t pid, uint64_t start_time_ns);
  [[nodiscard]] int64_t wall_of(uint64_t boot_ns) const;
  void open_at(model::RecordedSocket& row, uint64_t boot_ns) const;
  void close_at(model::RecordedSocket& row, uint64_t boot_ns) const;
  Known& known(const ProcessKey& key, uint64_t start_time_ns);
  int64_t owner_id(const model::Actor& actor, bool acts_now);
  int64_t owner_id(const model::Process& process);
  static void become(Known& one, uint32_t uid, std::string user);
  void ask(Known& one);
  void ask_traces(Known& one);
  void forget_processes();

  void take_socket(const model::SocketEvent& event);
  void take_process(const model::ProcessEvent& event);
  void take_reset(const model::ResetEvent& event);
  void open(const model::SocketEvent& event, model::SocketRole role);
  void close(const model::SocketEvent& event);
  void fail_connect(const model::SocketEvent& event);
  void add_instant(const model::SocketEvent& event, model::SocketRole role);
  void name_owner(model::RecordedSocket& row, const model::SocketEvent& event);
  void change(Live& live);
  [[nodiscard]] const Known* known_by_id(int64_t id) const;
  void hand_on(Live& live, uint64_t when_ns, bool unseen);
  void hand_on_to_closer(Live& live, const model::SocketEvent& event);
  void hand_on_of_exited();
  void hand_on_as_seen(Live& live, const model::Inventory& inventory, const model::Socket& socket,
                       uint64_t begun_ns);
  void name_holders(Live& live, const model::Inventory& inventory, const model::Socket& socket);
  [[nodiscard]] model::RecordedSocket row_of(const model::Socket& socket, uint64_t seen_ns,
                                             bool incoming) const;

  ProcessSource& processes_;
  TimelineWriter::Boot boot_;
  ClockReading now_;
  ClockReading before_;
  model::ClockHistory clock_;
  int64_t next_process_id_;
  uint64_t forgot_ns_ = 0;
  std::unordered_map<uint64_t, Live> live_;
  std::vector<uint64_t> changed_;  // cookies; some of them may have closed meanwhile
  // Closed since begin_look(): an inventory that shows one of these is only out of date.
  std::unordered_set<uint64_t> closed_meanwhile_;
  bool looking_ = false;
  // TCP ports on which somebody listened at the last look, by namespace and port.
  std::unordered_set<uint64_t> listened_;
  std::optional<int64_t> half_blind_since_us_;
  // Closed by resync(), with the time of it: the event of the closing may come still, and there
  // must be no second row for it.
  std::unordered_map<uint64_t, uint64_t> found_gone_;
  std::unordered_map<ProcessKey, Known, ProcessKeyHash> known_;
  // Where in known_ those are who acted last: most events are of few processes.
  struct Recent {
    ProcessKey key;
    Known* known = nullptr;
  };
  std::array<Recent, 16> recent_;
  std::unordered_map<int64_t, ProcessKey> keys_by_id_;
  // Owners that ended, until their sockets must be closed.
  std::unordered_map<int64_t, uint64_t> exited_;
  bool heir_unseen_ = false;
  TimelineBatch batch_;
};

}  // namespace ports
