#include "ports/subject.h"

#include <algorithm>
#include <utility>

#include "ports/words.h"

namespace ports {
namespace {

using model::Holding;
using model::Protocol;
using model::Socket;
using model::SocketRole;
using model::SocketState;

bool is_handed_out(uint16_t port, const model::NetNamespace* netns) {
  return netns == nullptr ? model::PortPolicy{}.hands_out(port) : netns->policy.hands_out(port);
}

SubjectRole role_without_peer(Protocol protocol, SocketState state, bool handed_out) {
  if (protocol == Protocol::kTcp || protocol == Protocol::kSctp || protocol == Protocol::kDccp) {
    return state == SocketState::kListen ? SubjectRole::kOpen : SubjectRole::kBoundOnly;
  }
  return handed_out ? SubjectRole::kUdpMaybe : SubjectRole::kOpen;
}

// Why a socket that no process is known to hold cannot be judged by its holder.
std::string unseen_because(Holding holding) {
  switch (holding) {
    case Holding::kOwned:
    case Holding::kKernel:
      return {};
    case Holding::kTimeWait:
      return "it is closed already, and belongs to nobody";
    case Holding::kHandshake:
      return "the connection is being set up, and belongs to nobody yet";
    case Holding::kNotAccepted:
      return "the connection waits to be accepted, and belongs to nobody yet";
    case Holding::kOrphaned:
      return "its program has closed it, and the kernel is finishing the connection";
    case Holding::kNoDescriptor:
      return "it is in no descriptor table: it is on its way between processes, or io_uring holds "
             "it";
    case Holding::kHidden:
      return "whose it is could not be seen with our rights";
    case Holding::kVanished:
      return "it was closed while we looked";
    case Holding::kUnknown:
      break;
  }
  return "whose it is could not be found out";
}

bool is_nobodys(Holding holding) {
  return holding == Holding::kTimeWait || holding == Holding::kHandshake ||
         holding == Holding::kOrphaned || holding == Holding::kVanished;
}

SubjectHolder the_kernel() {
  SubjectHolder out;
  out.words = "the kernel";
  out.kernel = true;
  return out;
}

}  // namespace

SubjectHolder holder_of(const model::Process& process) {
  SubjectHolder out;
  out.words = process_in_words(process);
  out.pid = process.pid;
  out.kernel = process.is_kernel_thread;
  out.placed = !process.gone;
  if (process.gone) return out;
  if (!process.exe.empty()) out.exe = process.exe;
  out.exe_elsewhere = process.exe_elsewhere;
  for (const std::string& unit : {process.placement.unit, process.placement.user_unit}) {
    if (!unit.empty()) out.units.push_back(unit);
  }
  out.container = process.placement.container;
  if (!process.exe.empty()) out.package = process.package;
  out.uid = process.uid;
  out.user = process.user;
  return out;
}

SubjectHolder holder_of(const model::RecordedProcess& process) {
  SubjectHolder out;
  out.words =
      (process.command.empty() ? std::string("a process") : name_in_words(process.command)) +
      " (pid " + std::to_string(process.pid) + ")";
  out.pid = process.pid;
  // The timeline does not tell "in no unit" from "its unit is not known".
  out.placed = !process.unit.empty() || !process.container.empty();
  // Nothing was learned of it but what its start told.
  out.exe_as_called = process.user.empty();
  if (process.exe.starts_with('/')) out.exe = process.exe;
  // The timeline does not tell file trees apart; a container has one of its own.
  out.exe_elsewhere = !process.container.empty();
  if (!process.unit.empty()) out.units.push_back(process.unit);
  out.container = process.container;
  out.uid = process.uid;
  out.user = process.user;
  return out;
}

uint64_t InventorySubjects::key(const Socket& socket) {
  return uint64_t{socket.netns} << 32U | uint64_t{static_cast<uint8_t>(socket.protocol)} << 16U |
         socket.local.port;
}

InventorySubjects::InventorySubjects(const model::Inventory& inventory, bool packages_known)
    : inventory_(inventory), packages_known_(packages_known) {
  for (const Socket& socket : inventory.sockets) {
    if (socket.is_listener()) answering_.push_back(key(socket));
  }
  std::ranges::sort(answering_);
}

Subject InventorySubjects::of(const Socket& socket) const {
  const model::NetNamespace* netns = inventory_.find_namespace(socket.netns);
  Subject out;
  out.protocol = socket.protocol;
  out.local = socket.local;
  out.remote = socket.remote;
  out.interface = socket.interface;
  out.ephemeral = is_handed_out(socket.local.port, netns);
  out.takes_both_families = socket.v6only != true;
  if (netns != nullptr) {
    out.own_namespace = netns->own;
    out.netns = netns->name;
  }
  out.unseen = unseen_because(socket.holding);
  if (is_nobodys(socket.holding)) {
    out.role = SubjectRole::kNotInUse;
    return out;
  }
  if (socket.holding == Holding::kNotAccepted ||
      (socket.remote.port != 0 && std::ranges::binary_search(answering_, key(socket)))) {
    out.role = SubjectRole::kServed;
  } else if (socket.remote.port != 0) {
    out.role = SubjectRole::kOutgoing;
  } else {
    out.role = role_without_peer(socket.protocol, socket.state, out.ephemeral);
  }
  if (socket.holding == Holding::kKernel) out.holders.push_back(the_kernel());
  std::vector<uint32_t> seen;
  for (const model::Owner& owner : inventory_.owners_of(socket)) {
    if (std::ranges::find(seen, owner.process) != seen.end()) continue;
    seen.push_back(owner.process);
    out.holders.push_back(holder_of(inventory_.processes[owner.process]));
    if (!packages_known_ && out.holders.back().package == "") out.holders.back().package.reset();
  }
  return out;
}

NamespaceNumbers::NamespaceNumbers(std::vector<model::NetNamespace> namespaces)
    : namespaces_(std::move(namespaces)) {
  foreign_.own =
      std::ranges::none_of(namespaces_, [](const auto& one) { return one.own && one.inode != 0; });
}

const model::NetNamespace* NamespaceNumbers::of(uint32_t number) const {
  const auto found = std::ranges::find(namespaces_, number, &model::NetNamespace::inode);
  return found == namespaces_.end() ? &foreign_ : &*found;
}

model::RecordedSocket as_talk(model::RecordedSocket failed) {
  failed.role = SocketRole::kOutgoing;
  if (failed.local.port == 0) failed.local.port = 1;  // the kernel had given none yet
  return failed;
}

Subject subject_of(const model::RecordedSocket& socket,
                   std::span<const model::RecordedProcess* const> holders,
                   const model::NetNamespace* netns) {
  Subject out;
  out.protocol = socket.protocol;
  out.local = socket.local;
  out.remote = socket.remote;
  out.interface = socket.interface;
  out.ephemeral = is_handed_out(socket.local.port, netns);
  out.takes_both_families = true;  // the recorder does not know it, so the wider one counts
  if (netns != nullptr) {
    out.own_namespace = netns->own;
    out.netns = netns->name;
  }
  switch (socket.role) {
    case SocketRole::kListener:
      out.role = SubjectRole::kOpen;
      break;
    case SocketRole::kBound:
      out.role = role_without_peer(socket.protocol, SocketState::kClose, out.ephemeral);
      break;
    case SocketRole::kOutgoing:
      out.role = SubjectRole::kOutgoing;
      break;
    case SocketRole::kIncoming:
      out.role = SubjectRole::kServed;
      break;
    case SocketRole::kConnectFailed:
    case SocketRole::kBindFailed:
    case SocketRole::kRefused:
      out.role = SubjectRole::kNotInUse;
      out.unseen = "it came to nothing";
      return out;
  }
  for (const model::RecordedProcess* process : holders) out.holders.push_back(holder_of(*process));
  if (socket.proof == model::OwnerProof::kNone) {
    out.unseen = "the recorder could not see who opened it";
  } else if (socket.proof == model::OwnerProof::kInherited) {
    out.unseen = "only who made the socket is known, and not who has it";
  } else if (holders.size() < 1 + socket.also_held_by.size()) {
    out.unseen = "not every process that held it is known any more";
  }
  return out;
}

}  // namespace ports
