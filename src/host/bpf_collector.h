// BpfCollector: the best of the three collectors. Descriptors are walked by our kernel programs,
// and at the same time the tables; these by sock_diag where only a part of them is wanted, which
// also has what our programs cannot walk.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/bpf_sockets.h"
#include "ports/socket_source.h"

namespace host {

/// `why` tells a person why this collector was taken. The error says why this machine or this
/// caller cannot use BPF, for the report of the collector that is used instead. The source belongs
/// to one thread at a time, and is ready for the `first` request.
base::Result<std::unique_ptr<ports::SocketSource>> make_bpf_collector(
    std::string why, const ports::InventoryRequest& first = {});

/// What the second look saw: the tables, then the descriptors, then the tables once more.
struct SecondLookFindings {
  Evidence before;
  Evidence after;
  std::vector<model::Holder> holders;  ///< of the sockets in question, by now; sorted by inode
  bool sees_every_process = true;      ///< false inside a PID namespace, or if one hides
};

/// A pure function: how one socket in question is held, kUnknown where nothing proves anything. Its
/// namespace's tables were read. A holder that was found says kOwned, and which one is the merge's
/// to decide. Evidence `after` is not needed where `is_settled` answers true.
model::Holding settle(const model::Socket& socket, const SecondLookFindings& findings);
bool is_settled(const model::Socket& socket, const SecondLookFindings& findings);

}  // namespace host
