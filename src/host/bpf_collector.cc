#include "host/bpf_collector.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "base/fd.h"
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

// Namespaces whose listeners are read beforehand. Where there are more, entering each once again
// costs more than it saves.
constexpr size_t kQuickNamespacesMax = 8;

// Descriptors to try before such a namespace is given up: rights rarely differ between them.
constexpr int kAttemptsMax = 8;

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
  return found == evidence.end() ? std::nullopt : std::optional(found->second);
}

bool has_holder(const std::vector<model::Holder>& holders, const Socket& socket) {
  return std::ranges::any_of(
      std::ranges::equal_range(holders, socket.inode, {}, &model::Holder::inode),
      [&](const model::Holder& holder) {
        return holder.mptcp || socket.cookie == 0 || holder.cookie == socket.cookie;
      });
}

using WantedByNamespace = std::map<uint32_t, WantedInTables>;

template <class ListedOrRef>
void want(const ListedOrRef& socket, WantedByNamespace& wanted) {
  auto& in = wanted[socket.netns];
  (socket.protocol == Protocol::kUdp ? in.udp : in.tcp).insert(socket.cookie);
}

/// The cookies of listeners that stood before the walk of the descriptors began. If one stands
/// there after the walk too, then the walk would have come by its descriptor.
using StoodBefore = std::unordered_set<uint64_t>;

class BpfCollector final : public ports::SocketSource {
 public:
  BpfCollector(BpfSockets programs, base::Result<NamespaceList> namespaces, std::string why)
      : programs_(std::move(programs)), why_(std::move(why)), namespaces_(std::move(namespaces)) {}

  base::Result<ports::RawInventory> read(const ports::InventoryRequest& request) override;
  base::Result<std::vector<ports::HoldingEvidence>> look_again(
      const std::vector<Socket>& ownerless, std::vector<model::Holder>& late_holders) override;

 private:
  void describe(model::CollectorReport& report, const ports::InventoryRequest& request) const;
  base::Result<void> read_own_listeners(TableStream& tcp, uint32_t netns, TablePart& part);
  void note_listeners(std::optional<model::PortRange> ports, uint32_t netns);
  void note_foreign_listeners(std::optional<model::PortRange> ports, const NamespaceList& list);
  base::Result<void> read_both(const ports::InventoryRequest& request, ports::RawInventory& raw,
                               base::Result<HeldSockets>& held);
  void add_entry(const format::TableEntry& entry, uint32_t netns, Protocol protocol,
                 TablePart& part);
  base::Result<void> read_whole(base::Result<TableStream> stream, uint32_t netns, Protocol protocol,
                                TablePart& part);
  [[nodiscard]] TableFunction beside_tcp(const ports::InventoryRequest& request, bool bound);
  [[nodiscard]] TableFunction whole_reader(const ports::InventoryRequest& request);
  base::Result<void> run_in(uint32_t netns, const std::function<base::Result<void>()>& work);
  [[nodiscard]] bool sees_every_process() const;
  void read_hidden_namespaces(const HeldSockets& held, const ports::InventoryRequest& request,
                              ports::RawInventory& raw);
  base::Result<std::vector<Socket>> look_up(const std::vector<ports::ListedRef>& refs);
  base::Result<std::set<uint32_t>> find_in_tables(const WantedByNamespace& wanted,
                                                  Evidence& evidence, std::vector<Socket>* sockets);
  base::Result<void> find_late_holders(const std::vector<Socket>& ownerless,
                                       SecondLookFindings& findings);
  std::vector<Socket> settle_listeners(const std::vector<Socket>& ownerless,
                                       std::vector<ports::HoldingEvidence>& out);

  BpfSockets programs_;
  std::string why_;
  bool sees_every_process_ = is_in_initial_pid_namespace();
  base::Result<NamespaceList> namespaces_;  // as the last reading found them
  bool namespaces_are_new_ = true;          // and none has used them yet
  std::map<uint32_t, base::Fd> reached_;
  StoodBefore stood_before_;
  std::mutex listener_flags_mutex_;
  std::vector<std::pair<uint64_t, uint8_t>> listener_flags_;  // by cookie, as the tables had them
  Evidence looked_up_;
};

