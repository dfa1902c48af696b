#include "host/diag_tables.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <unordered_set>
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
              TablePart& part, SockDiagSocket socket)
      : request_(request), netns_(netns), lacks_(lacks), part_(part), socket_(std::move(socket)) {}

  base::Result<void> read() {
    if (auto tcp = read_tcp(); !tcp) return tcp;
    if (auto udp = read_else_proc(Protocol::kUdp, lacks_.udp); !udp) return udp;
    return read_lite_and_raw();
  }

  base::Result<void> read_tcp() {
    // TCP has one table for both families. The old request type goes through it once; the new one
    // must name a family and so needs two walks, the second for nothing.
    const size_t first = part_.listed.size();
    auto read = dump(make_request(Protocol::kTcp));
    if (!read && read.error().kind == base::ErrorKind::kPermission) {
      read = read_both_families(Protocol::kTcp);
    }
    drop_outdated(part_.listed, first);
    return read;
  }

  base::Result<void> read_lite_and_raw() {
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
    const auto consistent = socket_.dump(request, netns_, part_.listed, part_.tcp_details);
    if (!consistent) return std::unexpected(consistent.error());
    if (!*consistent) part_.interrupted = true;
    return {};
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
  SockDiagSocket socket_;
};

/// The function lives shorter than the request.
TableFunction make_reader(const ports::InventoryRequest& request,
                          base::Result<void> (TableReader::*read)()) {
  return
      [&request, read, lacks = std::make_shared<KernelLacks>()](uint32_t netns, TablePart& part) {
        auto socket = SockDiagSocket::open();
        if (!socket) return base::Result<void>(std::unexpected(socket.error()));
        TableReader reader(request, netns, *lacks, part, std::move(*socket));
        return (reader.*read)();
      };
}

}  // namespace

void drop_outdated(std::vector<model::Socket>& sockets, size_t first) {
  const auto is_bound = [](const model::Socket& socket) {
    return socket.state == SocketState::kBoundInactive;
  };
  const auto begin = sockets.begin() + static_cast<std::ptrdiff_t>(first);
  std::unordered_set<uint64_t> bound;
  for (auto at = begin; at != sockets.end(); ++at) {
    if (is_bound(*at)) bound.insert(at->cookie);
  }
  if (bound.empty()) return;
  std::unordered_set<uint64_t> outdated;
  for (auto at = begin; at != sockets.end(); ++at) {
    if (!is_bound(*at) && bound.contains(at->cookie)) outdated.insert(at->cookie);
  }
  if (outdated.empty()) return;
  sockets.erase(std::remove_if(begin, sockets.end(),
                               [&](const model::Socket& socket) {
                                 return is_bound(socket) && outdated.contains(socket.cookie);
                               }),
                sockets.end());
}

TableFunction diag_reader(const ports::InventoryRequest& request) {
  return make_reader(request, &TableReader::read);
}

TableFunction rest_reader(const ports::InventoryRequest& request) {
  return make_reader(request, &TableReader::read_lite_and_raw);
}

base::Result<std::vector<model::Socket>> read_tcp_listeners(std::optional<model::PortRange> ports,
                                                            uint32_t netns) {
  ports::InventoryRequest request;
  request.ports = ports;
  request.listeners_only = true;
  auto socket = SockDiagSocket::open();
  if (!socket) return std::unexpected(socket.error());
  KernelLacks lacks;
  TablePart part;
  auto read = TableReader(request, netns, lacks, part, std::move(*socket)).read_tcp();
  if (!read) return std::unexpected(read.error());
  return std::move(part.listed);
}

base::Result<void> read_socket_tables(const ports::InventoryRequest& request,
                                      ports::RawInventory& into,
                                      const std::optional<std::vector<uint32_t>>& only) {
  return read_each_namespace(request.all_namespaces, diag_reader(request), into, only);
}

}  // namespace host
