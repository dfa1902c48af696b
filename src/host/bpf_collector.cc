#include "host/bpf_collector.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/fd.h"
#include "base/room.h"
#include "format/socket_record.h"
#include "host/diag_tables.h"
#include "host/namespace_tables.h"
#include "host/net_namespaces.h"
#include "host/pid_namespace.h"

namespace host {
namespace {

using model::Holding;
using model::Protocol;
using model::Socket;

// Namespaces kept open between the two looks because only a descriptor leads to them.
constexpr size_t kReachedMax = 64;

// How long a list of namespaces is taken to be true.
constexpr std::chrono::seconds kNamespacesKeep{1};

/// The network namespace of a socket of another process: through a copy of its descriptor.
base::Result<base::Fd> open_namespace_of(const model::Holder& holder) {
  const std::string tried = "reach it through descriptor " + std::to_string(holder.fd) +
                            " of process " + std::to_string(holder.pid);
  // A thread with a descriptor table of its own is asked itself, which takes Linux 6.9.
  const unsigned flags = holder.tid == holder.pid ? 0 : O_EXCL;
  const base::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, holder.tid, flags)));
  if (!process.valid()) return base::fail_errno(tried, errno);
  const base::Fd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), holder.fd, 0)));
  if (!socket.valid()) return base::fail_errno(tried, errno);
  struct stat status{};
  if (::fstat(socket.get(), &status) != 0 || status.st_ino != holder.inode) {
    return base::fail(base::ErrorKind::kNotFound, tried + ": it has been closed since");
  }
  base::Fd space(::ioctl(socket.get(), SIOCGSKNS));
  if (!space.valid()) return base::fail_errno(tried, errno);
  return space;
}

/// Whether the kernel's walks of its tables come by such a socket. They have none of raw and
/// UDP-Lite sockets, and leave out TCP sockets that are only bound.
bool is_walked(const Socket& socket) {
  return socket.protocol == Protocol::kUdp ||
         (socket.protocol == Protocol::kTcp && socket.state != model::SocketState::kBoundInactive);
}

bool is_kernels_own(uint8_t flags) {
  // The kernel itself makes the subflows of a program's Multipath TCP socket; before Linux 6.6 each
  // was a socket without a file. So they prove nothing.
  if ((flags & SOCKET_EVIDENCE_MPTCP) != 0 || (flags & SOCKET_EVIDENCE_SOCKET) == 0) return false;
  // Some of its own sockets the kernel gives a file (NFS does), but never without the mark.
  return (flags & SOCKET_EVIDENCE_FILE) == 0 || (flags & SOCKET_EVIDENCE_KERNEL) != 0;
}

std::optional<uint8_t> flags_of(const Evidence& evidence, const Socket& socket) {
  const auto found = evidence.find(socket.cookie);
  return found == evidence.end() ? std::nullopt : std::optional(found->second.flags);
}

bool has_holder(const std::vector<model::Holder>& holders, const Socket& socket) {
  return std::ranges::any_of(
      std::ranges::equal_range(holders, socket.inode, {}, &model::Holder::inode),
      [&](const model::Holder& holder) {
        return holder.mptcp || socket.cookie == 0 || holder.cookie == socket.cookie;
      });
}

/// Whether our programs' walk of the tables is the quickest way to what is wanted: everything, and
/// no more of it than whether somebody holds it. Of a part, the kernel's own filter makes shorter
/// work, and sock_diag lists those too that are only bound, a search that takes as long as all else
/// together: it is made where somebody may be in want of a port that seems free.
bool is_for_walk(const ports::InventoryRequest& request) {
  return !request.tcp_detail && !request.ports && !request.listeners_only;
}

/// Whether the tables are searched for TCP sockets that are bound and nothing more.
bool lists_bound(const ports::InventoryRequest& request) {
  return !is_for_walk(request) && !request.listeners_only;
}