void BpfCollector::describe(model::CollectorReport& report,
                            const ports::InventoryRequest& request) const {
  report.kind = model::CollectorKind::kBpf;
  report.why = why_;
  report.blind_spots.emplace_back(
      "Who holds a socket that is in flight between processes or registered with io_uring cannot "
      "be told, only that somebody does.");
  if (request.tcp_detail || request.listeners_only) {
    // sock_diag, which lists them, is asked; or they are not.
  } else if (!request.ports) {
    report.blind_spots.emplace_back(
        "A TCP socket that is only bound, and held by nobody in sight, is listed only when its "
        "port "
        "is asked for.");
  } else if (request.all_namespaces) {
    report.blind_spots.emplace_back(
        "A TCP socket that is only bound, and held by nobody in sight, is not listed in other "
        "network namespaces than our own.");
  }
  if (!sees_every_process_) report.blind_spots.emplace_back(kOutsidersUnseen);
}

base::Result<ports::RawInventory> BpfCollector::read(const ports::InventoryRequest& request) {
  ports::RawInventory raw;
  describe(raw.report, request);
  reached_.clear();
  stood_before_.clear();
  listener_flags_.clear();
  looked_up_.clear();
  // Where many sockets belong to processes out of our sight, we need the facts from the tables.
  programs_.narrow_to(request, !sees_every_process_);
  base::Result<HeldSockets> held = HeldSockets{};
  if (auto tables = read_both(request, raw, held); !tables) return std::unexpected(tables.error());
  if (!held) return std::unexpected(held.error());
  if (request.all_namespaces) read_hidden_namespaces(*held, request, raw);
  raw.holders = std::move(held->holders);
  raw.seen_processes = std::move(held->processes);
  raw.held = [facts = std::make_shared<HeldFacts>(std::move(held->facts))](size_t holder) {
    return facts->socket(holder);
  };
  raw.bound_listed = request.tcp_detail;
  raw.look_up = [this](const std::vector<ports::ListedRef>& refs) { return look_up(refs); };
  return raw;
}

