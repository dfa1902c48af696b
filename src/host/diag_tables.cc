#include "host/diag_tables.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "host/net_namespaces.h"
#include "host/port_policy.h"
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
  std::atomic<bool> udplite = false;
  std::atomic<bool> raw = false;
};

/// What one thread has read.
struct Part {
  std::vector<model::Socket> listed;
  std::vector<model::TcpDetail> tcp_details;
  bool interrupted = false;
};

/// Reads every table of the network namespace in which the calling thread is.
class TableReader {
 public:
  TableReader(const ports::InventoryRequest& request, uint32_t netns, KernelLacks& lacks,
              Part& part)
      : request_(request), netns_(netns), lacks_(lacks), part_(part) {}

  base::Result<void> read() {
    auto socket = SockDiagSocket::open();
    if (!socket) return std::unexpected(socket.error());
    socket_ = &*socket;
    if (auto tcp = read_tcp(); !tcp) return tcp;
    if (auto udp = read_both_families(Protocol::kUdp); !udp) return udp;
    if (auto lite = read_optional(Protocol::kUdpLite, lacks_.udplite); !lite) return lite;
    // The "port" of a raw socket is a protocol number: never an answer to a question about ports.
    if (request_.ports) return {};
    if (auto raw = read_optional(Protocol::kRaw, lacks_.raw); !raw) return raw;
    if (!lacks_.raw) return {};
    return read_raw_from_proc(netns_, part_.listed);
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

  base::Result<void> read_optional(Protocol protocol, std::atomic<bool>& lacks) {
    if (lacks) return {};
    auto read = read_both_families(protocol);
    if (!read && read.error().kind == base::ErrorKind::kUnsupported) {
      lacks = true;
      return {};
    }
    return read;
  }

  /// The kernel says "no such file" where it has no sock_diag for the protocol.
  static base::Result<void> missing_diag(const base::Error& error) {
    const bool missing = error.kind == base::ErrorKind::kNotFound;
    return base::fail(missing ? base::ErrorKind::kUnsupported : error.kind, error.message);
  }

  const ports::InventoryRequest& request_;
  uint32_t netns_;
  KernelLacks& lacks_;
  Part& part_;
  SockDiagSocket* socket_ = nullptr;
};

/// All or nothing: half a table would be taken for the whole.
base::Result<void> read_here(const ports::InventoryRequest& request, KernelLacks& lacks, Part& part,
                             model::NetNamespace& space) {
  const size_t socket_count = part.listed.size();
  const size_t detail_count = part.tcp_details.size();
  space.policy = read_port_policy();
  auto read = TableReader(request, space.inode, lacks, part).read();
  space.tables_read = read.has_value();
  if (!read) {
    part.listed.resize(socket_count);
    part.tcp_details.resize(detail_count);
  }
  return read;
}

base::Result<void> read_there(const NamespaceRef& ref, const ports::InventoryRequest& request,
                              KernelLacks& lacks, Part& part, model::NetNamespace& space) {
  const auto fd = open_net_namespace(ref);
  if (!fd) return std::unexpected(fd.error());
  if (auto entered = enter_net_namespace(fd->get()); !entered) return entered;
  return read_here(request, lacks, part, space);
}

model::NetNamespace describe(const NamespaceRef& ref) {
  model::NetNamespace space;
  space.inode = ref.inode;
  space.name = ref.name;
  space.sample_pid = ref.pids.empty() ? 0 : ref.pids.front();
  space.own = ref.own;
  return space;
}

void note_failure(const base::Error& error, model::NetNamespace& space) {
  space.tables_read = false;
  space.why = error.message;
}

/// Appends the part and moves its references to details behind those that are there already.
void append(Part&& part, ports::RawInventory& into) {
  const auto offset = static_cast<int32_t>(into.tcp_details.size());
  into.tcp_details.insert(into.tcp_details.end(), part.tcp_details.begin(), part.tcp_details.end());
  if (offset > 0) {
    for (auto& socket : part.listed) {
      if (socket.detail >= 0) socket.detail += offset;
    }
  }
  if (into.listed.empty()) {
    into.listed = std::move(part.listed);
  } else {
    into.listed.insert(into.listed.end(), part.listed.begin(), part.listed.end());
  }
  if (part.interrupted) {
    into.report.complete = false;
    into.report.blind_spots.emplace_back(
        "The socket tables changed during every attempt to read them; sockets may be missing or "
        "listed twice.");
  }
}

/// Reads namespaces other than our own with a few threads, each of which wanders from one to the
/// next and ends in the last.
class ForeignReader {
 public:
  ForeignReader(std::span<const NamespaceRef> refs, const ports::InventoryRequest& request,
                KernelLacks& lacks)
      : refs_(refs), request_(request), lacks_(lacks) {
    for (const auto& ref : refs) spaces_.push_back(describe(ref));
  }

