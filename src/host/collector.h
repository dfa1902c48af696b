// make_collector: the best way to see sockets that this machine and the caller's rights allow.
#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "model/inventory.h"
#include "ports/socket_source.h"

namespace host {

/// With no `kind`, tries BPF, then sock_diag, then /proc, and the source's report says why the
/// better ones were passed over. A `kind` that cannot work here is an error that says why. `first`
/// is what will be asked first, for which it may get ready.
base::Result<std::unique_ptr<ports::SocketSource>> make_collector(
    std::optional<model::CollectorKind> kind = std::nullopt,
    const ports::InventoryRequest& first = {});

}  // namespace host
