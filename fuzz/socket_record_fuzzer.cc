// Records of our BPF programs: whatever is taken is a holder and a socket that cannot be absurd,
// and what is refused leaves everything as it was.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "format/socket_record.h"

namespace {

void take_records(std::span<const std::byte> rest) {
  socket_record record{};
  while (true) {
    const auto before = rest;
    const socket_record unchanged = record;
    if (!format::take(rest, record)) {
      if (rest.data() != before.data() || rest.size() != before.size()) abort();
      if (std::memcmp(&unchanged, &record, sizeof record) != 0) abort();
      return;
    }
    if (before.size() - rest.size() != sizeof record) abort();
    const model::Holder holder = format::holder_of(record);
    if (holder.pid <= 0 || holder.tid <= 0 || holder.fd < 0 || holder.inode == 0) abort();
    const model::Socket socket = format::socket_of(record.inode, record.cookie, record.facts);
    if (socket.inode != holder.inode || socket.mptcp != holder.mptcp) abort();
    if (socket.local.address.family != socket.remote.address.family) abort();
    if (model::state_name(socket.state, socket.protocol).empty()) abort();
    if (model::protocol_name(socket.protocol).empty()) abort();
    if (format::command_of(record).size() > sizeof record.command) abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span all(reinterpret_cast<const std::byte*>(data), size);
  take_records(all);
  std::span<const std::byte> rest = all;
  format::TableEntry entry;
  while (!rest.empty()) {
    const auto before = rest;
    if (!format::take(rest, entry)) {
      if (rest.size() != before.size()) abort();
      break;
    }
    if (before.size() - rest.size() != entry.listing.size) abort();
    if (format::size_of_next(before) != entry.listing.size) abort();
    if (entry.listing.cookie == 0) abort();
    if (!entry.facts && (entry.listing.flags & SOCKET_EVIDENCE_SOCKET) == 0) abort();
    if (!entry.facts) continue;
    const model::Socket socket =
        format::socket_of(entry.listing.inode, entry.listing.cookie, *entry.facts);
    if (model::state_name(socket.state, socket.protocol).empty()) abort();
  }
  return 0;
}