  void start() {
    const size_t count =
        std::min<size_t>(refs_.size(), std::clamp(std::thread::hardware_concurrency(), 1U, 4U));
    parts_.resize(count);
    threads_.reserve(count);
    try {
      for (size_t i = 0; i < count; ++i) {
        threads_.emplace_back([this, i] { work(parts_[i]); });
      }
    } catch (const std::system_error&) {
      // Threads that did start take the whole work; without any, `finish` says so.
    }
  }

  void finish(ports::RawInventory& into) {
    for (auto& thread : threads_) thread.join();
    for (size_t i = next_; i < refs_.size(); ++i) {
      spaces_[i].why = "no thread could be started to enter it; try again on a less busy machine";
    }
    for (auto& part : parts_) append(std::move(part), into);
    for (auto& space : spaces_) into.namespaces.push_back(std::move(space));
  }

 private:
  void work(Part& part) {
    for (;;) {
      const size_t i = next_.fetch_add(1);
      if (i >= refs_.size()) return;
      if (auto read = read_there(refs_[i], request_, lacks_, part, spaces_[i]); !read) {
        note_failure(read.error(), spaces_[i]);
      }
    }
  }

  std::span<const NamespaceRef> refs_;
  const ports::InventoryRequest& request_;
  KernelLacks& lacks_;
  std::vector<model::NetNamespace> spaces_;
  std::vector<Part> parts_;
  std::atomic<size_t> next_ = 0;
  std::vector<std::thread> threads_;
};

void report_unread(uint32_t processes_hidden, ports::RawInventory& into) {
  const auto unread = std::ranges::count(into.namespaces, false, &model::NetNamespace::tables_read);
  if (unread > 0) {
    into.report.complete = false;
    into.report.blind_spots.push_back(std::to_string(unread) +
                                      " network namespaces could not be entered; their sockets are "
                                      "not listed.");
  }
  if (processes_hidden > 0) {
    into.report.complete = false;
    into.report.blind_spots.push_back(
        "The network namespaces of " + std::to_string(processes_hidden) +
        " processes may not be looked at; sockets of namespaces in which only they live are not "
        "listed (run as root).");
  }
}

}  // namespace

base::Result<void> read_socket_tables(const ports::InventoryRequest& request,
                                      ports::RawInventory& into) {
  NamespaceList list;
  if (request.all_namespaces) {
    auto found = find_net_namespaces();
    if (!found) return std::unexpected(found.error());
    list = std::move(*found);
  } else {
    auto own = own_net_namespace();
    if (!own) return std::unexpected(own.error());
    list.namespaces.push_back(std::move(*own));
  }
  KernelLacks lacks;
  ForeignReader foreign(std::span(list.namespaces).subspan(1), request, lacks);
  foreign.start();
  Part part;
  model::NetNamespace own = describe(list.namespaces.front());
  const auto read = read_here(request, lacks, part, own);
  if (read) {
    append(std::move(part), into);
    into.namespaces.push_back(std::move(own));
  }
  foreign.finish(into);
  if (!read) return std::unexpected(read.error());
  report_unread(list.processes_hidden, into);
  return {};
}

base::Result<void> read_socket_tables_of(int netns_fd, const std::string& name,
                                         const ports::InventoryRequest& request,
                                         ports::RawInventory& into) {
  const auto inode = net_namespace_inode(netns_fd);
  if (!inode) return std::unexpected(inode.error());
  NamespaceRef ref;
  ref.inode = *inode;
  ref.name = name;
  KernelLacks lacks;
  Part part;
  model::NetNamespace space = describe(ref);
  const auto read =
      run_in_net_namespace(netns_fd, [&] { return read_here(request, lacks, part, space); });
  if (!read) note_failure(read.error(), space);
  append(std::move(part), into);
  into.namespaces.push_back(std::move(space));
  if (!read) {
    into.report.complete = false;
    into.report.blind_spots.push_back("Network namespace " + std::to_string(*inode) +
                                      " could not be read: " + read.error().message + ".");
  }
  return {};
}

}  // namespace host
