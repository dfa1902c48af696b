// The records that our kernel programs write: bpf/socket_record.h holds their grammar and layout,
// docs/formats/socket-record.md the reasons. Pure functions over bytes; loading the programs and
// reading the streams is host/bpf_sockets.h.
//
// The kernel is on our side, but what wrote the bytes may be another version of ourselves (programs
// can be pinned), so everything that a later function relies on is checked here, once.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "bpf/socket_record.h"
#include "model/socket.h"

namespace format {

/// Takes one record off the front of `bytes`. kCorrupt, and `bytes` and `record` unchanged, when
/// there is less than a whole record or when a field cannot be true.
base::Result<void> take(std::span<const std::byte>& bytes, socket_record& record);

/// One socket of the kernel's tables.
struct TableEntry {
  socket_listing listing{};
  std::optional<socket_facts> facts;
  uint64_t socket = 0;  ///< table_record::socket; 0 without facts
};
base::Result<void> take(std::span<const std::byte>& bytes, TableEntry& entry);

/// How many bytes the record at the front says that it has, at least 1; more than there are where
/// its front is cut off.
size_t size_of_next(std::span<const std::byte> bytes);

// The following take records that passed the check above.

model::Holder holder_of(const socket_record& record);

/// The socket as seen through its descriptor; inode and cookie are those of the record. A TCP
/// socket in state "closed" that has a port is kBoundInactive, as sock_diag calls it, and has no
/// peer.
model::Socket socket_of(uint64_t inode, uint64_t cookie, const socket_facts& facts);

/// Raw bytes up to the first NUL; views the record.
std::string_view command_of(const socket_record& record);

}  // namespace format