/// One entry of a table of this namespace, as it goes into the inventory. Any thread.
void BpfCollector::add_entry(const format::TableEntry& entry, uint32_t netns, Protocol protocol,
                             TablePart& part) {
  const socket_listing& listing = entry.listing;
  if (!entry.facts) {
    part.listed_refs.push_back({listing.cookie, netns, protocol});
    return;
  }
  Socket socket = format::socket_of(listing.inode, listing.cookie, *entry.facts);
  socket.netns = netns;
  socket.mptcp |= (listing.flags & SOCKET_EVIDENCE_MPTCP) != 0;
  if (protocol == Protocol::kTcp && socket.state == model::SocketState::kListen) {
    const std::lock_guard lock(listener_flags_mutex_);
    listener_flags_.emplace_back(listing.cookie, listing.flags);
  }
  part.listed.push_back(std::move(socket));
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

/// UDP, and what the kernel's walks do not come by.
TableFunction BpfCollector::beside_tcp(const ports::InventoryRequest& request, bool bound) {
  return [this, rest = rest_reader(request, bound)](uint32_t netns, TablePart& part) {
    auto udp = read_whole(programs_.open_udp(), netns, Protocol::kUdp, part);
    return udp ? rest(netns, part) : udp;
  };
}

TableFunction BpfCollector::whole_reader(const ports::InventoryRequest& request) {
  return [this, beside = beside_tcp(request, false)](uint32_t netns, TablePart& part) {
    auto tcp = read_whole(programs_.open_tcp(), netns, Protocol::kTcp, part);
    return tcp ? beside(netns, part) : tcp;
  };
}

/// The part of our own TCP table that is read before the descriptors are, and what came along.
base::Result<void> BpfCollector::read_own_listeners(TableStream& tcp, uint32_t netns,
                                                    TablePart& part) {
  constexpr auto kListen = static_cast<uint8_t>(model::SocketState::kListen);
  bool more = true;
  bool only_listeners = true;
  while (more && only_listeners) {
    const auto read = tcp.read_some([&](const format::TableEntry& entry) {
      add_entry(entry, netns, Protocol::kTcp, part);
      if (entry.facts && entry.facts->state == kListen) {
        stood_before_.insert(entry.listing.cookie);
      } else {
        only_listeners = false;
      }
    });
    if (!read) return std::unexpected(read.error());
    more = *read;
  }
  return {};
}

/// The same by sock_diag, which need not go through connections. Only a help, so what cannot be
/// read is passed over.
void BpfCollector::note_listeners(std::optional<model::PortRange> ports, uint32_t netns) {
  const auto listeners = read_tcp_listeners(ports, netns);
  if (!listeners) return;
  for (const Socket& socket : *listeners) stood_before_.insert(socket.cookie);
}

void BpfCollector::note_foreign_listeners(std::optional<model::PortRange> ports,
                                          const NamespaceList& list) {
  if (list.namespaces.size() > 1 + kQuickNamespacesMax) return;
  for (const NamespaceRef& ref : list.namespaces) {
    if (ref.own) continue;
    const auto space = open_net_namespace(ref);
    if (!space) continue;
    std::ignore = run_in_net_namespace(space->get(), [&]() -> base::Result<void> {
      note_listeners(ports, ref.inode);
      return {};
    });
  }
}

/// Tables on this thread and those of other namespaces, descriptors on one more: so that two cores
/// are always at work, the walk of the descriptors being the longest piece.
base::Result<void> BpfCollector::read_both(const ports::InventoryRequest& request,
                                           ports::RawInventory& raw,
                                           base::Result<HeldSockets>& held) {
  if (!std::exchange(namespaces_are_new_, false)) namespaces_ = find_net_namespaces();
  if (!namespaces_) return std::unexpected(namespaces_.error());
  base::Result<NamespaceList> own_alone = list_namespaces(false);
  if (!own_alone) return std::unexpected(own_alone.error());
  const NamespaceList& list = request.all_namespaces ? *namespaces_ : *own_alone;
  if (!request.tcp_detail) note_foreign_listeners(request.ports, list);

  std::thread worker;
  const auto start_reading_held = [&] {
    const auto read_held = [&] { held = programs_.read_descriptors(); };
    try {
      worker = std::thread(read_held);
    } catch (const std::system_error&) {
      read_held();
    }
  };
  const TableFunction whole = request.tcp_detail ? diag_reader(request) : whole_reader(request);
  // The search for sockets that are only bound takes as long as all else together: it is made where
  // somebody may be in want of a port that seems free.
  const TableFunction beside = beside_tcp(request, request.ports.has_value());
  const auto thread = std::this_thread::get_id();
  const auto read = [&](uint32_t netns, TablePart& part) -> base::Result<void> {
    // Our own namespace, and no other, is read in this thread.
    if (std::this_thread::get_id() != thread) return whole(netns, part);
    if (request.tcp_detail) {
      start_reading_held();
      return whole(netns, part);
    }
    auto tcp = programs_.open_tcp();
    if (!tcp) return std::unexpected(tcp.error());
    if (request.ports || request.listeners_only) {
      // The walk of a table that finds little does not pause behind its listeners.
      note_listeners(request.ports, netns);
    } else if (auto listeners = read_own_listeners(*tcp, netns, part); !listeners) {
      return listeners;
    }
    start_reading_held();
    if (auto rest = read_whole(std::move(tcp), netns, Protocol::kTcp, part); !rest) return rest;
    return beside(netns, part);
  };
  auto tables = read_listed_namespaces(list, read, raw);
  if (worker.joinable()) worker.join();
  return tables;
}

/// Namespaces that have neither a name nor a process: only descriptors lead there.
void BpfCollector::read_hidden_namespaces(const HeldSockets& held,
                                          const ports::InventoryRequest& request,
                                          ports::RawInventory& raw) {
  struct Attempts {
    int count = 0;
    std::string why;
  };
  std::unordered_set<uint32_t> known;
  for (const auto& space : raw.namespaces) known.insert(space.inode);
  std::map<uint32_t, Attempts> unreached;
  for (size_t i = 0; i < held.holders.size(); ++i) {
    const uint32_t netns = held.facts.netns(i);
    if (known.contains(netns)) continue;
    Attempts& attempts = unreached[netns];
    if (++attempts.count > kAttemptsMax) continue;
    auto space = open_namespace_of(held.holders[i]);
    if (!space) {
      attempts.why = space.error().message;
      continue;
    }
    unreached.erase(netns);
    known.insert(netns);
    const TableFunction whole = request.tcp_detail ? diag_reader(request) : whole_reader(request);
    if (auto read = read_one_namespace(space->get(), "", whole, raw); !read) {
      unreached[netns].why = read.error().message;
    } else if (reached_.size() < kReachedMax) {
      reached_.emplace(netns, std::move(*space));
    }
  }
  for (const auto& [netns, attempts] : unreached) {
    model::NetNamespace space;
    space.inode = netns;
    space.why = attempts.why;
    raw.namespaces.push_back(std::move(space));
    raw.report.complete = false;
    raw.report.blind_spots.push_back("Of network namespace " + std::to_string(netns) +
                                     " only sockets that a process holds are seen (" +
                                     attempts.why + ").");
  }
}

/// Does the work in a namespace that was seen before: in this thread in our own.
base::Result<void> BpfCollector::run_in(uint32_t netns,
                                        const std::function<base::Result<void>()>& work) {
  if (const auto own = own_net_namespace(); own && own->inode == netns) return work();
  if (const auto reached = reached_.find(netns); reached != reached_.end()) {
    return run_in_net_namespace(reached->second.get(), work);
  }
  if (!namespaces_) return std::unexpected(namespaces_.error());
  const auto ref = std::ranges::find(namespaces_->namespaces, netns, &NamespaceRef::inode);
  if (ref == namespaces_->namespaces.end()) {
    return base::fail(base::ErrorKind::kNotFound, "network namespace " + std::to_string(netns) +
                                                      " has ended since it was first seen");
  }
  const auto space = open_net_namespace(*ref);
  if (!space) return std::unexpected(space.error());
  return run_in_net_namespace(space->get(), work);
}

/// Adds what each namespace's tables tell, and answers which of them could be read.
base::Result<std::set<uint32_t>> BpfCollector::find_in_tables(const WantedByNamespace& wanted,
                                                              Evidence& evidence,
                                                              std::vector<Socket>* sockets) {
  std::set<uint32_t> readable;
  if (wanted.empty()) return readable;
  std::vector<uint64_t> cookies;
  for (const auto& [netns, in] : wanted) {
    cookies.insert(cookies.end(), in.tcp.begin(), in.tcp.end());
    cookies.insert(cookies.end(), in.udp.begin(), in.udp.end());
  }
  if (auto asked = programs_.ask_for(cookies, {}); !asked) return std::unexpected(asked.error());
  for (const auto& [netns, in] : wanted) {
    const size_t known = sockets == nullptr ? 0 : sockets->size();
    const auto read =
        run_in(netns, [&] { return programs_.find_in_tables(in, evidence, sockets); });
    if (read) readable.insert(netns);
    for (size_t i = known; sockets != nullptr && i < sockets->size(); ++i) {
      (*sockets)[i].netns = netns;
    }
  }
  return readable;
}

base::Result<std::vector<Socket>> BpfCollector::look_up(const std::vector<ports::ListedRef>& refs) {
  WantedByNamespace wanted;
  for (const auto& ref : refs) want(ref, wanted);
  std::vector<Socket> sockets;
  const auto readable = find_in_tables(wanted, looked_up_, &sockets);
  if (!readable) return std::unexpected(readable.error());
  return sockets;
}

/// A process that hides its namespaces from us may be hidden from our programs too.
bool BpfCollector::sees_every_process() const {
  return sees_every_process_ && namespaces_ && namespaces_->processes_hidden == 0;
}

/// Descriptors that have appeared since the first look, of sockets that may have one.
base::Result<void> BpfCollector::find_late_holders(const std::vector<Socket>& ownerless,
                                                   SecondLookFindings& findings) {
  std::vector<uint64_t> cookies;
  std::vector<uint64_t> inodes;
  for (const auto& socket : ownerless) {
    const auto flags = flags_of(findings.before, socket);
    if (!is_walked(socket) || (flags && (*flags & SOCKET_EVIDENCE_MPTCP) != 0)) {
      inodes.push_back(socket.inode);
    } else if (flags && (*flags & SOCKET_EVIDENCE_FILE) != 0 && !is_kernels_own(*flags)) {
      cookies.push_back(socket.cookie);
    }
  }
  if (cookies.empty() && inodes.empty()) return {};
  if (auto asked = programs_.ask_for(cookies, inodes); !asked) return asked;
  auto held = programs_.read_descriptors();
  if (!held) return std::unexpected(held.error());
  findings.holders = std::move(held->holders);
  std::ranges::sort(findings.holders, {}, &model::Holder::inode);
  return {};
}

/// Settles listeners that stood before the walk of the descriptors and after it. Answers the rest.
std::vector<Socket> BpfCollector::settle_listeners(const std::vector<Socket>& ownerless,
                                                   std::vector<ports::HoldingEvidence>& out) {
  SecondLookFindings findings;
  findings.sees_every_process = sees_every_process();
  std::map<uint32_t, std::vector<Socket>> standing;
  std::vector<Socket> rest;
  for (const auto& socket : ownerless) {
    const auto flags =
        std::ranges::find(listener_flags_, socket.cookie, &std::pair<uint64_t, uint8_t>::first);
    if (flags == listener_flags_.end() || !stood_before_.contains(socket.cookie)) {
      rest.push_back(socket);
      continue;
    }
    findings.before[socket.cookie] = flags->second;
    standing[socket.netns].push_back(socket);
  }
  for (const auto& [netns, sockets] : standing) {
    const auto look = [&]() -> base::Result<void> {
      for (const auto& socket : sockets) {
        const model::PortRange port{socket.local.port, socket.local.port};
        const auto listeners = read_tcp_listeners(port, socket.netns);
        if (!listeners) return std::unexpected(listeners.error());
        const auto same = std::ranges::find(*listeners, socket.cookie, &Socket::cookie);
        // With its inode it still has what it had: a file goes only together with its socket.
        if (same != listeners->end() && same->inode == socket.inode) {
          findings.after[socket.cookie] = findings.before[socket.cookie];
        }
      }
      return {};
    };
    const bool looked = run_in(netns, look).has_value();
    for (const auto& socket : sockets) {
      const Holding holding = looked ? settle(socket, findings) : Holding::kUnknown;
      if (holding == Holding::kUnknown) {
        rest.push_back(socket);
      } else {
        out.push_back({socket.inode, holding});
      }
    }
  }
  return rest;
}

base::Result<std::vector<ports::HoldingEvidence>> BpfCollector::look_again(
    const std::vector<Socket>& ownerless, std::vector<model::Holder>& late_holders) {
  std::vector<ports::HoldingEvidence> out;
  const std::vector<Socket> questions = settle_listeners(ownerless, out);
  if (questions.empty()) return out;

  SecondLookFindings findings;
  findings.sees_every_process = sees_every_process();
  findings.before = std::move(looked_up_);  // what was looked up was so just now
  WantedByNamespace wanted;
  std::set<uint32_t> readable;
  for (const auto& socket : questions) {
    readable.insert(socket.netns);
    if (is_walked(socket) && !findings.before.contains(socket.cookie)) want(socket, wanted);
  }
  const auto drop_unreadable = [&](const std::set<uint32_t>& read) {
    for (const auto& [netns, in] : wanted) {
      if (!read.contains(netns)) readable.erase(netns);
    }
  };
  const auto read = find_in_tables(wanted, findings.before, nullptr);
  if (!read) return std::unexpected(read.error());
  drop_unreadable(*read);
  if (auto found = find_late_holders(questions, findings); !found) {
    return std::unexpected(found.error());
  }
  wanted.clear();
  for (const auto& socket : questions) {
    if (readable.contains(socket.netns) && !is_settled(socket, findings)) want(socket, wanted);
  }
  const auto read_again = find_in_tables(wanted, findings.after, nullptr);
  if (!read_again) return std::unexpected(read_again.error());
  drop_unreadable(*read_again);
  for (const auto& socket : questions) {
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

base::Result<std::unique_ptr<ports::SocketSource>> make_bpf_collector(std::string why) {
  // Loading the programs and looking for namespaces take about as long as each other.
  base::Result<NamespaceList> namespaces = NamespaceList{};
  std::thread worker;
  try {
    worker = std::thread([&] { namespaces = find_net_namespaces(); });
  } catch (const std::system_error&) {
    namespaces = find_net_namespaces();
  }
  auto programs = BpfSockets::load();
  if (worker.joinable()) worker.join();
  if (!programs) return std::unexpected(programs.error());
  return std::make_unique<BpfCollector>(std::move(*programs), std::move(namespaces),
                                        std::move(why));
}

}  // namespace host
