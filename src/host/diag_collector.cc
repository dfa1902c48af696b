#include "host/diag_collector.h"

#include <utility>
#include <vector>

#include "host/diag_tables.h"
#include "host/sock_diag_socket.h"
#include "host/table_collector.h"

namespace host {
namespace {

/// Asks for next to nothing, to learn whether we would be answered.
base::Result<void> probe() {
  auto socket = SockDiagSocket::open();
  if (!socket) return std::unexpected(socket.error());
  std::vector<model::Socket> sockets;
  std::vector<model::TcpDetail> details;
  const format::SockDiagRequest request{
      .family = model::Family::kIpv4,
      .states = format::state_bit(model::SocketState::kListen),
      .ports = model::PortRange{1, 1},
  };
  auto answered = socket->dump(request, 0, sockets, details);
  if (answered) return {};
  if (answered.error().kind == base::ErrorKind::kNotFound) {
    return base::fail(base::ErrorKind::kUnsupported, answered.error().message);
  }
  return std::unexpected(answered.error());
}

}  // namespace

base::Result<std::unique_ptr<ports::SocketSource>> make_diag_collector(std::string why) {
  if (auto probed = probe(); !probed) return std::unexpected(probed.error());
  model::CollectorReport report;
  report.kind = model::CollectorKind::kSockDiag;
  report.why = std::move(why);
  report.blind_spots = {
      "Sockets of a network namespace that has neither a name nor a process are not seen.",
      "A socket that no open file leads to may be the kernel's own, in flight between processes or "
      "held by io_uring; without BPF these cannot be told apart.",
      "Whether a TCP socket belongs to a Multipath TCP one is seen only when TCP details are asked "
      "for.",
  };
  const auto read = [](const ports::InventoryRequest& request, ports::RawInventory& into,
                       const std::optional<std::vector<uint32_t>>& only) {
    return read_socket_tables(request, into, only);
  };
  return std::make_unique<TableCollector>(std::move(report), read);
}

}  // namespace host
