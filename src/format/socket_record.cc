#include "format/socket_record.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

namespace format {
namespace {

constexpr auto kHighestState = static_cast<uint8_t>(model::SocketState::kBoundInactive);
constexpr uint32_t kHighestNumber = std::numeric_limits<int32_t>::max();

base::Result<void> refuse(const char* record, const std::string& what) {
  return base::fail(base::ErrorKind::kCorrupt,
                    std::string("read a ") + record + " from the kernel: " + what +
                        "; the BPF programs do not match this version of twinport");
}

/// Copies one record to `record` if its size and version are ours.
template <class Record>
base::Result<void> copy(std::span<const std::byte> bytes, const char* name, Record& record) {
  if (bytes.size() < sizeof(Record)) {
    return refuse(name, "it ends after " + std::to_string(bytes.size()) + " of " +
                            std::to_string(sizeof(Record)) + " bytes");
  }
  std::memcpy(&record, bytes.data(), sizeof(Record));
  if (record.size != sizeof(Record) || record.version != SOCKET_RECORD_VERSION) {
    return refuse(name, "its size is " + std::to_string(record.size) + " and its version " +
                            std::to_string(record.version) + " where " +
                            std::to_string(sizeof(Record)) + " and " +
                            std::to_string(SOCKET_RECORD_VERSION) + " were expected");
  }
  return {};
}

std::optional<model::Protocol> protocol_of(const socket_facts& facts) {
  if (facts.type == SOCK_RAW) return model::Protocol::kRaw;
  switch (facts.protocol) {
    case IPPROTO_TCP:
    case IPPROTO_MPTCP:
      return facts.type == SOCK_STREAM ? std::optional(model::Protocol::kTcp) : std::nullopt;
    case IPPROTO_UDP:
      return facts.type == SOCK_DGRAM ? std::optional(model::Protocol::kUdp) : std::nullopt;
    case IPPROTO_UDPLITE:
      return facts.type == SOCK_DGRAM ? std::optional(model::Protocol::kUdpLite) : std::nullopt;
    default:
      return std::nullopt;
  }
}

bool is_mptcp(const socket_facts& facts) {
  return facts.protocol == IPPROTO_MPTCP && facts.type == SOCK_STREAM;
}

model::IpAddress address_of(const socket_facts& facts, const __u8 (&bytes)[16]) {
  if (facts.family == AF_INET6) return model::IpAddress::v6(bytes);
  uint32_t network_order = 0;
  std::memcpy(&network_order, bytes, sizeof network_order);
  return model::IpAddress::v4(network_order);
}

}  // namespace

base::Result<void> take(std::span<const std::byte>& bytes, socket_record& record) {
  constexpr const char* kName = "descriptor record";
  socket_record copied;
  if (auto whole = copy(bytes, kName, copied); !whole) return whole;
  const socket_facts& facts = copied.facts;
  if (facts.family != AF_INET && facts.family != AF_INET6) {
    return refuse(kName, "its address family is " + std::to_string(facts.family));
  }
  if (!protocol_of(facts)) {
    return refuse(kName, "its socket type is " + std::to_string(facts.type) + " and its protocol " +
                             std::to_string(facts.protocol));
  }
  if (facts.state == 0 || facts.state > kHighestState) {
    return refuse(kName, "its socket state is " + std::to_string(facts.state));
  }
  if (copied.tgid == 0 || copied.tgid > kHighestNumber || copied.tid == 0 ||
      copied.tid > kHighestNumber || copied.fd > kHighestNumber || copied.inode == 0) {
    return refuse(kName, "its process is " + std::to_string(copied.tgid) + ", its thread " +
                             std::to_string(copied.tid) + ", its descriptor " +
                             std::to_string(copied.fd) + " and its inode " +
                             std::to_string(copied.inode));
  }
  record = copied;
  bytes = bytes.subspan(sizeof copied);
  return {};
}

base::Result<void> take(std::span<const std::byte>& bytes, socket_evidence& evidence) {
  socket_evidence copied;
  if (auto whole = copy(bytes, "socket's evidence", copied); !whole) return whole;
  evidence = copied;
  bytes = bytes.subspan(sizeof copied);
  return {};
}

model::Holder holder_of(const socket_record& record) {
  model::Holder holder;
  holder.inode = record.inode;
  holder.cookie = record.cookie;
  holder.start_time_ns = record.start_time_ns;
  holder.pid = static_cast<int32_t>(record.tgid);
  holder.tid = static_cast<int32_t>(record.tid);
  holder.fd = static_cast<int32_t>(record.fd);
  holder.mptcp = is_mptcp(record.facts);
  return holder;
}

model::Socket socket_of(uint64_t inode, uint64_t cookie, const socket_facts& facts) {
  model::Socket socket;
  socket.cookie = cookie;
  socket.inode = inode;
  socket.netns = facts.netns;
  socket.uid = facts.uid;
  socket.interface = facts.interface;
  socket.receive_queue = facts.receive_queue;
  socket.send_queue = facts.send_queue;
  socket.protocol = protocol_of(facts).value_or(model::Protocol::kRaw);
  socket.state = static_cast<model::SocketState>(facts.state);
  socket.local = {address_of(facts, facts.local_address), facts.local_port};
  socket.remote = {address_of(facts, facts.remote_address), facts.remote_port};
  const bool closed = socket.state == model::SocketState::kClose;
  if (closed && socket.protocol == model::Protocol::kTcp) {
    socket.state = model::SocketState::kBoundInactive;
    socket.remote = {model::IpAddress::any(socket.local.address.family), 0};
  }
  if (facts.family == AF_INET6 && (closed || socket.state == model::SocketState::kListen)) {
    socket.v6only = (facts.flags & SOCKET_FACTS_V6ONLY) != 0;
  }
  socket.mptcp = is_mptcp(facts);
  return socket;
}

std::string_view command_of(const socket_record& record) {
  const std::string_view all(record.command, sizeof record.command);
  return all.substr(0, all.find('\0'));
}

}  // namespace format
