#include "format/event_record.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace format {
namespace {

constexpr uint32_t kHighestNumber = std::numeric_limits<int32_t>::max();
constexpr uint32_t kHighestErrno = 4095;  // MAX_ERRNO in include/linux/err.h

std::unexpected<base::Error> refuse(const std::string& what) {
  return base::fail(base::ErrorKind::kCorrupt,
                    "read an event from the kernel: " + what +
                        "; the BPF programs do not match this version of twinport");
}

template <class Record>
std::optional<Record> copy(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(Record)) return std::nullopt;
  Record record;
  std::memcpy(&record, bytes.data(), sizeof record);
  if (record.head.size != sizeof record) return std::nullopt;
  return record;
}

model::IpAddress address_of(uint8_t family, const __u8 (&bytes)[16]) {
  if (family == AF_INET6) return model::IpAddress::v6(bytes);
  uint32_t network_order = 0;
  std::memcpy(&network_order, bytes, sizeof network_order);
  return model::IpAddress::v4(network_order);
}

bool is_sound(const event_actor& actor) { return actor.tgid <= kHighestNumber; }

model::Actor actor_of(const event_actor& actor) {
  model::Actor out;
  if (actor.tgid == 0) return out;  // nobody: the rest means nothing
  out.pid = static_cast<int32_t>(actor.tgid);
  out.uid = actor.uid;
  out.start_time_ns = actor.start_time_ns;
  out.cgroup_id = actor.cgroup_id;
  static_assert(sizeof out.command == sizeof actor.command);
  std::memcpy(out.command.data(), actor.command, sizeof actor.command);
  return out;
}

std::optional<model::Protocol> protocol_of(uint16_t number) {
  switch (number) {
    case IPPROTO_TCP:
    case IPPROTO_MPTCP:
      return model::Protocol::kTcp;
    case IPPROTO_UDP:
      return model::Protocol::kUdp;
    case IPPROTO_UDPLITE:
      return model::Protocol::kUdpLite;
    default:
      return std::nullopt;
  }
}

base::Result<model::Event> read_socket(std::span<const std::byte> bytes) {
  const auto record = copy<socket_event_record>(bytes);
  if (!record) return refuse("a socket's event has " + std::to_string(bytes.size()) + " bytes");
  const auto protocol = protocol_of(record->protocol);
  if (!protocol) return refuse("its protocol is " + std::to_string(record->protocol));
  if (record->family != AF_INET && record->family != AF_INET6) {
    return refuse("its address family is " + std::to_string(record->family));
  }
  if (record->cookie == 0 || record->error > kHighestErrno || !is_sound(record->creator) ||
      !is_sound(record->actor)) {
    return refuse("its cookie is " + std::to_string(record->cookie) + ", its error " +
                  std::to_string(record->error) + " and its processes " +
                  std::to_string(record->creator.tgid) + " and " +
                  std::to_string(record->actor.tgid));
  }
  model::SocketEvent event;
  event.time_ns = record->head.time_ns;
  event.cookie = record->cookie;
  event.created_ns = record->created_ns;
  event.kind = static_cast<model::SocketEventKind>(record->head.kind);
  event.protocol = *protocol;
  event.netns = record->head.netns;
  event.interface = record->interface;
  event.local = {address_of(record->family, record->local_address), record->local_port};
  event.remote = {address_of(record->family, record->remote_address), record->remote_port};
  event.creator = actor_of(record->creator);
  event.actor = actor_of(record->actor);
  event.error = static_cast<uint16_t>(record->error);
  event.totals = {.bytes_sent = record->bytes_sent,
                  .bytes_received = record->bytes_received,
                  .rtt_us = record->rtt_us,
                  .retransmits = record->retransmits};
  return event;
}

base::Result<model::Event> read_reset(std::span<const std::byte> bytes) {
  const auto record = copy<reset_event_record>(bytes);
  if (!record) return refuse("a reset's event has " + std::to_string(bytes.size()) + " bytes");
  if (record->family != AF_INET && record->family != AF_INET6) {
    return refuse("its address family is " + std::to_string(record->family));
  }
  model::ResetEvent event;
  event.time_ns = record->head.time_ns;
  event.netns = record->head.netns;
  event.local = {address_of(record->family, record->local_address), record->local_port};
  event.remote = {address_of(record->family, record->remote_address), record->remote_port};
  return event;
}

base::Result<model::Event> read_process(std::span<const std::byte> bytes,
                                        model::ProcessEventKind kind) {
  const auto record = copy<process_event_record>(bytes);
  if (!record) return refuse("a process' event has " + std::to_string(bytes.size()) + " bytes");
  if (!is_sound(record->process) || record->parent_tgid > kHighestNumber) {
    return refuse("its process is " + std::to_string(record->process.tgid) + " and its parent " +
                  std::to_string(record->parent_tgid));
  }
  model::ProcessEvent event;
  event.time_ns = record->head.time_ns;
  event.kind = kind;
  event.process = actor_of(record->process);
  event.parent_pid = static_cast<int32_t>(record->parent_tgid);
  event.parent_start_time_ns = record->parent_start_time_ns;
  const std::string_view exe(record->exe, sizeof record->exe);
  event.exe = exe.substr(0, exe.find('\0'));
  return event;
}

}  // namespace

base::Result<model::Event> read_event(std::span<const std::byte> record) {
  event_head head;
  if (record.size() < sizeof head) {
    return refuse("it has " + std::to_string(record.size()) + " bytes");
  }
  std::memcpy(&head, record.data(), sizeof head);
  if (head.version != EVENT_RECORD_VERSION) {
    return refuse("its version is " + std::to_string(head.version) + " where " +
                  std::to_string(EVENT_RECORD_VERSION) + " was expected");
  }
  switch (head.kind) {
    case EVENT_BOUND:
    case EVENT_LISTENING:
    case EVENT_CONNECTED:
    case EVENT_ACCEPTED:
    case EVENT_CLOSED:
    case EVENT_CONNECT_FAILED:
    case EVENT_BIND_FAILED:
      return read_socket(record);
    case EVENT_RESET_SENT:
      return read_reset(record);
    case EVENT_FORK:
      return read_process(record, model::ProcessEventKind::kFork);
    case EVENT_EXEC:
      return read_process(record, model::ProcessEventKind::kExec);
    case EVENT_EXIT:
      return read_process(record, model::ProcessEventKind::kExit);
    default:
      return refuse("its kind is " + std::to_string(head.kind));
  }
}

}  // namespace format
