#include "format/sock_diag_message.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <tuple>

namespace format {
namespace {

constexpr size_t align4(size_t size) { return (size + 3) & ~size_t{3}; }

/// Appends plain structs to the fixed storage of a request.
class RequestWriter {
 public:
  explicit RequestWriter(SockDiagRequestBytes& out) : out_(out) {}

  template <class T>
  void put(const T& value) {
    static_assert(sizeof(T) % 4 == 0);
    std::memcpy(out_.storage.data() + out_.size, &value, sizeof(T));
    out_.size += sizeof(T);
  }

 private:
  SockDiagRequestBytes& out_;
};

/// The filter program "the local or the remote port is in the range". A step goes `yes` bytes
/// forward when its test holds and `no` bytes when it does not; a comparison's operand is the `no`
/// of the step after it. To end exactly behind the program accepts, to end 4 bytes further rejects.
/// The kernel audits the program by following `yes` only, so alternatives are joined by a jump.
std::array<inet_diag_bc_op, 9> port_filter(model::PortRange ports) {
  const auto operand = [](uint16_t port) {
    return inet_diag_bc_op{.code = INET_DIAG_BC_NOP, .yes = 0, .no = port};
  };
  return {{
      {.code = INET_DIAG_BC_S_GE, .yes = 8, .no = 20},  // at 0; else try the remote port, at 20
      operand(ports.first),
      {.code = INET_DIAG_BC_S_LE, .yes = 8, .no = 12},  // at 8; else the remote port
      operand(ports.last),
      {.code = INET_DIAG_BC_JMP, .yes = 4, .no = 20},   // at 16; to 36, accept
      {.code = INET_DIAG_BC_D_GE, .yes = 8, .no = 20},  // at 20; else 40, reject
      operand(ports.first),
      {.code = INET_DIAG_BC_D_LE, .yes = 8, .no = 12},  // at 28; else 40, reject
      operand(ports.last),
  }};
}

/// Reads a struct of which the sender may know fewer or more fields than we: what is missing is 0.
template <class T>
T read_prefix(std::span<const std::byte> bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof(T), bytes.size()));
  return value;
}

std::unexpected<base::Error> corrupt(const char* what, size_t claimed, size_t available) {
  return base::fail(base::ErrorKind::kCorrupt,
                    std::string("a sock_diag answer has ") + what + " of " +
                        std::to_string(claimed) + " bytes where " + std::to_string(available) +
                        " are left; the kernel and this program disagree about the format");
}

model::TcpDetail to_detail(std::span<const std::byte> payload) {
  constexpr uint32_t kInfiniteThreshold = 0x7fffffff;  // TCP_INFINITE_SSTHRESH
  const auto info = read_prefix<tcp_info>(payload);
  model::TcpDetail detail;
  detail.rtt_us = info.tcpi_rtt;
  detail.rtt_variation_us = info.tcpi_rttvar;
  detail.rto_us = info.tcpi_rto;
  detail.send_mss_bytes = info.tcpi_snd_mss;
  detail.receive_mss_bytes = info.tcpi_rcv_mss;
  detail.path_mtu_bytes = info.tcpi_pmtu;
  detail.congestion_window = info.tcpi_snd_cwnd;
  if (info.tcpi_snd_ssthresh < kInfiniteThreshold) {
    detail.slow_start_threshold = info.tcpi_snd_ssthresh;
  }
  detail.retransmits_total = info.tcpi_total_retrans;
  detail.lost = info.tcpi_lost;
  detail.reordering = info.tcpi_reordering;
  detail.last_data_sent_ms = info.tcpi_last_data_sent;
  detail.last_data_received_ms = info.tcpi_last_data_recv;
  detail.bytes_sent = info.tcpi_bytes_sent;
  detail.bytes_acked = info.tcpi_bytes_acked;
  detail.bytes_received = info.tcpi_bytes_received;
  detail.segments_out = info.tcpi_segs_out;
  detail.segments_in = info.tcpi_segs_in;
  detail.delivery_rate_bytes_per_s = info.tcpi_delivery_rate;
  if (info.tcpi_pacing_rate != ~uint64_t{0}) {  // which means "not paced"
    detail.pacing_rate_bytes_per_s = info.tcpi_pacing_rate;
  }
  return detail;
}

