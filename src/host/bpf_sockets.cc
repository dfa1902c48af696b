#include "host/bpf_sockets.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>

#include "base/fd.h"
#include "format/socket_record.h"
#include "host/bpf_support.h"

namespace host {
namespace {

// The kernel hands out at most eight pages at a time; twice that leaves room for a record that a
// short read cut in two.
constexpr size_t kBufferBytes = size_t{64} << 10U;

/// Reads a stream of records, gives each to `use`, and stops at its end or when `use` answers
/// false. The kernel looks for records until it has `read_bytes` of them.
template <class Record, class Use>
base::Result<void> read_stream(int fd_or_error, const char* what, size_t read_bytes, Use use) {
  if (fd_or_error < 0) return base::fail_errno(std::string("open ") + what, -fd_or_error);
  const base::Fd stream(fd_or_error);
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(read_bytes);
  size_t kept = 0;
  for (;;) {
    const ssize_t got = ::read(stream.get(), buffer.get() + kept, read_bytes - kept);
    // EAGAIN: the kernel paused after a million objects of which none was to our taste.
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return base::fail_errno(std::string("read ") + what, errno);
    std::span<const std::byte> rest(buffer.get(), kept + static_cast<size_t>(got));
    Record record;
    while (rest.size() >= sizeof record || (got == 0 && !rest.empty())) {
      if (auto taken = format::take(rest, record); !taken) return taken;
      if (!use(record)) return {};
    }
    if (got == 0) return {};
    kept = rest.size();
    std::memmove(buffer.get(), rest.data(), kept);
  }
}

base::Result<HeldSockets> read_descriptors(int fd_or_error) {
  HeldSockets held;
  const auto read = read_stream<socket_record>(fd_or_error, "the BPF walk of all descriptors",
                                               kBufferBytes, [&](const socket_record& record) {
                                                 held.add(record);
                                                 return true;
                                               });
  if (!read) return std::unexpected(read.error());
  drop_copies(held);
  return held;
}

/// Adds the records of a stream of evidence until all that is wanted was met.
base::Result<void> read_evidence(int fd_or_error, const char* what,
                                 std::unordered_set<uint64_t>& wanted, Evidence& evidence) {
  return read_stream<socket_evidence>(fd_or_error, what, sizeof(socket_evidence),
                                      [&](const socket_evidence& one) {
                                        evidence[one.cookie] = one.flags;
                                        wanted.erase(one.cookie);
                                        return !wanted.empty();
                                      });
}

}  // namespace

void HeldFacts::add(const socket_record& record) {
  if (size_ % kRowsInBlock == 0) {
    blocks_.push_back(std::make_unique_for_overwrite<Row[]>(kRowsInBlock));
  }
  ++size_;
  row(size_ - 1) = {.inode = record.inode, .cookie = record.cookie, .facts = record.facts};
}

model::Socket HeldFacts::socket(size_t i) const {
  return format::socket_of(row(i).inode, row(i).cookie, row(i).facts);
}

void HeldSockets::add(const socket_record& record) {
  holders.push_back(format::holder_of(record));
  facts.add(record);
  const model::Holder& holder = holders.back();
  if (processes.empty() || processes.back().pid != holder.pid ||
      processes.back().start_time_ns != holder.start_time_ns) {
    processes.push_back(
        {holder.pid, holder.start_time_ns, std::string(format::command_of(record))});
  }
}

void drop_copies(HeldSockets& held) {
  std::vector<model::Holder>& holders = held.holders;
  std::vector<int32_t> threaded;  // processes that have a row from a thread that is not the leader
  for (const auto& holder : holders) {
    if (holder.tid != holder.pid) threaded.push_back(holder.pid);
  }
  if (threaded.empty()) return;
  std::ranges::sort(threaded);

  // Rows of those processes, copies side by side, the one to keep first.
  std::vector<uint32_t> rows;
  for (uint32_t i = 0; i < holders.size(); ++i) {
    if (std::ranges::binary_search(threaded, holders[i].pid)) rows.push_back(i);
  }
  const auto identity = [&](uint32_t i) {
    return std::tuple(holders[i].pid, holders[i].fd, holders[i].inode);
  };
  std::ranges::sort(rows, {}, [&](uint32_t i) {
    return std::tuple_cat(identity(i),
                          std::tuple(holders[i].tid != holders[i].pid, holders[i].tid));
  });
  std::vector<bool> is_copy(holders.size());
  for (size_t i = 1; i < rows.size(); ++i) {
    is_copy[rows[i]] = identity(rows[i]) == identity(rows[i - 1]);
  }

  size_t kept = 0;
  for (size_t i = 0; i < holders.size(); ++i) {
    if (is_copy[i]) continue;
    holders[kept] = holders[i];
    held.facts.copy_row(kept, i);
    ++kept;
  }
  holders.resize(kept);
}

base::Result<BpfSockets> BpfSockets::load() {
  sockets_programs* programs = nullptr;
  if (const int result = sockets_load(&programs); result < 0) {
    return std::unexpected(explain_bpf_failure(-result, read_bpf_support()));
  }
  return BpfSockets(programs);
}

base::Result<HeldSockets> BpfSockets::read(const ports::InventoryRequest& request) {
  sockets_narrowing narrowing{};
  narrowing.listeners_only = request.listeners_only;
  narrowing.own_namespace_only = !request.all_namespaces;
  if (request.ports) {
    narrowing.first_port = request.ports->first;
    narrowing.last_port = request.ports->last;
  }
  return read_descriptors(sockets_open(programs_.get(), &narrowing));
}

base::Result<SecondLook> SecondLook::load(std::span<const model::Socket> questions) {
  second_look_programs* programs = nullptr;
  const auto count = static_cast<uint32_t>(std::max<size_t>(questions.size(), 1));
  if (const int result = second_look_load(count, &programs); result < 0) {
    return std::unexpected(explain_bpf_failure(-result, read_bpf_support()));
  }
  SecondLook look(programs);
  for (const auto& socket : questions) {
    if (const int result = second_look_ask(programs, socket.cookie); result < 0) {
      return base::fail_errno("note a socket in question in a BPF map", -result);
    }
  }
  return look;
}

base::Result<void> SecondLook::read_tables(WantedInTables wanted, Evidence& evidence) {
  if (!wanted.tcp.empty()) {
    auto read = read_evidence(second_look_open_tcp(programs_.get()), "the BPF walk of TCP sockets",
                              wanted.tcp, evidence);
    if (!read) return read;
  }
  if (wanted.udp.empty()) return {};
  return read_evidence(second_look_open_udp(programs_.get()), "the BPF walk of UDP sockets",
                       wanted.udp, evidence);
}

base::Result<std::vector<model::Holder>> SecondLook::find_holders(
    std::span<const uint64_t> inodes) {
  for (const uint64_t inode : inodes) {
    if (const int result = second_look_ask_inode(programs_.get(), inode); result < 0) {
      return base::fail_errno("note a socket in question in a BPF map", -result);
    }
  }
  auto held = read_descriptors(second_look_open_descriptors(programs_.get()));
  if (!held) return std::unexpected(held.error());
  std::ranges::sort(held->holders, {}, &model::Holder::inode);
  return std::move(held->holders);
}

}  // namespace host
