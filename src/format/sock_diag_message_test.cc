#include "format/sock_diag_message.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <cstring>
#include <string_view>

#include <gtest/gtest.h>

namespace {

using format::SockDiagContext;
using model::SocketState;

constexpr uint32_t kSequence = 7;

constexpr uint8_t number(SocketState state) { return static_cast<uint8_t>(state); }

/// Builds a datagram message by message, as the kernel lays it out.
class Datagram {
 public:
  void open_message(uint16_t type, uint16_t flags = NLM_F_MULTI, uint32_t sequence = kSequence) {
    pad(bytes_);
    begin_ = bytes_.size();
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    header.nlmsg_seq = sequence;
    append(header);
  }
  template <class T>
  void append(const T& value) {
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), first, first + sizeof(T));
    set_message_length(static_cast<uint32_t>(bytes_.size() - begin_));
  }
  void attribute(uint16_t type, std::string_view value) {
    pad(bytes_);
    append(nlattr{static_cast<uint16_t>(sizeof(nlattr) + value.size()), type});
    for (const char c : value) append(c);
  }
  void set_message_length(uint32_t length) {
    std::memcpy(bytes_.data() + begin_, &length, sizeof(length));
  }
  void truncate(size_t size) { bytes_.resize(size); }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  static void pad(std::vector<std::byte>& bytes) { bytes.resize((bytes.size() + 3) / 4 * 4); }
  std::vector<std::byte> bytes_;
  size_t begin_ = 0;
};

inet_diag_msg listener_on_22() {
  inet_diag_msg message{};
  message.idiag_family = AF_INET;
  message.idiag_state = number(SocketState::kListen);
  message.id.idiag_sport = htons(22);
  message.id.idiag_src[0] = htonl(0x7f000001);
  message.id.idiag_cookie[0] = 0x89abcdef;
  message.id.idiag_cookie[1] = 0x01234567;
  message.id.idiag_if = 3;
  message.idiag_rqueue = 1;
  message.idiag_wqueue = 128;
  message.idiag_uid = 1000;
  message.idiag_inode = 4242;
  return message;
}

struct Decoded {
  base::Result<format::SockDiagProgress> progress;
  std::vector<model::Socket> sockets;
  std::vector<model::TcpDetail> details;
};

Decoded decode(const Datagram& datagram, bool tcp_detail = false,
               model::Protocol protocol = model::Protocol::kTcp) {
  Decoded out;
  const SockDiagContext context{
      .protocol = protocol, .netns = 99, .sequence = kSequence, .tcp_detail = tcp_detail};
  out.progress = format::decode_sock_diag(datagram.bytes(), context, out.sockets, out.details);
  return out;
}

TEST(SockDiagMessage, DecodesEveryFieldOfAListener) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(listener_on_22());
  const Decoded out = decode(datagram);
  ASSERT_TRUE(out.progress.has_value()) << out.progress.error().message;
  EXPECT_FALSE(out.progress->done);
  ASSERT_EQ(out.sockets.size(), 1U);
  const model::Socket& socket = out.sockets[0];
  EXPECT_EQ(socket.cookie, 0x0123456789abcdefU);
  EXPECT_EQ(socket.inode, 4242U);
  EXPECT_EQ(socket.netns, 99U);
  EXPECT_EQ(socket.uid, 1000U);
  EXPECT_EQ(socket.interface, 3U);
  EXPECT_EQ(socket.receive_queue, 1U);
  EXPECT_EQ(socket.send_queue, 128U);
  EXPECT_EQ(to_string(socket.local), "127.0.0.1:22");
  EXPECT_EQ(socket.remote, model::Endpoint{});
  EXPECT_EQ(socket.state, SocketState::kListen);
  EXPECT_EQ(socket.protocol, model::Protocol::kTcp);
  EXPECT_EQ(socket.timer, model::TimerKind::kOff);
  EXPECT_FALSE(socket.v6only.has_value());
  EXPECT_FALSE(socket.mptcp);
  EXPECT_TRUE(socket.listed);
}

TEST(SockDiagMessage, DecodesIpv6AndV6Only) {
  inet_diag_msg message = listener_on_22();
  message.idiag_family = AF_INET6;
  const in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
  std::memcpy(message.id.idiag_src, &loopback, sizeof(loopback));
  Datagram datagram;
  datagram.open_message(SOCK_DIAG_BY_FAMILY);
  datagram.append(message);
  datagram.attribute(INET_DIAG_SHUTDOWN, std::string_view("\0", 1));
  datagram.attribute(INET_DIAG_SKV6ONLY, "\1");
  const Decoded out = decode(datagram);
  ASSERT_EQ(out.sockets.size(), 1U);
  EXPECT_EQ(to_string(out.sockets[0].local), "[::1]:22");
  EXPECT_EQ(out.sockets[0].v6only, true);
}

