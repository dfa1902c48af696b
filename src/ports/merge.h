// merge: joins the kernel's sockets with everybody's descriptors, and explains what is left over.
// The one place where a socket gets an owner; pure, but that it may have sockets looked up again.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "model/inventory.h"
#include "ports/process_source.h"
#include "ports/socket_source.h"

namespace ports {

/// Rules, in this order:
/// 1. A descriptor holds a socket when their inodes are equal and not 0, and their cookies do not
///    contradict each other (both known and different). A Multipath TCP socket shares its inode
///    with its TCP subflow under another cookie, so there the inode alone decides.
///    Where the tables only refer to a socket by its cookie, the descriptor with that cookie has
///    the facts; where there is none, the socket is looked up again.
/// 2. A socket seen only through descriptors (its namespace could not be entered, or it is in none
///    of the tables) is added with `listed` false.
/// 3. A socket without inode is explained by its state: time-wait, syn-recv, fin-wait and closing;
///    established or close-wait means not yet accepted.
///    If a descriptor of it was seen after all, the newer of the two is right: a connection that
///    was waiting has been accepted, one that was held has been closed.
/// 4. A socket with an inode and no descriptor stays kUnknown for a second look. What that does not
///    settle is kHidden if some process' descriptors could not be read, else it remains kUnknown.
/// 5. A socket that the second look finds closed is dropped: it is not open now.
/// Owners are sorted by pid, then descriptor; processes are numbered by first appearance and carry
/// only pid, start time and, where the collector saw it, the command.
model::Inventory merge(RawInventory raw);

/// What a caller does in the time that a second look takes, with what is known by then: once, on
/// the calling thread, and also when there is nothing to look at again.
using Meanwhile = std::function<void(const model::Inventory&)>;

/// read + merge + second look + process details. What commands call.
base::Result<model::Inventory> take_inventory(SocketSource& sockets, ProcessSource& processes,
                                              const InventoryRequest& request,
                                              const Meanwhile& meanwhile = {});

}  // namespace ports
