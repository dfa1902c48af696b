#include "format/socket_record.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
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

base::Result<void> refuse_short(const char* record, size_t present, size_t needed) {
  return refuse(record, "it ends after " + std::to_string(present) + " of " +
                            std::to_string(needed) + " bytes");
}

base::Result<void> refuse_kind(const char* record, unsigned size, unsigned version, size_t ours) {
  return refuse(record, "its size is " + std::to_string(size) + " and its version " +
                            std::to_string(version) + " where " + std::to_string(ours) + " and " +
                            std::to_string(SOCKET_RECORD_VERSION) + " were expected");
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

base::Result<void> check_facts(const char* record, const socket_facts& facts) {
  if (facts.family != AF_INET && facts.family != AF_INET6) {
    return refuse(record, "its address family is " + std::to_string(facts.family));
  }
  if (!protocol_of(facts)) {
    return refuse(record, "its socket type is " + std::to_string(facts.type) +
                              " and its protocol " + std::to_string(facts.protocol));
  }
  if (facts.state == 0 || facts.state > kHighestState) {
    return refuse(record, "its socket state is " + std::to_string(facts.state));
  }
  return {};
}

}  // namespace

size_t size_of_next(std::span<const std::byte> bytes) {
  uint16_t size = 0;
  if (bytes.size() < sizeof size) return bytes.size() + 1;
  std::memcpy(&size, bytes.data(), sizeof size);
  return std::max<size_t>(size, 1);
}

base::Result<void> take(std::span<const std::byte>& bytes, socket_record& record) {
  constexpr const char* kName = "descriptor record";
  if (bytes.size() < sizeof record) return refuse_short(kName, bytes.size(), sizeof record);
  socket_record copied;
  std::memcpy(&copied, bytes.data(), sizeof copied);
  if (copied.size != sizeof copied || copied.version != SOCKET_RECORD_VERSION) {
    return refuse_kind(kName, copied.size, copied.version, sizeof copied);
  }
  if (auto checked = check_facts(kName, copied.facts); !checked) return checked;
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

base::Result<void> take(std::span<const std::byte>& bytes, TableEntry& entry) {
  constexpr const char* kName = "table record";
  socket_listing listing;
  if (bytes.size() < sizeof listing) return refuse_short(kName, bytes.size(), sizeof listing);
  std::memcpy(&listing, bytes.data(), sizeof listing);
  if ((listing.size != sizeof listing && listing.size != sizeof(table_record)) ||
      listing.version != SOCKET_RECORD_VERSION) {
    return refuse_kind(kName, listing.size, listing.version, sizeof listing);
  }
  if (bytes.size() < listing.size) return refuse_short(kName, bytes.size(), listing.size);
  std::optional<socket_facts> facts;
  uint64_t socket = 0;
  if (listing.size == sizeof(table_record)) {
    table_record whole;
    std::memcpy(&whole, bytes.data(), sizeof whole);
    if (auto checked = check_facts(kName, whole.facts); !checked) return checked;
    facts = whole.facts;
    socket = whole.socket;
  } else if (listing.flags != SOCKET_EVIDENCE_SOCKET) {
    return refuse(kName, "it has neither facts nor a descriptor that has them");
  }
  if (listing.cookie == 0) return refuse(kName, "it has no cookie");
  entry.listing = listing;
  entry.facts = facts;
  entry.socket = socket;
  bytes = bytes.subspan(listing.size);
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