TEST(SockDiagMessage, ToldThatADualStackSocketIsNotV6Only) {
  Datagram datagram;
  datagram.open_message(SOCK_DIAG_BY_FAMILY);
  datagram.append(listener_on_22());
  datagram.attribute(INET_DIAG_SKV6ONLY, std::string_view("\0", 1));
  EXPECT_EQ(decode(datagram).sockets.at(0).v6only, false);
}

TEST(SockDiagMessage, DecodesTimerAndRetransmits) {
  inet_diag_msg message = listener_on_22();
  message.idiag_state = number(SocketState::kSynSent);
  message.idiag_timer = 1;
  message.idiag_retrans = 5;
  message.idiag_expires = 12345;
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(message);
  const Decoded out = decode(datagram);
  EXPECT_EQ(out.sockets.at(0).timer, model::TimerKind::kRetransmit);
  EXPECT_EQ(out.sockets.at(0).retransmits, 5);
  EXPECT_EQ(out.sockets.at(0).timer_ms, 12345U);
}

TEST(SockDiagMessage, CallsAClosedTcpSocketBoundButNotAClosedUdpSocket) {
  inet_diag_msg message = listener_on_22();
  message.idiag_state = number(SocketState::kClose);
  Datagram datagram;
  datagram.open_message(SOCK_DIAG_BY_FAMILY);
  datagram.append(message);
  EXPECT_EQ(decode(datagram).sockets.at(0).state, SocketState::kBoundInactive);
  EXPECT_EQ(decode(datagram, false, model::Protocol::kUdp).sockets.at(0).state,
            SocketState::kClose);
}

bool decodes_as_mptcp(uint16_t nested_type, std::string_view value) {
  Datagram nested;
  nested.open_message(0);
  nested.attribute(nested_type, value);
  const std::string_view attributes(
      reinterpret_cast<const char*>(nested.bytes().data()) + sizeof(nlmsghdr),
      nested.bytes().size() - sizeof(nlmsghdr));
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(listener_on_22());
  datagram.attribute(INET_DIAG_ULP_INFO | NLA_F_NESTED, attributes);
  return decode(datagram).sockets.at(0).mptcp;
}

TEST(SockDiagMessage, RecognizesASubflowOfMultipathTcp) {
  EXPECT_TRUE(decodes_as_mptcp(INET_ULP_INFO_NAME, std::string_view("mptcp", 6)));
  EXPECT_TRUE(decodes_as_mptcp(INET_ULP_INFO_MPTCP | NLA_F_NESTED, "anything"));
  EXPECT_FALSE(decodes_as_mptcp(INET_ULP_INFO_NAME, std::string_view("tls", 4)));
  EXPECT_FALSE(decodes_as_mptcp(INET_ULP_INFO_NAME, ""));
}

TEST(SockDiagMessage, KeepsTcpInfoOnlyWhenAskedAndNeverOfListeners) {
  tcp_info info{};
  info.tcpi_rtt = 150;
  info.tcpi_snd_cwnd = 10;
  info.tcpi_snd_ssthresh = 0x7fffffff;
  info.tcpi_pacing_rate = ~uint64_t{0};
  info.tcpi_bytes_acked = uint64_t{5} << 32;
  const std::string_view payload(reinterpret_cast<const char*>(&info), sizeof(info));
  inet_diag_msg message = listener_on_22();
  message.idiag_state = number(SocketState::kEstablished);
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(message);
  datagram.attribute(INET_DIAG_INFO, payload);
  datagram.attribute(INET_DIAG_CONG, std::string_view("cubic", 6));
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(listener_on_22());
  datagram.attribute(INET_DIAG_INFO, payload);
  const Decoded asked = decode(datagram, true);
  ASSERT_EQ(asked.details.size(), 1U);
  EXPECT_EQ(asked.sockets.at(0).detail, 0);
  EXPECT_EQ(asked.sockets.at(1).detail, -1);
  EXPECT_EQ(asked.details[0].rtt_us, 150U);
  EXPECT_EQ(asked.details[0].congestion_window, 10U);
  EXPECT_EQ(asked.details[0].slow_start_threshold, 0U) << "infinite means the kernel is silent";
  EXPECT_EQ(asked.details[0].pacing_rate_bytes_per_s, 0U) << "not paced";
  EXPECT_EQ(asked.details[0].bytes_acked, uint64_t{5} << 32);
  EXPECT_STREQ(asked.details[0].congestion_control, "cubic");
  EXPECT_TRUE(decode(datagram, false).details.empty());
}

