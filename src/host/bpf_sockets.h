// Who holds which socket, by our kernel programs: BpfSockets is the first look at all of them,
// SecondLook asks about the few that nobody seems to hold. Each belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "bpf/programs.h"
#include "bpf/socket_record.h"
#include "model/socket.h"
#include "ports/socket_source.h"

namespace host {

/// What records show of sockets, packed: of a hundred thousand, a handful is ever asked for.
class HeldFacts {
 public:
  void add(const socket_record& record);
  /// The socket of the i-th record that was added.
  [[nodiscard]] model::Socket socket(size_t i) const;
  [[nodiscard]] uint32_t netns(size_t i) const { return row(i).facts.netns; }
  void copy_row(size_t to, size_t from) { row(to) = row(from); }

 private:
  struct Row {
    uint64_t inode;
    uint64_t cookie;
    socket_facts facts;
  };
  // Blocks, so that growing never copies.
  static constexpr size_t kRowsInBlock = 1024;
  [[nodiscard]] const Row& row(size_t i) const {
    return blocks_[i / kRowsInBlock][i % kRowsInBlock];
  }
  [[nodiscard]] Row& row(size_t i) { return blocks_[i / kRowsInBlock][i % kRowsInBlock]; }

  std::vector<std::unique_ptr<Row[]>> blocks_;
  size_t size_ = 0;
};

/// One pass over all descriptor tables. The i-th holder goes with the i-th facts.
struct HeldSockets {
  std::vector<model::Holder> holders;
  HeldFacts facts;
  std::vector<ports::SeenProcess> processes;

  void add(const socket_record& record);
};

/// A leader that has exited leaves several threads that report one table between them, and a thread
/// with a table of its own starts with a copy of its leader's: of the rows for one (process,
/// descriptor, inode), the leader's own stays, else the one of the smallest thread.
void drop_copies(HeldSockets& held);

class BpfSockets {
 public:
  /// The error says why this machine or this caller cannot use BPF.
  static base::Result<BpfSockets> load();

  /// Every descriptor, in any process of our PID namespace, of a socket that the request covers.
  base::Result<HeldSockets> read(const ports::InventoryRequest& request);

 private:
  struct Free {
    void operator()(sockets_programs* programs) const { sockets_free(programs); }
  };
  explicit BpfSockets(sockets_programs* programs) : programs_(programs) {}
  std::unique_ptr<sockets_programs, Free> programs_;
};

/// Flags of enum socket_evidence_flags by cookie, of the sockets in question that were found.
using Evidence = std::unordered_map<uint64_t, uint8_t>;

/// Cookies to look for in the tables of one network namespace.
struct WantedInTables {
  std::unordered_set<uint64_t> tcp;
  std::unordered_set<uint64_t> udp;
};

class SecondLook {
 public:
  static base::Result<SecondLook> load(std::span<const model::Socket> questions);

  /// Adds what the tables of the calling thread's network namespace tell of these sockets, and
  /// goes no further than the last of them.
  base::Result<void> read_tables(WantedInTables wanted, Evidence& evidence);

  /// Descriptors, of any process, for every socket that the tables showed so far and for these
  /// inodes; sorted by inode.
  base::Result<std::vector<model::Holder>> find_holders(std::span<const uint64_t> inodes);

 private:
  struct Free {
    void operator()(second_look_programs* programs) const { second_look_free(programs); }
  };
  explicit SecondLook(second_look_programs* programs) : programs_(programs) {}
  std::unique_ptr<second_look_programs, Free> programs_;
};

}  // namespace host