using WantedByNamespace = std::map<uint32_t, WantedInTables>;

template <class ListedOrRef>
void want(const ListedOrRef& socket, WantedByNamespace& wanted) {
  auto& in = wanted[socket.netns];
  (socket.protocol == Protocol::kUdp ? in.udp : in.tcp).insert(socket.cookie);
}

class BpfCollector final : public ports::SocketSource {
 public:
  BpfCollector(BpfSockets programs, base::Result<NamespaceList> namespaces, std::string why)
      : programs_(std::move(programs)), why_(std::move(why)), namespaces_(std::move(namespaces)) {}

  base::Result<ports::RawInventory> read(const ports::InventoryRequest& request) override;
  base::Result<std::vector<ports::HoldingEvidence>> look_again(
      const std::vector<Socket>& ownerless, std::vector<model::Holder>& late_holders) override;
  void end_look() override;

 private:
  void describe(model::CollectorReport& report, const ports::InventoryRequest& request) const;
  const base::Result<NamespaceList>& namespaces();
  base::Result<void> read_both(const ports::InventoryRequest& request, ports::RawInventory& raw,
                               base::Result<HeldSockets>& held);
  void add_entry(const format::TableEntry& entry, uint32_t netns, Protocol protocol,
                 TablePart& part);
  base::Result<void> read_whole(base::Result<TableStream> stream, uint32_t netns, Protocol protocol,
                                TablePart& part);
  [[nodiscard]] TableFunction whole_reader(const ports::InventoryRequest& request);
  void read_hidden_namespaces(const HeldSockets& held, const ports::InventoryRequest& request,
                              ports::RawInventory& raw);
  base::Result<base::Fd> open_namespace(uint32_t netns);
  base::Result<void> run_in(uint32_t netns, const std::function<base::Result<void>()>& work);
  ports::RawInventory::LookedUp look_up(const std::vector<ports::ListedRef>& refs);
  base::Result<std::set<uint32_t>> find_in_tables(const WantedByNamespace& wanted,
                                                  Evidence& evidence, std::vector<Socket>* sockets,
                                                  std::string* why);
  base::Result<void> find_late_holders(const std::vector<Socket>& ownerless,
                                       SecondLookFindings& findings);
  void find_listeners(const std::vector<Socket>& questions, SecondLookFindings& findings);
  bool sees_every_process();

  BpfSockets programs_;
  std::string why_;
  bool in_first_pid_namespace_ = is_in_initial_pid_namespace();
  base::Result<NamespaceList> namespaces_;
  std::chrono::steady_clock::time_point namespaces_found_ = std::chrono::steady_clock::now();
  std::map<uint32_t, base::Fd> reached_;
  std::mutex seen_mutex_;
  Evidence seen_;  // what the tables that were read last showed of sockets that came with facts
};

void BpfCollector::describe(model::CollectorReport& report,
                            const ports::InventoryRequest& request) const {
  report.kind = model::CollectorKind::kBpf;
  report.why = why_;
  report.blind_spots.emplace_back(
      "Who holds a socket that is in flight between processes or registered with io_uring cannot "
      "be told, only that somebody does.");
  if (!lists_bound(request)) {
    report.blind_spots.emplace_back(
        "A TCP socket that is only bound, and held by nobody in sight, is listed only when its "
        "port is asked for.");
  }
  report.outsiders_unseen = !in_first_pid_namespace_;
  if (report.outsiders_unseen) report.blind_spots.emplace_back(kOutsidersUnseen);
}

/// Every network namespace, as found not long ago.
const base::Result<NamespaceList>& BpfCollector::namespaces() {
  const auto now = std::chrono::steady_clock::now();
  if (!namespaces_ || now - namespaces_found_ > kNamespacesKeep) {
    namespaces_ = find_net_namespaces();
    namespaces_found_ = now;
  }
  return namespaces_;
}