TEST(SockDiagMessage, TakesTheShorterTcpInfoOfAnOlderKernel) {
  tcp_info info{};
  info.tcpi_rtt = 150;
  info.tcpi_bytes_acked = 77;
  inet_diag_msg message = listener_on_22();
  message.idiag_state = number(SocketState::kEstablished);
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(message);
  datagram.attribute(INET_DIAG_INFO, {reinterpret_cast<const char*>(&info), 104});  // Linux 2.6
  const Decoded out = decode(datagram, true);
  EXPECT_EQ(out.details.at(0).rtt_us, 150U);
  EXPECT_EQ(out.details.at(0).bytes_acked, 0U);
}

TEST(SockDiagMessage, CutsACongestionControlNameThatFillsItsField) {
  inet_diag_msg message = listener_on_22();
  message.idiag_state = number(SocketState::kEstablished);
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(message);
  datagram.attribute(INET_DIAG_INFO, std::string_view("\0\0\0\0", 4));
  datagram.attribute(INET_DIAG_CONG, "0123456789abcdefghij");
  EXPECT_STREQ(decode(datagram, true).details.at(0).congestion_control, "0123456789abcde");
}

TEST(SockDiagMessage, ReadsSeveralMessagesUpToTheEndOfTheDump) {
  Datagram datagram;
  for (int i = 0; i < 3; ++i) {
    datagram.open_message(TCPDIAG_GETSOCK);
    datagram.append(listener_on_22());
    datagram.attribute(INET_DIAG_SHUTDOWN, std::string_view("\0", 1));
  }
  datagram.open_message(NLMSG_DONE);
  datagram.append(int32_t{0});
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(listener_on_22());
  const Decoded out = decode(datagram);
  EXPECT_TRUE(out.progress->done);
  EXPECT_EQ(out.progress->error_number, 0);
  EXPECT_EQ(out.sockets.size(), 3U);
}

TEST(SockDiagMessage, ReportsTheKernelsRefusal) {
  Datagram datagram;
  datagram.open_message(NLMSG_ERROR, 0);
  datagram.append(nlmsgerr{.error = -ENOENT, .msg = {}});
  const Decoded out = decode(datagram);
  EXPECT_TRUE(out.progress->done);
  EXPECT_EQ(out.progress->error_number, ENOENT);
}

TEST(SockDiagMessage, ReportsADumpThatEndsInAnError) {
  Datagram datagram;
  datagram.open_message(NLMSG_DONE);
  datagram.append(int32_t{-ENOMEM});
  EXPECT_EQ(decode(datagram).progress->error_number, ENOMEM);
}

TEST(SockDiagMessage, ReportsAnInterruptedDump) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK, NLM_F_MULTI | NLM_F_DUMP_INTR);
  datagram.append(listener_on_22());
  EXPECT_TRUE(decode(datagram).progress->interrupted);
}

TEST(SockDiagMessage, SkipsAnswersToAnEarlierRequest) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK, NLM_F_MULTI, kSequence - 1);
  datagram.append(listener_on_22());
  datagram.open_message(NLMSG_DONE, NLM_F_MULTI, kSequence - 1);
  datagram.append(int32_t{0});
  const Decoded out = decode(datagram);
  EXPECT_FALSE(out.progress->done);
  EXPECT_TRUE(out.sockets.empty());
}

TEST(SockDiagMessage, RejectsTruncatedHeader) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.truncate(sizeof(nlmsghdr) - 1);
  const Decoded out = decode(datagram);
  ASSERT_FALSE(out.progress.has_value());
  EXPECT_EQ(out.progress.error().kind, base::ErrorKind::kCorrupt);
}

TEST(SockDiagMessage, RejectsAMessageLongerThanTheDatagram) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(listener_on_22());
  datagram.set_message_length(0xffffffff);
  EXPECT_FALSE(decode(datagram).progress.has_value());
}

TEST(SockDiagMessage, RejectsAMessageShorterThanItsHeader) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(listener_on_22());
  datagram.set_message_length(0);
  EXPECT_FALSE(decode(datagram).progress.has_value());
}

TEST(SockDiagMessage, RejectsATruncatedSocket) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(uint32_t{AF_INET});
  const Decoded out = decode(datagram);
  ASSERT_FALSE(out.progress.has_value());
  EXPECT_TRUE(out.sockets.empty());
}

TEST(SockDiagMessage, RejectsTruncatedAttribute) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(listener_on_22());
  datagram.append(nlattr{.nla_len = 8, .nla_type = INET_DIAG_SHUTDOWN});
  EXPECT_FALSE(decode(datagram).progress.has_value());
}

