// Who holds which socket, found without BPF: reads the links of /proc/PID/fd of every process.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/socket.h"
#include "ports/socket_source.h"

namespace host {

/// A set of socket inodes, made once and asked a hundred thousand times. Inode 0 is never in it.
class InodeSet {
 public:
  explicit InodeSet(std::span<const model::Socket> sockets);
  [[nodiscard]] bool contains(uint64_t inode) const;
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  [[nodiscard]] size_t slot_of(uint64_t inode) const;

  std::vector<uint64_t> slots_;  // open addressing, at most half full; 0 = free
  size_t size_ = 0;
};

struct FdWalk {
  std::vector<model::Holder> holders;              ///< descriptors of wanted sockets
  std::vector<ports::SeenProcess> seen_processes;  ///< among them every one with a holder
  uint32_t processes_hidden = 0;  ///< processes whose descriptors could not be read
  bool others_invisible =
      false;  ///< /proc leaves other users' processes out (mount option hidepid)
};

/// Walks the descriptor tables of every process and, where threads do not share the table of their
/// process, of those threads too. Several threads do the work; any thread may call. Processes that
/// end meanwhile are tolerated: what was read of them stays; those that begin meanwhile are walked
/// too. `known` are holders that an earlier walk returned: their descriptors are taken to refer to
/// what they referred to, are not looked at again and not returned. The error is that /proc itself
/// cannot be listed. `proc_path` is "/proc" but in tests.
base::Result<FdWalk> walk_descriptors(const InodeSet& wanted,
                                      std::span<const model::Holder> known = {},
                                      const char* proc_path = "/proc");

}  // namespace host
