// The socket tables of /proc/net: tcp, tcp6, udp, udp6, udplite, udplite6, raw and raw6.
// Pure functions over text; proc(5) and the kernel's net/ipv4/tcp_ipv4.c name the columns.
//
//   table   = header *line
//   header  = blanks "sl" ... newline
//   line    = number ":" local remote state queues timer retransmits uid timeout inode ... newline
//   local   = remote = address ":" 4HEX         a port; of raw sockets the IP protocol number
//   address = 8HEX | 32HEX                      32-bit words of network-order memory, printed as
//                                               numbers of this machine's byte order
//   queues  = 8HEX ":" 8HEX                     send, receive
//   timer   = 2HEX ":" 8HEX                     kind, and 1/100 s until it fires
//   state = 2HEX; retransmits = 8HEX; uid, timeout and inode are decimal
//
// What the files do not tell: cookie, bound interface, v6only, a listener's backlog limit, sockets
// that are bound and neither listen nor are connected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/socket.h"

namespace format {

struct ProcNetContext {
  model::Protocol protocol = model::Protocol::kTcp;
  uint32_t netns = 0;
};

/// Decodes the complete lines at the front of `text`, appends their sockets, and returns how many
/// bytes those lines took; the caller keeps the rest until more has been read. The address family
/// follows from each line. kCorrupt quotes the line that does not follow the grammar; sockets
/// before it stay appended.
base::Result<size_t> decode_proc_net(std::string_view text, const ProcNetContext& context,
                                     std::vector<model::Socket>& sockets);

}  // namespace format