/// Calls `take(type, value)` for each attribute. False: a length contradicts the space left.
template <class Take>
base::Result<void> for_each_attribute(std::span<const std::byte> bytes, const Take& take) {
  while (bytes.size() >= sizeof(nlattr)) {
    const auto header = read_prefix<nlattr>(bytes);
    if (header.nla_len < sizeof(nlattr) || header.nla_len > bytes.size()) {
      return corrupt("an attribute", header.nla_len, bytes.size());
    }
    take(header.nla_type & NLA_TYPE_MASK,
         bytes.subspan(sizeof(nlattr), header.nla_len - sizeof(nlattr)));
    bytes = bytes.subspan(std::min(align4(header.nla_len), bytes.size()));
  }
  return {};
}

/// Text in an attribute, which the kernel may or may not end with a NUL.
std::string_view to_text(std::span<const std::byte> value) {
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  return text.substr(0, text.find('\0'));
}

bool is_mptcp(std::span<const std::byte> ulp_info) {
  bool found = false;
  // A nested fault means only that we cannot tell; the socket itself is sound. A listener has the
  // name alone, a connection its subflow's facts too.
  std::ignore = for_each_attribute(ulp_info, [&](int type, std::span<const std::byte> value) {
    found = found || type == INET_ULP_INFO_MPTCP ||
            (type == INET_ULP_INFO_NAME && to_text(value) == "mptcp");
  });
  return found;
}

model::TimerKind to_timer(uint8_t number) {
  return number <= static_cast<uint8_t>(model::TimerKind::kPersist)
             ? static_cast<model::TimerKind>(number)
             : model::TimerKind::kOff;
}

model::SocketState to_state(uint8_t number, model::Protocol protocol) {
  if (number > static_cast<uint8_t>(model::SocketState::kBoundInactive)) {
    return model::SocketState::kUnknown;
  }
  const auto state = static_cast<model::SocketState>(number);
  // The kernel lists a closed TCP socket only when it is bound (Linux 6.8).
  if (protocol == model::Protocol::kTcp && state == model::SocketState::kClose) {
    return model::SocketState::kBoundInactive;
  }
  return state;
}

model::IpAddress to_address(uint8_t family, const uint32_t* words) {
  if (family == AF_INET) return model::IpAddress::v4(words[0]);
  return model::IpAddress::v6(reinterpret_cast<const uint8_t*>(words));
}

model::Socket to_socket(const inet_diag_msg& message, const SockDiagContext& context) {
  const inet_diag_sockid& id = message.id;
  model::Socket socket;
  socket.cookie = uint64_t{id.idiag_cookie[1]} << 32 | id.idiag_cookie[0];
  socket.inode = message.idiag_inode;
  socket.netns = context.netns;
  socket.uid = message.idiag_uid;
  socket.interface = id.idiag_if;
  socket.receive_queue = message.idiag_rqueue;
  socket.send_queue = message.idiag_wqueue;
  socket.timer_ms = message.idiag_expires;
  socket.local = {to_address(message.idiag_family, id.idiag_src), ntohs(id.idiag_sport)};
  socket.remote = {to_address(message.idiag_family, id.idiag_dst), ntohs(id.idiag_dport)};
  socket.protocol = context.protocol;
  socket.state = to_state(message.idiag_state, context.protocol);
  socket.timer = to_timer(message.idiag_timer);
  socket.retransmits = message.idiag_retrans;
  return socket;
}

base::Result<void> take_socket(std::span<const std::byte> body, const SockDiagContext& context,
                               std::vector<model::Socket>& sockets,
                               std::vector<model::TcpDetail>& details) {
  if (body.size() < sizeof(inet_diag_msg)) {
    return corrupt("a socket record", sizeof(inet_diag_msg), body.size());
  }
  const auto message = read_prefix<inet_diag_msg>(body);
  if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6) {
    return base::fail(base::ErrorKind::kCorrupt,
                      "a sock_diag answer has a socket of address family " +
                          std::to_string(message.idiag_family) + "; only IPv4 and IPv6 were asked");
  }
  model::Socket socket = to_socket(message, context);
  std::span<const std::byte> info;
  std::string_view congestion;
  auto attributes = for_each_attribute(body.subspan(sizeof(inet_diag_msg)),
                                       [&](int type, std::span<const std::byte> value) {
                                         if (type == INET_DIAG_SKV6ONLY && !value.empty()) {
                                           socket.v6only = value[0] != std::byte{0};
                                         } else if (type == INET_DIAG_ULP_INFO) {
                                           socket.mptcp = is_mptcp(value);
                                         } else if (type == INET_DIAG_INFO) {
                                           info = value;
                                         } else if (type == INET_DIAG_CONG) {
                                           congestion = to_text(value);
                                         }
                                       });
  if (!attributes) return attributes;
  if (context.tcp_detail && !info.empty() && socket.state != model::SocketState::kListen) {
    model::TcpDetail detail = to_detail(info);
    congestion.copy(detail.congestion_control, sizeof(detail.congestion_control) - 1);
    socket.detail = static_cast<int32_t>(details.size());
    details.push_back(detail);
  }
  sockets.push_back(socket);
  return {};
}

