#include "host/bpf_sockets.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>

#include "base/fd.h"
#include "base/room.h"
#include "format/socket_record.h"
#include "host/bpf_support.h"

namespace host {
namespace {

constexpr size_t kBufferBytes = size_t{64} << 10U;  // as in TableStream

/// Reads once more, over interruptions. 0 at the end.
base::Result<size_t> read_more(int fd, std::byte* into, size_t size, const char* what) {
  for (;;) {
    const ssize_t got = ::read(fd, into, size);
    if (got >= 0) return static_cast<size_t>(got);
    // EAGAIN: the kernel paused after a million objects of which none was to our taste.
    if (errno != EINTR && errno != EAGAIN) {
      return base::fail_errno(std::string("read ") + what, errno);
    }
  }
}

/// Adds to what is asked for, and narrows the walk to that: unless it is more than the kernel is to
/// remember, and then the walk stays as it was.
template <class Ask>
base::Result<void> ask_all(std::span<const uint64_t> keys, std::unordered_set<uint64_t>& asked,
                           narrowing& wanted, Ask ask) {
  for (const uint64_t key : keys) {
    if (asked.contains(key)) continue;
    const int result = ask(key);
    if (result == -E2BIG) return {};
    if (result < 0) return base::fail_errno("note a socket in question in a BPF map", -result);
    asked.insert(key);  // what the kernel does not remember must not count as asked the next time
  }
  wanted.asked_only = true;
  if (asked.empty()) return {};
  const auto [first, last] = std::ranges::minmax(asked);
  wanted.asked_first = first;
  wanted.asked_last = last;
  return {};
}

}  // namespace

void HeldFacts::add(const socket_record& record) {
  base::make_room(rows_);
  rows_.push_back({.inode = record.inode, .cookie = record.cookie, .facts = record.facts});
}

model::Socket HeldFacts::socket(size_t i) const {
  return format::socket_of(rows_[i].inode, rows_[i].cookie, rows_[i].facts);
}

void HeldSockets::add(const socket_record& record) {
  base::make_room(holders);
  holders.push_back(format::holder_of(record));
  facts.add(record);
  const model::Holder& holder = holders.back();
  if (processes.empty() || processes.back().pid != holder.pid ||
      processes.back().start_time_ns != holder.start_time_ns) {
    processes.push_back(
        {holder.pid, holder.start_time_ns, std::string(format::command_of(record))});
  }
  if (last_ways_ == nullptr || last_netns_ != record.facts.netns) {
    last_netns_ = record.facts.netns;
    last_ways_ = &ways_in[last_netns_];
  }
  if (last_ways_->size() < kWaysMax) last_ways_->push_back(holder);
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

base::Result<BpfSockets> BpfSockets::load(bool tables) {
  // Most of a command's time on a machine with few sockets is the kernel's, who checks the
  // programs: it can do so for two at a time.
  BpfSockets sockets;
  base::Result<void> loaded;
  std::thread worker;
  if (tables) {
    try {
      worker = std::thread([&] { loaded = sockets.load_tables(); });
    } catch (const std::system_error&) {
      loaded = sockets.load_tables();
    }
  }
  descriptor_programs* descriptors = nullptr;
  const int result = descriptors_load(&descriptors);
  if (worker.joinable()) worker.join();
  sockets.descriptors_.reset(descriptors);
  if (result < 0) return std::unexpected(explain_bpf_failure(-result, read_bpf_support()));
  if (!loaded) return std::unexpected(loaded.error());
  return sockets;
}

base::Result<void> BpfSockets::load_tables() {
  if (tables_) return {};
  table_programs* tables = nullptr;
  const int result = tables_load(&tables);
  tables_.reset(tables);
  if (result < 0) return std::unexpected(explain_bpf_failure(-result, read_bpf_support()));
  return {};
}

void BpfSockets::narrow_to(const ports::InventoryRequest& request, bool facts_always) {
  for (const uint64_t key : asked_descriptors_) descriptors_ask_no_more(descriptors_.get(), key);
  for (const uint64_t key : asked_tables_) tables_ask_no_more(tables_.get(), key);
  asked_descriptors_.clear();
  asked_tables_.clear();
  narrowing wanted{};
  wanted.listeners_only = request.listeners_only;
  wanted.own_namespace_only = !request.all_namespaces;
  wanted.facts_always = facts_always;
  if (request.ports) {
    wanted.first_port = request.ports->first;
    wanted.last_port = request.ports->last;
  }
  descriptors_narrow(descriptors_.get(), &wanted);
  if (tables_) tables_narrow(tables_.get(), &wanted);
}

base::Result<void> BpfSockets::ask_tables(std::span<const uint64_t> cookies) {
  if (auto loaded = load_tables(); !loaded) return loaded;
  narrowing wanted{};
  wanted.facts_always = true;
  const auto ask = [&](uint64_t cookie) { return tables_ask(tables_.get(), cookie); };
  auto asked = ask_all(cookies, asked_tables_, wanted, ask);
  if (asked) tables_narrow(tables_.get(), &wanted);
  return asked;
}

base::Result<void> BpfSockets::ask_descriptors(std::span<const uint64_t> sockets,
                                               std::span<const uint64_t> inodes) {
  narrowing wanted{};
  wanted.some_by_inode = !inodes.empty();
  std::vector<uint64_t> keys(sockets.begin(), sockets.end());
  for (const uint64_t inode : inodes) keys.push_back(descriptors_key_of_inode(inode));
  const auto ask = [&](uint64_t key) { return descriptors_ask(descriptors_.get(), key); };
  auto asked = ask_all(keys, asked_descriptors_, wanted, ask);
  if (asked) descriptors_narrow(descriptors_.get(), &wanted);
  return asked;
}

base::Result<HeldSockets> BpfSockets::read_descriptors() {
  constexpr const char* kWhat = "the BPF walk of all descriptors";
  const int fd_or_error = descriptors_open(descriptors_.get());
  if (fd_or_error < 0) return base::fail_errno(std::string("open ") + kWhat, -fd_or_error);
  const base::Fd stream(fd_or_error);
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kBufferBytes);
  HeldSockets held;
  socket_record record;
  size_t kept = 0;
  for (;;) {
    const auto got = read_more(stream.get(), buffer.get() + kept, kBufferBytes / 2, kWhat);
    if (!got) return std::unexpected(got.error());
    std::span<const std::byte> rest(buffer.get(), kept + *got);
    while (rest.size() >= sizeof record || (*got == 0 && !rest.empty())) {
      if (auto taken = format::take(rest, record); !taken) return std::unexpected(taken.error());
      held.add(record);
    }
    if (*got == 0) break;
    kept = rest.size();
    std::memmove(buffer.get(), rest.data(), kept);
  }
  drop_copies(held);
  return held;
}

base::Result<TableStream> TableStream::open(int fd_or_error, const char* what) {
  if (fd_or_error < 0) return base::fail_errno(std::string("open ") + what, -fd_or_error);
  return TableStream(base::Fd(fd_or_error), what);
}

base::Result<size_t> TableStream::fill(size_t read_bytes) {
  const size_t size = std::min({read_bytes, kReadBytes, 2 * kReadBytes - kept_});
  auto got = read_more(stream_.get(), buffer_.get() + kept_, size, what_);
  if (got) kept_ += *got;
  return got;
}

void TableStream::keep(std::span<const std::byte> rest) {
  kept_ = rest.size();
  std::memmove(buffer_.get(), rest.data(), kept_);
}

base::Result<TableStream> BpfSockets::open_tcp() const {
  return TableStream::open(tables_open_tcp(tables_.get()), "the BPF walk of TCP sockets");
}

base::Result<TableStream> BpfSockets::open_udp() const {
  return TableStream::open(tables_open_udp(tables_.get()), "the BPF walk of UDP sockets");
}

base::Result<void> BpfSockets::find_in_tables(WantedInTables wanted, Evidence& evidence,
                                              std::vector<model::Socket>* sockets) const {
  const auto find = [&](base::Result<TableStream> stream,
                        std::unordered_set<uint64_t>& missing) -> base::Result<void> {
    if (!stream) return std::unexpected(stream.error());
    const auto note = [&](const format::TableEntry& entry) {
      if (missing.erase(entry.listing.cookie) == 0) return;
      evidence[entry.listing.cookie] = {.flags = entry.listing.flags, .socket = entry.socket};
      if (sockets != nullptr && entry.facts) {
        sockets->push_back(
            format::socket_of(entry.listing.inode, entry.listing.cookie, *entry.facts));
      }
    };
    while (!missing.empty()) {
      // No more than can be wanted, so that the walk may end early; but many at a time.
      const auto more = stream->read_some(note, missing.size() * sizeof(table_record));
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
    }
    return {};
  };
  if (!wanted.tcp.empty()) {
    if (auto found = find(open_tcp(), wanted.tcp); !found) return found;
  }
  if (wanted.udp.empty()) return {};
  return find(open_udp(), wanted.udp);
}

}  // namespace host
