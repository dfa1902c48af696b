// Who holds which socket, by our kernel programs: a walk of all descriptors, and walks of the
// kernel's tables, which also show the sockets that nobody holds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "bpf/programs.h"
#include "bpf/socket_record.h"
#include "format/socket_record.h"
#include "model/socket.h"
#include "ports/socket_source.h"

namespace host {

/// What records show of sockets, packed: of a hundred thousand, a handful is ever asked for.
class HeldFacts {
 public:
  void add(const socket_record& record);
  /// The socket of the i-th record that was added.
  [[nodiscard]] model::Socket socket(size_t i) const;
  void copy_row(size_t to, size_t from) { rows_[to] = rows_[from]; }

 private:
  struct Row {
    uint64_t inode;
    uint64_t cookie;
    socket_facts facts;
  };
  std::vector<Row> rows_;
};

/// One pass over all descriptor tables. The i-th holder goes with the i-th facts.
struct HeldSockets {
  std::vector<model::Holder> holders;
  HeldFacts facts;
  std::vector<ports::SeenProcess> processes;
  /// By network namespace: the first of its holders, as ways in.
  std::map<uint32_t, std::vector<model::Holder>> ways_in;

  void add(const socket_record& record);

 private:
  static constexpr size_t kWaysMax = 8;  // rights rarely differ between holders

  uint32_t last_netns_ = 0;
  std::vector<model::Holder>* last_ways_ = nullptr;
};

/// A leader that has exited leaves several threads that report one table between them, and a thread
/// with a table of its own starts with a copy of its leader's: of the rows for one (process,
/// descriptor, inode), the leader's own stays, else the one of the smallest thread.
void drop_copies(HeldSockets& held);

/// One table of a network namespace, record by record.
class TableStream {
 public:
  /// What tables_open_tcp or tables_open_udp answered.
  static base::Result<TableStream> open(int fd_or_error, const char* what);

  /// Hands over what the kernel has ready, false at the end of the table. `use` takes a
  /// format::TableEntry. The kernel looks for records until it has `read_bytes` of them, so whoever
  /// waits for a few asks for no more.
  template <class Use>
  base::Result<bool> read_some(Use use, size_t read_bytes = kReadBytes) {
    auto got = fill(read_bytes);
    if (!got) return std::unexpected(got.error());
    std::span<const std::byte> rest(buffer_.get(), kept_);
    format::TableEntry entry;
    // What claims to be longer than any record is refused, not waited for.
    while (!rest.empty() && (*got == 0 || std::min(format::size_of_next(rest),
                                                   sizeof(table_record)) <= rest.size())) {
      if (auto taken = format::take(rest, entry); !taken) return std::unexpected(taken.error());
      use(entry);
    }
    keep(rest);
    return *got != 0;
  }

 private:
  // The kernel hands out at most eight pages at a time; twice that leaves room for a record that a
  // short read cut in two.
  static constexpr size_t kReadBytes = size_t{32} << 10U;

  TableStream(base::Fd stream, const char* what)
      : stream_(std::move(stream)),
        what_(what),
        buffer_(std::make_unique_for_overwrite<std::byte[]>(2 * kReadBytes)) {}
  base::Result<size_t> fill(size_t read_bytes);
  void keep(std::span<const std::byte> rest);

  base::Fd stream_;
  const char* what_;
  std::unique_ptr<std::byte[]> buffer_;
  size_t kept_ = 0;
};

/// What a table showed of who holds a socket.
struct Seen {
  uint8_t flags = 0;    ///< enum socket_evidence_flags
  uint64_t socket = 0;  ///< table_record::socket
};
using Evidence = std::unordered_map<uint64_t, Seen>;  ///< by cookie

/// Cookies to look for in the tables of one network namespace.
struct WantedInTables {
  std::unordered_set<uint64_t> tcp;
  std::unordered_set<uint64_t> udp;
};

class BpfSockets {
 public:
  /// The error says why this machine or this caller cannot use BPF. The programs for tables are
  /// loaded when they are first needed, or now if `tables` are to be read next.
  static base::Result<BpfSockets> load(bool tables);

  /// From here on, walks come by what the request covers, and nothing is asked for. Tables have the
  /// facts of a socket that some descriptor should lead to only with `facts_always`.
  void narrow_to(const ports::InventoryRequest& request, bool facts_always);
  /// From here on, tables show sockets with these cookies, always with facts; or all sockets, if
  /// that is more than the kernel is to remember. What was asked for since narrow_to() stays.
  base::Result<void> ask_tables(std::span<const uint64_t> cookies);
  /// The same for descriptors, which are asked for by Seen::socket or by inode.
  base::Result<void> ask_descriptors(std::span<const uint64_t> sockets,
                                     std::span<const uint64_t> inodes);

  /// Every descriptor, in any process of our PID namespace, of a socket to come by.
  base::Result<HeldSockets> read_descriptors();

  /// The tables of the calling thread's network namespace; any thread may call, once they are
  /// loaded. TCP's has its listeners first.
  base::Result<void> load_tables();
  [[nodiscard]] base::Result<TableStream> open_tcp() const;
  [[nodiscard]] base::Result<TableStream> open_udp() const;

  /// After ask_tables(): adds what the tables of the calling thread's network namespace tell of
  /// these sockets, and goes no further than the last of them; `sockets` gets the sockets
  /// themselves.
  base::Result<void> find_in_tables(WantedInTables wanted, Evidence& evidence,
                                    std::vector<model::Socket>* sockets) const;

 private:
  struct Free {
    void operator()(descriptor_programs* programs) const { descriptors_free(programs); }
    void operator()(table_programs* programs) const { tables_free(programs); }
  };
  BpfSockets() = default;

  std::unique_ptr<descriptor_programs, Free> descriptors_;
  std::unique_ptr<table_programs, Free> tables_;  // nullptr as long as nobody needs them
  std::unordered_set<uint64_t> asked_tables_;
  std::unordered_set<uint64_t> asked_descriptors_;
};

}  // namespace host