void BpfCollector::end_look() {
  // An open namespace lives on, with its ports and addresses: nothing of it may stay with us.
  reached_.clear();
  seen_.clear();
}

base::Result<ports::RawInventory> BpfCollector::read(const ports::InventoryRequest& request) {
  ports::RawInventory raw;
  describe(raw.report, request);
  end_look();
  if (is_for_walk(request)) {
    if (auto loaded = programs_.load_tables(); !loaded) return std::unexpected(loaded.error());
  }
  // Where many sockets belong to processes out of our sight, we need the facts from the tables.
  programs_.narrow_to(request, !in_first_pid_namespace_);
  base::Result<HeldSockets> held = HeldSockets{};
  if (auto tables = read_both(request, raw, held); !tables) return std::unexpected(tables.error());
  if (!held) return std::unexpected(held.error());
  if (request.all_namespaces) read_hidden_namespaces(*held, request, raw);
  raw.holders = std::move(held->holders);
  raw.seen_processes = std::move(held->processes);
  raw.held = [facts = std::make_shared<HeldFacts>(std::move(held->facts))](size_t holder) {
    return facts->socket(holder);
  };
  raw.bound_listed = lists_bound(request);
  raw.look_up = [this](const std::vector<ports::ListedRef>& refs) { return look_up(refs); };
  return raw;
}

/// One entry of a table of this namespace, as it goes into the inventory. Any thread.
void BpfCollector::add_entry(const format::TableEntry& entry, uint32_t netns, Protocol protocol,
                             TablePart& part) {
  const socket_listing& listing = entry.listing;
  if (!entry.facts) {
    base::make_room(part.listed_refs);
    part.listed_refs.push_back({listing.cookie, netns, protocol});
    return;
  }
  Socket socket = format::socket_of(listing.inode, listing.cookie, *entry.facts);
  socket.netns = netns;
  socket.mptcp |= (listing.flags & SOCKET_EVIDENCE_MPTCP) != 0;
  if ((listing.flags & SOCKET_EVIDENCE_SOCKET) != 0) {
    const std::lock_guard lock(seen_mutex_);
    seen_[listing.cookie] = {.flags = listing.flags, .socket = entry.socket};
  }
  part.listed.push_back(socket);
}

base::Result<void> BpfCollector::read_whole(base::Result<TableStream> stream, uint32_t netns,
                                            Protocol protocol, TablePart& part) {
  if (!stream) return std::unexpected(stream.error());
  for (;;) {
    const auto more = stream->read_some(
        [&](const format::TableEntry& entry) { add_entry(entry, netns, protocol, part); });
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
  }
}

/// All tables of one namespace.
TableFunction BpfCollector::whole_reader(const ports::InventoryRequest& request) {
  if (!is_for_walk(request)) return diag_reader(request);
  return [this, rest = rest_reader(request)](uint32_t netns, TablePart& part) {
    auto read = read_whole(programs_.open_tcp(), netns, Protocol::kTcp, part);
    if (read) read = read_whole(programs_.open_udp(), netns, Protocol::kUdp, part);
    return read ? rest(netns, part) : read;
  };
}

/// Descriptors on one thread, our tables on this one, other namespaces' on more: so that two cores
/// are always at work.
base::Result<void> BpfCollector::read_both(const ports::InventoryRequest& request,
                                           ports::RawInventory& raw,
                                           base::Result<HeldSockets>& held) {
  const auto read_held = [&] { held = programs_.read_descriptors(); };
  std::thread worker;
  try {
    worker = std::thread(read_held);
  } catch (const std::system_error&) {
    read_held();
  }
  const base::Result<NamespaceList> list =
      request.all_namespaces ? namespaces() : list_namespaces(false);
  base::Result<void> tables;
  if (list) {
    tables = read_listed_namespaces(*list, whole_reader(request), raw, worker.joinable() ? 1 : 0);
    // The descriptors take longer, so there is time for this.
    raw.ref_index.emplace(raw.listed_refs);
  } else {
    tables = std::unexpected(list.error());
  }
  if (worker.joinable()) worker.join();
  return tables;
}

