#include "format/event_record.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

model::IpAddress ipv4(const __u8* bytes) {
  uint32_t network_order = 0;
  std::memcpy(&network_order, bytes, sizeof network_order);
  return model::IpAddress::v4(network_order);
}

model::IpAddress address_of(uint8_t family, const __u8 (&bytes)[16]) {
  return family == AF_INET6 ? model::IpAddress::v6(bytes) : ipv4(bytes);
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

/// A socket's record with zeros for what was cut off; nothing when it has none of the three
/// lengths.
std::optional<whole_event_record> copy_socket(std::span<const std::byte> bytes) {
  whole_event_record record;
  const size_t size = bytes.size();
  if (size != sizeof record.socket && size != sizeof(closing_event_record) &&
      size != sizeof record) {
    return std::nullopt;
  }
  std::memset(reinterpret_cast<std::byte*>(&record) + size, 0, sizeof record - size);
  std::memcpy(&record, bytes.data(), size);
  if (record.socket.head.size != size) return std::nullopt;
  return record;
}

void fill_actors(const whole_event_record& record, model::SocketEvent& event) {
  const model::Actor actor = actor_of(record.socket.actor);
  if (record.socket.flags == EVENT_CREATOR_ONLY) {
    event.creator = actor;
    return;
  }
  event.actor = actor;
  event.creator =
      record.socket.flags == EVENT_ACTOR_CREATED ? actor : actor_of(record.rest.creator);
}

base::Result<model::Event> read_socket(std::span<const std::byte> bytes) {
  const auto record = copy_socket(bytes);
  if (!record) return refuse("a socket's event has " + std::to_string(bytes.size()) + " bytes");
  const socket_event_record& socket = record->socket;
  const auto protocol = protocol_of(socket.protocol);
  if (!protocol) return refuse("its protocol is " + std::to_string(socket.protocol));
  const bool ipv6 = socket.family == AF_INET6 && bytes.size() == sizeof(whole_event_record);
  if (!ipv6 && socket.family != AF_INET) {
    return refuse("its address family is " + std::to_string(socket.family) + " in " +
                  std::to_string(bytes.size()) + " bytes");
  }
  if (socket.cookie == 0 || socket.error > kHighestErrno || socket.flags > EVENT_CREATOR_ONLY ||
      !is_sound(record->rest.creator) || !is_sound(socket.actor)) {
    return refuse("its cookie is " + std::to_string(socket.cookie) + ", its error " +
                  std::to_string(socket.error) + ", its flags " + std::to_string(socket.flags) +
                  " and its processes " + std::to_string(record->rest.creator.tgid) + " and " +
                  std::to_string(socket.actor.tgid));
  }
  // Made where it will be handed over from: there are many of these, and they are not small.
  base::Result<model::Event> out(std::in_place, std::in_place_type<model::SocketEvent>);
  auto& event = std::get<model::SocketEvent>(*out);
  event.time_ns = socket.head.time_ns;
  event.cookie = socket.cookie;
  event.created_ns = socket.created_ns;
  event.kind = static_cast<model::SocketEventKind>(socket.head.kind);
  event.protocol = *protocol;
  event.netns = socket.head.netns;
  event.interface = socket.interface;
  event.local = {ipv6 ? model::IpAddress::v6(record->rest.local_ipv6) : ipv4(socket.local_ipv4),
                 socket.local_port};
  event.remote = {ipv6 ? model::IpAddress::v6(record->rest.remote_ipv6) : ipv4(socket.remote_ipv4),
                  socket.remote_port};
  fill_actors(*record, event);
  event.error = static_cast<uint16_t>(socket.error);
  event.totals = {.bytes_sent = record->totals.bytes_sent,
                  .bytes_received = record->totals.bytes_received,
                  .rtt_us = record->totals.rtt_us,
                  .retransmits = record->totals.retransmits};
  return out;
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
