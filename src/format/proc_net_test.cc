#include "format/proc_net.h"

#include <string>

#include <gtest/gtest.h>

namespace {

using model::Protocol;
using model::SocketState;

constexpr std::string_view kTcpHeader =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode                                                     \n";

struct Decoded {
  base::Result<size_t> used;
  std::vector<model::Socket> sockets;
};

Decoded decode(std::string_view text, Protocol protocol = Protocol::kTcp) {
  Decoded out;
  out.used = format::decode_proc_net(text, {.protocol = protocol, .netns = 5}, out.sockets);
  return out;
}

TEST(ProcNet, DecodesAListener) {
  const std::string text =
      std::string(kTcpHeader) +
      "   0: 0100007F:07E8 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 "
      "1582 1 ffff8b2d01e1a300 100 0 0 10 0                     \n";
  const Decoded out = decode(text);
  ASSERT_TRUE(out.used.has_value()) << out.used.error().message;
  EXPECT_EQ(*out.used, text.size());
  ASSERT_EQ(out.sockets.size(), 1U);
  const model::Socket& socket = out.sockets[0];
  EXPECT_EQ(to_string(socket.local), "127.0.0.1:2024");
  EXPECT_EQ(socket.remote, model::Endpoint{});
  EXPECT_EQ(socket.state, SocketState::kListen);
  EXPECT_EQ(socket.receive_queue, 3U);
  EXPECT_EQ(socket.send_queue, 0U);
  EXPECT_EQ(socket.uid, 1000U);
  EXPECT_EQ(socket.inode, 1582U);
  EXPECT_EQ(socket.cookie, 0U);
  EXPECT_EQ(socket.netns, 5U);
  EXPECT_EQ(socket.timer, model::TimerKind::kOff);
  EXPECT_FALSE(socket.v6only.has_value());
}

TEST(ProcNet, DecodesIpv6) {
  const Decoded out = decode(
      "   1: B80D0120000000000000000001000000:01BB 0000000000000000FFFF00000100007F:D431 01 "
      "00000001:00000002 02:00000400 00000000     0        0 99 2 ffff8b2d01e1a300 20 4 31 10 "
      "-1\n");
  ASSERT_EQ(out.sockets.size(), 1U);
  EXPECT_EQ(to_string(out.sockets[0].local), "[2001:db8::1]:443");
  EXPECT_EQ(to_string(out.sockets[0].remote), "[::ffff:127.0.0.1]:54321");
  EXPECT_EQ(out.sockets[0].send_queue, 1U);
  EXPECT_EQ(out.sockets[0].receive_queue, 2U);
  EXPECT_EQ(out.sockets[0].timer, model::TimerKind::kKeepalive);
  EXPECT_EQ(out.sockets[0].timer_ms, 10240U);
}

TEST(ProcNet, CountsRetransmitsAndProbesOfAZeroWindow) {
  const Decoded out = decode(
      "   2: 0100007F:1388 0100007F:C350 02 00000001:00000000 01:00000064 00000005     0        0 "
      "7 1 f 100 0 0 10 0\n"
      "   3: 0100007F:1388 0100007F:C351 01 00000001:00000000 04:00000064 00000000     0        6 "
      "8 1 f 100 0 0 10 0\n");
  ASSERT_EQ(out.sockets.size(), 2U);
  EXPECT_EQ(out.sockets[0].timer, model::TimerKind::kRetransmit);
  EXPECT_EQ(out.sockets[0].timer_ms, 1000U);
  EXPECT_EQ(out.sockets[0].retransmits, 5);
  EXPECT_EQ(out.sockets[1].timer, model::TimerKind::kPersist);
  EXPECT_EQ(out.sockets[1].retransmits, 6);
}

TEST(ProcNet, NamesNobodyForTimeWait) {
  const Decoded out = decode(
      "   4: 0100007F:1389 0100007F:D2CA 06 00000000:00000000 03:00000176 00000000     0        0 "
      "0 3 ffff8b2d0a3d1c98\n");
  ASSERT_EQ(out.sockets.size(), 1U);
  EXPECT_EQ(out.sockets[0].state, SocketState::kTimeWait);
  EXPECT_EQ(out.sockets[0].timer, model::TimerKind::kTimeWait);
  EXPECT_EQ(out.sockets[0].inode, 0U);
  EXPECT_EQ(out.sockets[0].uid, 0U);
}

TEST(ProcNet, DropsTheUidOfAHandshakeThatHasNoInode) {
  const Decoded out = decode(
      "   5: 0100007F:1389 0100007F:D2CA 03 00000000:00000000 01:00000010 00000000  1000        0 "
      "0 1 ffff8b2d0a3d1c98\n");
  EXPECT_EQ(out.sockets.at(0).uid, 0U);
  EXPECT_EQ(out.sockets.at(0).state, SocketState::kSynReceived);
}

TEST(ProcNet, DecodesUdpAndItsWiderSlotColumn) {
  const Decoded out = decode(
      "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode ref pointer drops             \n"
      "12345: 00000000:0044 00000000:0000 07 00000000:00000500 00:00000000 00000000     0        0 "
      "20 2 ffff8b2d01e1a300 7         \n",
      Protocol::kUdp);
  ASSERT_EQ(out.sockets.size(), 1U);
  EXPECT_EQ(out.sockets[0].state, SocketState::kClose);
  EXPECT_EQ(out.sockets[0].protocol, Protocol::kUdp);
  EXPECT_EQ(out.sockets[0].receive_queue, 0x500U);
  EXPECT_TRUE(out.sockets[0].is_listener());
}

TEST(ProcNet, DecodesTheProtocolNumberOfARawSocket) {
  const Decoded out = decode(
      "   1: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 "
      "21 2 ffff8b2d01e1a300 0\n",
      Protocol::kRaw);
  EXPECT_EQ(out.sockets.at(0).local.port, 1);
  EXPECT_EQ(out.sockets.at(0).protocol, Protocol::kRaw);
}

TEST(ProcNet, LeavesAnUnfinishedLineToTheCaller) {
  const std::string line =
      "   0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
      "1582 1 f 100 0 0 10 0\n";
  const Decoded out = decode(line + line.substr(0, 40));
  ASSERT_TRUE(out.used.has_value());
  EXPECT_EQ(*out.used, line.size());
  EXPECT_EQ(out.sockets.size(), 1U);
}

TEST(ProcNet, TakesNothingFromNothing) {
  EXPECT_EQ(*decode("").used, 0U);
  EXPECT_TRUE(decode(kTcpHeader).sockets.empty());
}

struct Hostile {
  const char* name;
  const char* line;
};
class ProcNetRefuses : public ::testing::TestWithParam<Hostile> {};

TEST_P(ProcNetRefuses, AndQuotesTheLine) {
  const Decoded out = decode(std::string(GetParam().line) + "\n");
  ASSERT_FALSE(out.used.has_value());
  EXPECT_EQ(out.used.error().kind, base::ErrorKind::kCorrupt);
  EXPECT_TRUE(out.sockets.empty());
}

INSTANTIATE_TEST_SUITE_P(
    ProcNet, ProcNetRefuses,
    ::testing::Values(
        Hostile{"EmptyLine", ""}, Hostile{"NoColonAfterTheSlot", "0 0100007F:07E8"},
        Hostile{"TooFewColumns", "0: 0100007F:07E8 00000000:0000 0A 00000000:00000000"},
        Hostile{"AddressOfOddLength",
                "0: 100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1"},
        Hostile{"FamiliesThatDiffer",
                "0: 0100007F:07E8 00000000000000000000000000000000:0000 0A 00000000:00000000 "
                "00:00000000 00000000 0 0 1"},
        Hostile{"LettersInANumber",
                "0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 x 0 1"},
        Hostile{"NegativeInode",
                "0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 -1"},
        Hostile{"PortOfFiveDigits",
                "0: 0100007F:107E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1"},
        Hostile{"ControlCharacters", "\x1b[31m"}),
    [](const auto& test) { return test.param.name; });

TEST(ProcNet, NeverQuotesControlCharactersOrWholePages) {
  const Decoded out = decode("\x1b[31m" + std::string(5000, 'x') + "\n");
  ASSERT_FALSE(out.used.has_value());
  EXPECT_EQ(out.used.error().message.find('\x1b'), std::string::npos);
  EXPECT_LT(out.used.error().message.size(), 300U);
}

TEST(ProcNet, KeepsWhatCameBeforeTheFault) {
  const Decoded out = decode(
      "   0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
      "1582 1 f 100 0 0 10 0\nnonsense\n");
  EXPECT_FALSE(out.used.has_value());
  EXPECT_EQ(out.sockets.size(), 1U);
}

}  // namespace