/// Namespaces that have neither a name nor a process: only descriptors lead there.
void BpfCollector::read_hidden_namespaces(const HeldSockets& held,
                                          const ports::InventoryRequest& request,
                                          ports::RawInventory& raw) {
  std::unordered_set<uint32_t> known;
  for (const auto& space : raw.namespaces) known.insert(space.inode);
  std::map<uint32_t, std::string> unreached;
  for (const auto& [netns, ways] : held.ways_in) {
    if (known.contains(netns)) continue;
    base::Result<base::Fd> space = base::Fd();
    for (const auto& holder : ways) {
      space = open_namespace_of(holder);
      if (space) break;
    }
    if (!space) {
      unreached[netns] = space.error().message;
    } else if (auto read = read_one_namespace(space->get(), "", whole_reader(request), raw);
               !read) {
      unreached[netns] = read.error().message;
    } else if (reached_.size() < kReachedMax) {
      reached_.emplace(netns, std::move(*space));
    }
  }
  for (const auto& [netns, why] : unreached) {
    model::NetNamespace space;
    space.inode = netns;
    space.why = why;
    raw.namespaces.push_back(std::move(space));
    raw.report.complete = false;
    raw.report.blind_spots.push_back("Of network namespace " + std::to_string(netns) +
                                     " only sockets that a process holds are seen (" + why + ").");
  }
}

/// A namespace that was read before, by the list or, once more, by a new one: it may have outlived
/// the processes through which it was reached.
base::Result<base::Fd> BpfCollector::open_namespace(uint32_t netns) {
  base::Error error{
      .kind = base::ErrorKind::kNotFound,
      .message = "network namespace " + std::to_string(netns) + " cannot be reached any more"};
  for (const bool again : {false, true}) {
    if (again) namespaces_ = find_net_namespaces();
    if (!namespaces_) return std::unexpected(namespaces_.error());
    const auto ref = std::ranges::find(namespaces_->namespaces, netns, &NamespaceRef::inode);
    if (ref == namespaces_->namespaces.end()) continue;
    auto space = open_net_namespace(*ref);
    if (space) return space;
    error = space.error();
  }
  return std::unexpected(error);
}

/// Does the work in a namespace that was seen before: in this thread in our own.
base::Result<void> BpfCollector::run_in(uint32_t netns,
                                        const std::function<base::Result<void>()>& work) {
  if (const auto own = own_net_namespace(); own && own->inode == netns) return work();
  if (const auto reached = reached_.find(netns); reached != reached_.end()) {
    return run_in_net_namespace(reached->second.get(), work);
  }
  const auto space = open_namespace(netns);
  if (!space) return std::unexpected(space.error());
  return run_in_net_namespace(space->get(), work);
}

/// Adds what each namespace's tables tell, and answers which of them could be read; `why` is the
/// last reason for one that could not.
base::Result<std::set<uint32_t>> BpfCollector::find_in_tables(const WantedByNamespace& wanted,
                                                              Evidence& evidence,
                                                              std::vector<Socket>* sockets,
                                                              std::string* why) {
  std::set<uint32_t> readable;
  if (wanted.empty()) return readable;
  std::vector<uint64_t> cookies;
  for (const auto& [netns, in] : wanted) {
    cookies.insert(cookies.end(), in.tcp.begin(), in.tcp.end());
    cookies.insert(cookies.end(), in.udp.begin(), in.udp.end());
  }
  if (auto asked = programs_.ask_tables(cookies); !asked) return std::unexpected(asked.error());
  for (const auto& [netns, in] : wanted) {
    const size_t known = sockets == nullptr ? 0 : sockets->size();
    const auto read = run_in(
        netns, [&, &asked = in] { return programs_.find_in_tables(asked, evidence, sockets); });
    if (read) {
      readable.insert(netns);
    } else if (why != nullptr) {
      *why = read.error().message;
    }
    for (size_t i = known; sockets != nullptr && i < sockets->size(); ++i) {
      (*sockets)[i].netns = netns;
    }
  }
  return readable;
}