TEST(SockDiagMessage, RejectsAnAttributeShorterThanItsHeader) {
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(listener_on_22());
  datagram.append(nlattr{.nla_len = 0, .nla_type = INET_DIAG_SHUTDOWN});
  EXPECT_FALSE(decode(datagram).progress.has_value());
}

TEST(SockDiagMessage, RejectsAForeignAddressFamily) {
  inet_diag_msg message = listener_on_22();
  message.idiag_family = AF_UNIX;
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(message);
  EXPECT_FALSE(decode(datagram).progress.has_value());
}

TEST(SockDiagMessage, CallsAStateOfTheFutureUnknown) {
  inet_diag_msg message = listener_on_22();
  message.idiag_state = 200;
  message.idiag_timer = 77;
  Datagram datagram;
  datagram.open_message(TCPDIAG_GETSOCK);
  datagram.append(message);
  EXPECT_EQ(decode(datagram).sockets.at(0).state, SocketState::kUnknown);
  EXPECT_EQ(decode(datagram).sockets.at(0).timer, model::TimerKind::kOff);
}

TEST(SockDiagMessage, AsksForBothFamiliesOfTcpInOneWalk) {
  const auto encoded = format::encode({.sequence = 3});
  nlmsghdr header;
  ASSERT_EQ(encoded.size, sizeof(header) + sizeof(inet_diag_req));
  std::memcpy(&header, encoded.storage.data(), sizeof(header));
  EXPECT_EQ(header.nlmsg_type, TCPDIAG_GETSOCK);
  EXPECT_EQ(header.nlmsg_len, encoded.size);
  EXPECT_EQ(header.nlmsg_seq, 3U);
  EXPECT_EQ(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
}

TEST(SockDiagMessage, AsksForOneFamilyOfUdp) {
  const auto encoded = format::encode({.protocol = model::Protocol::kUdp,
                                       .family = model::Family::kIpv6,
                                       .states = format::state_bit(SocketState::kClose)});
  inet_diag_req_v2 body;
  ASSERT_EQ(encoded.size, sizeof(nlmsghdr) + sizeof(body));
  std::memcpy(&body, encoded.storage.data() + sizeof(nlmsghdr), sizeof(body));
  EXPECT_EQ(body.sdiag_family, AF_INET6);
  EXPECT_EQ(body.sdiag_protocol, IPPROTO_UDP);
  EXPECT_EQ(body.idiag_states, 1U << 7);
  EXPECT_EQ(body.idiag_ext, 0);
}

/// What the kernel's inet_diag_bc_run does with a program of port comparisons and jumps.
bool accepts(std::span<const inet_diag_bc_op> program, uint16_t local, uint16_t remote) {
  size_t at = 0;  // in steps of four bytes
  while (at < program.size()) {
    const inet_diag_bc_op& op = program[at];
    bool yes = false;
    if (op.code != INET_DIAG_BC_JMP) {
      const uint16_t operand = program[at + 1].no;
      yes = op.code == INET_DIAG_BC_S_GE   ? local >= operand
            : op.code == INET_DIAG_BC_S_LE ? local <= operand
            : op.code == INET_DIAG_BC_D_GE ? remote >= operand
                                           : remote <= operand;
    }
    at += (yes ? op.yes : op.no) / sizeof(inet_diag_bc_op);
  }
  return at == program.size();
}

TEST(SockDiagMessage, NarrowsToTheLocalOrTheRemotePort) {
  const auto encoded = format::encode({.ports = model::PortRange{1743, 1844}});
  const size_t prefix = sizeof(nlmsghdr) + sizeof(inet_diag_req);
  nlattr attribute;
  std::memcpy(&attribute, encoded.storage.data() + prefix, sizeof(attribute));
  EXPECT_EQ(attribute.nla_type, INET_DIAG_REQ_BYTECODE);
  ASSERT_EQ(prefix + attribute.nla_len, encoded.size);
  std::vector<inet_diag_bc_op> program((attribute.nla_len - sizeof(attribute)) / 4);
  std::memcpy(program.data(), encoded.storage.data() + prefix + sizeof(attribute),
              program.size() * 4);
  EXPECT_TRUE(accepts(program, 1743, 0));
  EXPECT_TRUE(accepts(program, 1844, 40000));
  EXPECT_TRUE(accepts(program, 40000, 1743));
  EXPECT_TRUE(accepts(program, 1, 1844));
  EXPECT_TRUE(accepts(program, 1743, 1844));
  EXPECT_FALSE(accepts(program, 1742, 0));
  EXPECT_FALSE(accepts(program, 1845, 1742));
  EXPECT_FALSE(accepts(program, 1742, 1845));
  EXPECT_FALSE(accepts(program, 65535, 65535));
}

}  // namespace
