#include "host/diag_tables.h"

#include <atomic>
#include <memory>
#include <utility>

#include "host/namespace_tables.h"
#include "host/proc_tables.h"
#include "host/sock_diag_socket.h"

namespace host {
namespace {

using model::Family;
using model::Protocol;
using model::SocketState;

/// What the kernel turned out not to list. Asking again would be slow: each time, the kernel may
/// start modprobe in search of a module. Shared by the workers of one reading.
struct KernelLacks {
  std::atomic<bool> udp = false;
  std::atomic<bool> udplite = false;
  std::atomic<bool> raw = false;
};

/// Reads every table of the network namespace in which the calling thread is.
class TableReader {
 public:
  TableReader(const ports::InventoryRequest& request, uint32_t netns, KernelLacks& lacks,
              TablePart& part)
      : request_(request), netns_(netns), lacks_(lacks), part_(part) {}

  base::Result<void> read() {
    auto socket = SockDiagSocket::open();
    if (!socket) return std::unexpected(socket.error());
    socket_ = &*socket;
    if (auto tcp = read_tcp(); !tcp) return tcp;
    if (auto udp = read_else_proc(Protocol::kUdp, lacks_.udp); !udp) return udp;
    if (auto lite = read_else_proc(Protocol::kUdpLite, lacks_.udplite); !lite) return lite;
    // The "port" of a raw socket is a protocol number: never an answer to a question about ports.
    if (request_.ports) return {};
    return read_else_proc(Protocol::kRaw, lacks_.raw);
  }

 private:
  [[nodiscard]] format::SockDiagRequest make_request(Protocol protocol) const {
    format::SockDiagRequest request;
    request.protocol = protocol;
    request.tcp_detail = request_.tcp_detail && protocol == Protocol::kTcp;
    request.ports = request_.ports;
    if (request_.listeners_only && protocol != Protocol::kRaw) {
      request.states = format::state_bit(protocol == Protocol::kTcp ? SocketState::kListen
                                                                    : SocketState::kClose);
    }
    return request;
  }

  base::Result<void> dump(const format::SockDiagRequest& request) {
    const auto consistent = socket_->dump(request, netns_, part_.listed, part_.tcp_details);
    if (!consistent) return std::unexpected(consistent.error());
    if (!*consistent) part_.interrupted = true;
    return {};
  }

  base::Result<void> read_tcp() {
    // TCP has one table for both families. The old request type goes through it once; the new one
    // must name a family and so needs two walks, the second for nothing.
    auto both = dump(make_request(Protocol::kTcp));
    if (both || both.error().kind == base::ErrorKind::kPermission) return both;
    return read_both_families(Protocol::kTcp);
  }

  base::Result<void> read_both_families(Protocol protocol) {
    format::SockDiagRequest request = make_request(protocol);
    request.family = Family::kIpv4;
    if (auto read = dump(request); !read) return missing_diag(read.error());
    request.family = Family::kIpv6;
    auto read = dump(request);
    // A kernel without IPv6 has no such table.
    if (!read && read.error().kind == base::ErrorKind::kNotFound) return {};
    return read;
  }

  base::Result<void> read_else_proc(Protocol protocol, std::atomic<bool>& lacks) {
    if (!lacks) {
      auto read = read_both_families(protocol);
      if (read || read.error().kind != base::ErrorKind::kUnsupported) return read;
      lacks = true;
    }
    return read_proc_table(protocol, netns_, part_.listed);
  }

  /// The kernel says "no such file" where it has no sock_diag for the protocol.
  static base::Result<void> missing_diag(const base::Error& error) {
    const bool missing = error.kind == base::ErrorKind::kNotFound;
    return base::fail(missing ? base::ErrorKind::kUnsupported : error.kind, error.message);
  }

  const ports::InventoryRequest& request_;
  uint32_t netns_;
  KernelLacks& lacks_;
  TablePart& part_;
  SockDiagSocket* socket_ = nullptr;
};

/// The function lives shorter than the request.
TableFunction diag_reader(const ports::InventoryRequest& request) {
  return [&request, lacks = std::make_shared<KernelLacks>()](uint32_t netns, TablePart& part) {
    return TableReader(request, netns, *lacks, part).read();
  };
}

}  // namespace

base::Result<void> read_socket_tables(const ports::InventoryRequest& request,
                                      ports::RawInventory& into,
                                      const std::optional<std::vector<uint32_t>>& only) {
  return read_each_namespace(request.all_namespaces, diag_reader(request), into, only);
}

base::Result<void> read_socket_tables_of(int netns_fd, const std::string& name,
                                         const ports::InventoryRequest& request,
                                         ports::RawInventory& into) {
  return read_one_namespace(netns_fd, name, diag_reader(request), into);
}

}  // namespace host