ports::RawInventory::LookedUp BpfCollector::look_up(const std::vector<ports::ListedRef>& refs) {
  WantedByNamespace wanted;
  for (const auto& ref : refs) want(ref, wanted);
  ports::RawInventory::LookedUp out;
  const auto readable = find_in_tables(wanted, seen_, &out.sockets, &out.why);
  if (!readable) {
    out.why = readable.error().message;
    out.unread = refs.size();
    return out;
  }
  for (const auto& [netns, in] : wanted) {
    if (!readable->contains(netns)) out.unread += in.tcp.size() + in.udp.size();
  }
  return out;
}

/// A process that hides its namespaces from us may be hidden from our programs too.
bool BpfCollector::sees_every_process() {
  const auto& list = namespaces();
  return in_first_pid_namespace_ && list && list->processes_hidden == 0;
}

/// Descriptors that have appeared since the first look, or moved while it went on, of sockets that
/// may have one.
base::Result<void> BpfCollector::find_late_holders(const std::vector<Socket>& ownerless,
                                                   SecondLookFindings& findings) {
  std::vector<uint64_t> addresses;
  std::vector<uint64_t> inodes;
  for (const auto& socket : ownerless) {
    const auto seen = findings.before.find(socket.cookie);
    const bool known = is_walked(socket) && seen != findings.before.end();
    if (!is_walked(socket) || (known && (seen->second.flags & SOCKET_EVIDENCE_MPTCP) != 0)) {
      inodes.push_back(socket.inode);
    } else if (known && (seen->second.flags & SOCKET_EVIDENCE_FILE) != 0 &&
               !is_kernels_own(seen->second.flags)) {
      addresses.push_back(seen->second.socket);
    }
  }
  if (addresses.empty() && inodes.empty()) return {};
  if (auto asked = programs_.ask_descriptors(addresses, inodes); !asked) return asked;
  auto held = programs_.read_descriptors();
  if (!held) return std::unexpected(held.error());
  findings.holders = std::move(held->holders);
  std::ranges::sort(findings.holders, {}, &model::Holder::inode);
  return {};
}

/// Whether listeners still stand: by sock_diag, which need not go through all connections for that.
/// One that still has its inode has what it had: a file goes only together with its socket.
void BpfCollector::find_listeners(const std::vector<Socket>& questions,
                                  SecondLookFindings& findings) {
  std::map<uint32_t, std::vector<const Socket*>> listeners;
  for (const auto& socket : questions) {
    if (socket.state == model::SocketState::kListen && !is_settled(socket, findings)) {
      listeners[socket.netns].push_back(&socket);
    }
  }
  for (const auto& [netns, sockets] : listeners) {
    std::optional<model::PortRange> port;
    if (sockets.size() == 1) {
      port = model::PortRange{sockets.front()->local.port, sockets.front()->local.port};
    }
    std::unordered_map<uint64_t, uint64_t> inodes;
    std::ignore = run_in(netns, [&, in = netns]() -> base::Result<void> {
      const auto standing = read_tcp_listeners(port, in);
      if (!standing) return std::unexpected(standing.error());
      for (const auto& socket : *standing) inodes.emplace(socket.cookie, socket.inode);
      return {};
    });
    for (const Socket* socket : sockets) {
      const auto same = inodes.find(socket->cookie);
      const auto before = findings.before.find(socket->cookie);
      if (same == inodes.end() || before == findings.before.end()) continue;
      if (same->second == socket->inode) findings.after.emplace(*before);
    }
  }
}

