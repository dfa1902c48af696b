#include "host/table_collector.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "host/fd_walk.h"
#include "host/pid_namespace.h"

namespace host {
namespace {

void report_walk(const FdWalk& walk, model::CollectorReport& report) {
  report.processes_hidden = walk.processes_hidden;
  if (walk.processes_hidden > 0) {
    report.complete = false;
    report.blind_spots.push_back(
        "Processes whose open files could not be read: " + std::to_string(walk.processes_hidden) +
        "; sockets that only they hold show no owner.");
  }
  if (walk.others_invisible) {
    // How many there are cannot be told; that there are some is certain.
    report.processes_hidden = std::max(report.processes_hidden, 1U);
    report.complete = false;
    report.blind_spots.emplace_back(
        "/proc is mounted so that other users' processes do not appear in it (hidepid); sockets "
        "that only they hold show no owner.");
  }
  report.outsiders_unseen = !is_in_initial_pid_namespace();
  if (report.outsiders_unseen) report.blind_spots.emplace_back(kOutsidersUnseen);
}

/// The narrowest request that still finds all of these sockets.
ports::InventoryRequest request_for(const std::vector<model::Socket>& sockets) {
  ports::InventoryRequest request;
  model::PortRange ports{65535, 0};
  for (const auto& socket : sockets) {
    // What a raw socket has instead of a port does not narrow anything.
    if (socket.protocol == model::Protocol::kRaw) return request;
    ports.first = std::min(ports.first, socket.local.port);
    ports.last = std::max(ports.last, socket.local.port);
  }
  request.ports = ports;
  return request;
}

std::vector<uint32_t> namespaces_of(const std::vector<model::Socket>& sockets) {
  std::vector<uint32_t> inodes;
  inodes.reserve(sockets.size());
  for (const auto& socket : sockets) inodes.push_back(socket.netns);
  std::ranges::sort(inodes);
  inodes.erase(std::ranges::unique(inodes).begin(), inodes.end());
  return inodes;
}

bool same_socket(const model::Socket& left, const model::Socket& right) {
  return left.netns == right.netns && left.cookie == right.cookie;
}

/// The sockets that are listed again, under the inode they had.
std::vector<model::Socket> still_listed(const std::vector<model::Socket>& sockets,
                                        const std::vector<model::Socket>& listed) {
  std::unordered_map<uint64_t, const model::Socket*> by_inode;
  for (const auto& socket : listed) by_inode.emplace(socket.inode, &socket);
  std::vector<model::Socket> still;
  for (const auto& socket : sockets) {
    const auto at = by_inode.find(socket.inode);
    if (at != by_inode.end() && same_socket(*at->second, socket)) still.push_back(socket);
  }
  return still;
}

bool was_read(const std::vector<model::NetNamespace>& namespaces, uint32_t inode) {
  return std::ranges::any_of(namespaces, [&](const model::NetNamespace& space) {
    return space.inode == inode && space.tables_read;
  });
}

}  // namespace

TableCollector::TableCollector(model::CollectorReport report, ReadTables read_tables,
                               std::string proc_path)
    : report_(std::move(report)),
      read_tables_(std::move(read_tables)),
      proc_path_(std::move(proc_path)) {}

base::Result<ports::RawInventory> TableCollector::read(const ports::InventoryRequest& request) {
  ports::RawInventory raw;
  raw.report = report_;
  // Tables before descriptors: a socket made between the two is then not listed at all, rather than
  // listed without its owner.
  if (auto read = read_tables_(request, raw, std::nullopt); !read) {
    return std::unexpected(read.error());
  }
  auto walk = walk_descriptors(InodeSet(raw.listed), {}, proc_path_.c_str());
  if (!walk) return std::unexpected(walk.error());
  report_walk(*walk, raw.report);
  known_ = walk->holders;
  raw.holders = std::move(walk->holders);
  raw.seen_processes = std::move(walk->seen_processes);
  return raw;
}

base::Result<std::vector<ports::HoldingEvidence>> TableCollector::look_again(
    const std::vector<model::Socket>& ownerless, std::vector<model::Holder>& late_holders) {
  std::vector<ports::HoldingEvidence> evidence;
  if (ownerless.empty()) return evidence;
  ports::RawInventory now;
  if (auto read = read_tables_(request_for(ownerless), now, namespaces_of(ownerless)); !read) {
    return std::unexpected(read.error());
  }
  const std::vector<model::Socket> still = still_listed(ownerless, now.listed);
  const InodeSet alive(still);
  auto walk = walk_descriptors(alive, known_, proc_path_.c_str());
  if (!walk) return std::unexpected(walk.error());
  const bool some_hidden =
      walk->processes_hidden > 0 || walk->others_invisible || !is_in_initial_pid_namespace();
  for (const auto& socket : ownerless) {
    if (!was_read(now.namespaces, socket.netns)) continue;
    model::Holding holding = model::Holding::kVanished;
    if (alive.contains(socket.inode)) {
      holding = some_hidden ? model::Holding::kHidden : model::Holding::kUnknown;
    }
    evidence.push_back({.inode = socket.inode, .holding = holding});
  }
  late_holders = std::move(walk->holders);
  return evidence;
}

}  // namespace host
