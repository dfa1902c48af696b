#include "host/bpf_collector.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/fd.h"
#include "host/diag_tables.h"
#include "host/net_namespaces.h"
#include "host/pid_namespace.h"

namespace host {
namespace {

using model::Holding;
using model::Protocol;
using model::Socket;

// Namespaces kept open between the two looks because only a descriptor leads to them.
constexpr size_t kReachedMax = 64;

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

void want(const Socket& socket, WantedByNamespace& wanted) {
  auto& in = wanted[socket.netns];
  (socket.protocol == Protocol::kUdp ? in.udp : in.tcp).insert(socket.cookie);
}

class BpfCollector final : public ports::SocketSource {
 public:
  BpfCollector(BpfSockets programs, std::string why)
      : programs_(std::move(programs)), why_(std::move(why)) {}

  base::Result<ports::RawInventory> read(const ports::InventoryRequest& request) override {
    ports::RawInventory raw;
    describe(raw.report);
    base::Result<HeldSockets> held = HeldSockets{};
    if (auto tables = read_both(request, raw, held); !tables) {
      return std::unexpected(tables.error());
    }
    if (!held) return std::unexpected(held.error());
    reached_.clear();
    if (request.all_namespaces) read_hidden_namespaces(*held, request, raw);
    raw.holders = std::move(held->holders);
    raw.seen_processes = std::move(held->processes);
    raw.held = [facts = std::make_shared<HeldFacts>(std::move(held->facts))](size_t holder) {
      return facts->socket(holder);
    };
    return raw;
  }

  base::Result<std::vector<ports::HoldingEvidence>> look_again(
      const std::vector<Socket>& ownerless, std::vector<model::Holder>& late_holders) override;

 private:
  void describe(model::CollectorReport& report) const {
    report.kind = model::CollectorKind::kBpf;
    report.why = why_;
    report.blind_spots.emplace_back(
        "Who holds a socket that is in flight between processes or registered with io_uring cannot "
        "be told, only that somebody does.");
    if (!sees_every_process_) {
      report.blind_spots.emplace_back(kOutsidersUnseen);
    }
  }

  /// Tables on this thread, descriptors on another: each takes about as long as the other.
  base::Result<void> read_both(const ports::InventoryRequest& request, ports::RawInventory& raw,
                               base::Result<HeldSockets>& held) {
    std::thread worker;
    try {
      worker = std::thread([&] { held = programs_.read(request); });
    } catch (const std::system_error&) {
      held = programs_.read(request);
    }
    auto tables = read_socket_tables(request, raw);
    if (worker.joinable()) worker.join();
    return tables;
  }

  void read_hidden_namespaces(const HeldSockets& held, const ports::InventoryRequest& request,
                              ports::RawInventory& raw);
  std::set<uint32_t> read_tables(SecondLook& look, const NamespaceList& list,
                                 const WantedByNamespace& wanted, Evidence& evidence) const;
  static base::Result<void> find_late_holders(SecondLook& look,
                                              const std::vector<Socket>& ownerless,
                                              SecondLookFindings& findings);

  BpfSockets programs_;
  std::string why_;
  bool sees_every_process_ = is_in_initial_pid_namespace();
  std::map<uint32_t, base::Fd> reached_;
};

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
    if (auto read = read_socket_tables_of(space->get(), "", request, raw); !read) {
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

/// Adds the evidence of each namespace's tables, and answers which of them could be read.
std::set<uint32_t> BpfCollector::read_tables(SecondLook& look, const NamespaceList& list,
                                             const WantedByNamespace& wanted,
                                             Evidence& evidence) const {
  const auto read_one = [&](uint32_t netns, const WantedInTables& in) -> base::Result<void> {
    const auto read = [&] { return look.read_tables(in, evidence); };
    if (const auto reached = reached_.find(netns); reached != reached_.end()) {
      return run_in_net_namespace(reached->second.get(), read);
    }
    const auto ref = std::ranges::find(list.namespaces, netns, &NamespaceRef::inode);
    if (ref == list.namespaces.end()) {
      return base::fail(base::ErrorKind::kNotFound, "network namespace " + std::to_string(netns) +
                                                        " has ended since it was first seen");
    }
    if (ref->own) return read();
    const auto space = open_net_namespace(*ref);
    if (!space) return std::unexpected(space.error());
    return run_in_net_namespace(space->get(), read);
  };
  std::set<uint32_t> readable;
  for (const auto& [netns, in] : wanted) {
    if (read_one(netns, in)) readable.insert(netns);
  }
  return readable;
}

/// Descriptors that have appeared since the first look, of sockets that may have one.
base::Result<void> BpfCollector::find_late_holders(SecondLook& look,
                                                   const std::vector<Socket>& ownerless,
                                                   SecondLookFindings& findings) {
  std::vector<uint64_t> by_inode;
  bool some_have_file = false;
  for (const auto& socket : ownerless) {
    const auto flags = flags_of(findings.before, socket);
    if (!is_walked(socket) || (flags && (*flags & SOCKET_EVIDENCE_MPTCP) != 0)) {
      by_inode.push_back(socket.inode);
    } else if (flags && (*flags & SOCKET_EVIDENCE_FILE) != 0 && !is_kernels_own(*flags)) {
      some_have_file = true;
    }
  }
  if (by_inode.empty() && !some_have_file) return {};
  auto holders = look.find_holders(by_inode);
  if (!holders) return std::unexpected(holders.error());
  findings.holders = std::move(*holders);
  return {};
}

base::Result<std::vector<ports::HoldingEvidence>> BpfCollector::look_again(
    const std::vector<Socket>& ownerless, std::vector<model::Holder>& late_holders) {
  auto look = SecondLook::load(ownerless);
  if (!look) return std::unexpected(look.error());
  const auto list = find_net_namespaces();
  if (!list) return std::unexpected(list.error());

  SecondLookFindings findings;
  // A process that hides its namespaces from us may be hidden from our programs too.
  findings.sees_every_process = sees_every_process_ && list->processes_hidden == 0;
  WantedByNamespace wanted;
  for (const auto& socket : ownerless) {
    if (is_walked(socket)) want(socket, wanted);
  }
  std::set<uint32_t> readable = read_tables(*look, *list, wanted, findings.before);
  if (auto found = find_late_holders(*look, ownerless, findings); !found) {
    return std::unexpected(found.error());
  }
  wanted.clear();
  for (const auto& socket : ownerless) {
    if (readable.contains(socket.netns) && !is_settled(socket, findings)) want(socket, wanted);
  }
  const std::set<uint32_t> readable_again = read_tables(*look, *list, wanted, findings.after);
  for (const auto& [netns, in] : wanted) {
    if (!readable_again.contains(netns)) readable.erase(netns);
  }

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

base::Result<std::unique_ptr<ports::SocketSource>> make_bpf_collector(std::string why) {
  auto programs = BpfSockets::load();
  if (!programs) return std::unexpected(programs.error());
  return std::make_unique<BpfCollector>(std::move(*programs), std::move(why));
}

}  // namespace host
