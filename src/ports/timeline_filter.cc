#include "ports/timeline_filter.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace ports {
namespace {

constexpr std::array kNotKept{FilterField::kPackage, FilterField::kHolding,
                              FilterField::kReceiveQueue, FilterField::kSendQueue,
                              FilterField::kInode};

model::SocketState state_of(model::SocketRole role) {
  switch (role) {
    case model::SocketRole::kListener:
      return model::SocketState::kListen;
    case model::SocketRole::kOutgoing:
    case model::SocketRole::kIncoming:
      return model::SocketState::kEstablished;
    case model::SocketRole::kBound:
      return model::SocketState::kClose;
    case model::SocketRole::kConnectFailed:
    case model::SocketRole::kBindFailed:
    case model::SocketRole::kRefused:
      break;
  }
  return model::SocketState::kUnknown;
}

void add_holder(model::Inventory& inventory, const model::RecordedProcess& recorded) {
  model::Process process;
  process.pid = recorded.pid;
  process.uid = recorded.uid;
  process.user = recorded.user;
  process.command = recorded.command;
  process.exe = recorded.exe;
  process.placement.unit = recorded.unit;
  process.placement.container = recorded.container;
  inventory.owners.push_back({static_cast<uint32_t>(inventory.processes.size()), 0, -1});
  inventory.processes.push_back(std::move(process));
}

}  // namespace

base::Result<TimelineFilter> TimelineFilter::parse(std::string_view text, uint32_t own_netns) {
  auto filter = Filter::parse(text);
  if (!filter) return std::unexpected(filter.error());
  for (const FilterField field : kNotKept) {
    if (!filter->uses(field)) continue;
    const auto name = std::ranges::find(filter_fields(), field, &FilterFieldName::field)->name;
    return base::fail(base::ErrorKind::kUsage,
                      "the timeline does not keep \"" + std::string(name) +
                          "\", so it cannot be asked for; `twinport ports` can, of what is open "
                          "now");
  }
  return TimelineFilter(std::move(*filter), own_netns);
}

bool TimelineFilter::matches(const TimelineRow& row) const {
  model::Inventory inventory;
  model::NetNamespace own;
  own.inode = own_netns_;
  own.own = true;
  if (own_netns_ != 0) inventory.namespaces.push_back(own);
  if (row.owner) add_holder(inventory, *row.owner);
  for (const auto& process : row.also_held_by) add_holder(inventory, process);
  model::Socket socket;
  socket.cookie = row.socket.cookie;
  socket.netns = row.socket.netns;
  socket.interface = row.socket.interface;
  socket.protocol = row.socket.protocol;
  socket.state = state_of(row.socket.role);
  socket.local = row.socket.local;
  socket.remote = row.socket.remote;
  socket.owner_count = static_cast<uint32_t>(inventory.owners.size());
  // The filter trusts a uid only where there is a program's side, which an inode stands for.
  socket.inode = row.owner ? 1 : 0;
  socket.uid = row.owner ? row.owner->uid : 0;
  return filter_.matches(inventory, socket);
}

}  // namespace ports
