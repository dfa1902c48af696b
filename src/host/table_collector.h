// TableCollector: what the collectors without BPF have in common. The sockets come from the
// kernel's tables, in the one way or the other; their holders come from a walk of /proc/PID/fd;
// neither tells why a socket has no holder.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ports/socket_source.h"

namespace host {

/// Appends the sockets and namespaces of a request, as host/diag_tables.h describes it.
using ReadTables = std::function<base::Result<void>(const ports::InventoryRequest& request,
                                                    ports::RawInventory& into,
                                                    const std::optional<std::vector<uint32_t>>&)>;

class TableCollector final : public ports::SocketSource {
 public:
  /// `report` is what every reading's report begins with: kind, why, and what this way of reading
  /// tables never sees.
  TableCollector(model::CollectorReport report, ReadTables read_tables,
                 std::string proc_path = "/proc");

  base::Result<ports::RawInventory> read(const ports::InventoryRequest& request) override;

  /// Reads the tables of the namespaces in question again, and the descriptors that were not seen
  /// to be sockets the first time. A socket that is in no table any more, or has lost its inode
  /// (the program closed it), is kVanished; one that still is and has no descriptor is kHidden when
  /// some process would not show us its descriptors, else kUnknown: the kernel's own, in flight
  /// between processes and held by io_uring look the same from here.
  base::Result<std::vector<ports::HoldingEvidence>> look_again(
      const std::vector<model::Socket>& ownerless,
      std::vector<model::Holder>& late_holders) override;

 private:
  model::CollectorReport report_;
  ReadTables read_tables_;
  std::string proc_path_;
  std::vector<model::Holder> known_;  // of the last reading
};

}  // namespace host