base::Result<std::vector<ports::HoldingEvidence>> BpfCollector::look_again(
    const std::vector<Socket>& ownerless, std::vector<model::Holder>& late_holders) {
  SecondLookFindings findings;
  findings.sees_every_process = sees_every_process();
  WantedByNamespace wanted;
  std::set<uint32_t> readable;
  for (const auto& socket : ownerless) {
    readable.insert(socket.netns);
    if (!is_walked(socket)) continue;
    if (const auto seen = seen_.find(socket.cookie); seen != seen_.end()) {
      findings.before.insert(*seen);
    } else {
      want(socket, wanted);
    }
  }
  const auto drop_unreadable = [&](const std::set<uint32_t>& read) {
    for (const auto& [netns, in] : wanted) {
      if (!read.contains(netns)) readable.erase(netns);
    }
  };
  const auto read = find_in_tables(wanted, findings.before, nullptr, nullptr);
  if (!read) return std::unexpected(read.error());
  drop_unreadable(*read);
  if (auto found = find_late_holders(ownerless, findings); !found) {
    return std::unexpected(found.error());
  }
  find_listeners(ownerless, findings);
  wanted.clear();
  for (const auto& socket : ownerless) {
    if (readable.contains(socket.netns) && !is_settled(socket, findings) &&
        !findings.after.contains(socket.cookie)) {
      want(socket, wanted);
    }
  }
  const auto read_again = find_in_tables(wanted, findings.after, nullptr, nullptr);
  if (!read_again) return std::unexpected(read_again.error());
  drop_unreadable(*read_again);

  std::vector<ports::HoldingEvidence> out;
  for (const auto& socket : ownerless) {
    if (!readable.contains(socket.netns)) continue;
    const Holding holding = settle(socket, findings);
    if (holding != Holding::kUnknown) out.push_back({socket.inode, holding});
  }
  late_holders = std::move(findings.holders);
  return out;
}

}  // namespace

bool is_settled(const Socket& socket, const SecondLookFindings& findings) {
  if (!is_walked(socket) || has_holder(findings.holders, socket)) return true;
  const auto before = flags_of(findings.before, socket);
  return before && is_kernels_own(*before);
}

Holding settle(const Socket& socket, const SecondLookFindings& findings) {
  if (has_holder(findings.holders, socket)) return Holding::kOwned;
  if (!is_walked(socket)) return Holding::kUnknown;
  const auto before = flags_of(findings.before, socket);
  if (before && is_kernels_own(*before)) return Holding::kKernel;
  const auto after = flags_of(findings.after, socket);
  // A walk of a table that changes may miss a socket on kernels before 6.17, but hardly twice.
  if (!after) return Holding::kVanished;
  if ((*after & SOCKET_EVIDENCE_SOCKET) == 0) return Holding::kOrphaned;
  if (is_kernels_own(*after)) return Holding::kKernel;
  // Only a socket that had its file before and after the descriptors were read is in no table.
  if (!before || (*before & *after & SOCKET_EVIDENCE_FILE) == 0) return Holding::kUnknown;
  return findings.sees_every_process ? Holding::kNoDescriptor : Holding::kHidden;
}

base::Result<std::unique_ptr<ports::SocketSource>> make_bpf_collector(
    std::string why, const ports::InventoryRequest& first) {
  // Loading the programs and looking for namespaces take about as long as each other.
  base::Result<NamespaceList> namespaces = NamespaceList{};
  std::thread worker;
  try {
    worker = std::thread([&] { namespaces = find_net_namespaces(); });
  } catch (const std::system_error&) {
    namespaces = find_net_namespaces();
  }
  auto programs = BpfSockets::load(is_for_walk(first));
  if (worker.joinable()) worker.join();
  if (!programs) return std::unexpected(programs.error());
  return std::make_unique<BpfCollector>(std::move(*programs), std::move(namespaces),
                                        std::move(why));
}

}  // namespace host