/// NLMSG_DONE and NLMSG_ERROR begin with a negative errno, or 0; DONE may leave it out.
int to_error_number(std::span<const std::byte> body) {
  const auto number = read_prefix<int32_t>(body);
  return number < 0 && number >= -4095 ? -number : 0;
}

}  // namespace

SockDiagRequestBytes encode(const SockDiagRequest& request) {
  SockDiagRequestBytes out;
  RequestWriter writer(out);
  const bool both_families =
      !request.family.has_value() && request.protocol == model::Protocol::kTcp;
  const uint8_t extensions =
      request.tcp_detail ? 1U << (INET_DIAG_INFO - 1) | 1U << (INET_DIAG_CONG - 1) : 0;

  nlmsghdr header{};
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header.nlmsg_seq = request.sequence;
  header.nlmsg_type = both_families ? uint16_t{TCPDIAG_GETSOCK} : uint16_t{SOCK_DIAG_BY_FAMILY};
  writer.put(header);
  if (both_families) {
    inet_diag_req body{};
    body.idiag_family = AF_UNSPEC;
    body.idiag_states = request.states;
    body.idiag_ext = extensions;
    writer.put(body);
  } else {
    inet_diag_req_v2 body{};
    body.sdiag_family = request.family == model::Family::kIpv6 ? AF_INET6 : AF_INET;
    body.sdiag_protocol = static_cast<uint8_t>(request.protocol);
    body.idiag_states = request.states;
    body.idiag_ext = extensions;
    writer.put(body);
  }
  if (request.ports) {
    const auto program = port_filter(*request.ports);
    nlattr attribute{};
    attribute.nla_type = INET_DIAG_REQ_BYTECODE;
    attribute.nla_len = sizeof(nlattr) + sizeof(program);
    writer.put(attribute);
    writer.put(program);
  }
  header.nlmsg_len = static_cast<uint32_t>(out.size);
  std::memcpy(out.storage.data(), &header, sizeof(header));
  return out;
}

base::Result<SockDiagProgress> decode_sock_diag(std::span<const std::byte> datagram,
                                                const SockDiagContext& context,
                                                std::vector<model::Socket>& sockets,
                                                std::vector<model::TcpDetail>& details) {
  SockDiagProgress progress;
  while (!datagram.empty() && !progress.done) {
    if (datagram.size() < sizeof(nlmsghdr)) {
      return corrupt("a message header", sizeof(nlmsghdr), datagram.size());
    }
    const auto header = read_prefix<nlmsghdr>(datagram);
    if (header.nlmsg_len < sizeof(nlmsghdr) || header.nlmsg_len > datagram.size()) {
      return corrupt("a message", header.nlmsg_len, datagram.size());
    }
    const auto body = datagram.subspan(sizeof(nlmsghdr), header.nlmsg_len - sizeof(nlmsghdr));
    datagram = datagram.subspan(std::min(align4(header.nlmsg_len), datagram.size()));
    if (header.nlmsg_seq != context.sequence) continue;
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) progress.interrupted = true;
    switch (header.nlmsg_type) {
      case NLMSG_DONE:
      case NLMSG_ERROR:
        progress.done = true;
        progress.error_number = to_error_number(body);
        break;
      case SOCK_DIAG_BY_FAMILY:
      case TCPDIAG_GETSOCK:
        if (auto taken = take_socket(body, context, sockets, details); !taken) {
          return std::unexpected(taken.error());
        }
        break;
      default:
        break;
    }
  }
  return progress;
}

}  // namespace format
