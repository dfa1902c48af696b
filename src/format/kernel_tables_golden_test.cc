// What a real kernel (Linux 6.18) said of one socket of every kind, through sock_diag and through
// /proc/net, and what our decoders make of it. To renew expected.txt run with
// TWINPORT_UPDATE_GOLDEN=1 and read the difference before committing it.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "format/proc_net.h"
#include "format/sock_diag_message.h"

namespace {

using model::Protocol;
using model::Socket;

const std::string kGolden = TWINPORT_SOURCE_DIR "/tests/golden/";

std::string timer_name(model::TimerKind timer) {
  static const std::vector<std::string> names{"off", "retransmit", "keepalive", "time-wait",
                                              "persist"};
  return names.at(static_cast<size_t>(timer));
}

std::string render(const Socket& socket, const std::vector<model::TcpDetail>& details) {
  std::ostringstream out;
  out << protocol_name(socket.protocol) << ' ' << state_name(socket.state, socket.protocol) << ' '
      << to_string(socket.local) << ' ' << to_string(socket.remote)
      << " queues=" << socket.receive_queue << '/' << socket.send_queue << " uid=" << socket.uid
      << " inode=" << socket.inode << " cookie=" << socket.cookie
      << " interface=" << socket.interface << " netns=" << socket.netns
      << " timer=" << timer_name(socket.timer) << '/' << socket.timer_ms << "ms"
      << " retransmits=" << int{socket.retransmits};
  if (socket.v6only) out << " v6only=" << *socket.v6only;
  if (socket.mptcp) out << " mptcp";
  if (socket.detail >= 0) {
    const auto& detail = details.at(static_cast<size_t>(socket.detail));
    out << " rtt=" << detail.rtt_us << "us cwnd=" << detail.congestion_window
        << " mss=" << detail.send_mss_bytes << " received=" << detail.bytes_received
        << " control=" << detail.congestion_control;
  }
  out << '\n';
  return out.str();
}

std::string render_all(const std::vector<Socket>& sockets,
                       const std::vector<model::TcpDetail>& details) {
  std::string text;
  for (const auto& socket : sockets) text += render(socket, details);
  return text;
}

void expect_golden(const std::string& path, const std::string& actual) {
  if (std::getenv("TWINPORT_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
  const auto expected = base::read_file(path.c_str());
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  EXPECT_EQ(actual, *expected);
}

std::string decode_capture(const std::string& name, Protocol protocol) {
  const auto bytes = base::read_file((kGolden + "sock_diag/" + name).c_str());
  if (!bytes) return bytes.error().message;
  std::vector<Socket> sockets;
  std::vector<model::TcpDetail> details;
  const auto progress = format::decode_sock_diag(
      std::as_bytes(std::span(*bytes)),
      {.protocol = protocol, .netns = 5, .sequence = 1, .tcp_detail = true}, sockets, details);
  if (!progress) return progress.error().message;
  return "== " + name + (progress->done ? " done" : " unfinished") +
         " error=" + std::to_string(progress->error_number) + "\n" + render_all(sockets, details);
}

TEST(KernelTables, SockDiagDecodesAsBefore) {
  expect_golden(kGolden + "sock_diag/expected.txt",
                decode_capture("tcp.bin", Protocol::kTcp) +
                    decode_capture("udp.bin", Protocol::kUdp) +
                    decode_capture("udp6.bin", Protocol::kUdp) +
                    decode_capture("refused.bin", Protocol::kRaw));
}

TEST(KernelTables, ProcNetDecodesAsBefore) {
  std::string text;
  for (const auto& [name, protocol] :
       std::vector<std::pair<std::string, Protocol>>{{"tcp", Protocol::kTcp},
                                                     {"tcp6", Protocol::kTcp},
                                                     {"udp", Protocol::kUdp},
                                                     {"udp6", Protocol::kUdp},
                                                     {"udplite", Protocol::kUdpLite},
                                                     {"raw", Protocol::kRaw},
                                                     {"raw6", Protocol::kRaw}}) {
    const auto table = base::read_file((kGolden + "proc_net/" + name).c_str());
    ASSERT_TRUE(table.has_value()) << table.error().message;
    std::vector<Socket> sockets;
    const auto used = format::decode_proc_net(*table, {.protocol = protocol, .netns = 5}, sockets);
    ASSERT_TRUE(used.has_value()) << used.error().message;
    EXPECT_EQ(*used, table->size());
    text += "== " + name + "\n" + render_all(sockets, {});
  }
  expect_golden(kGolden + "proc_net/expected.txt", text);
}

// Every capture cut anywhere, and with any one byte broken, is either decoded or refused; the
// sanitizers watch that nothing else happens.
TEST(KernelTables, SurviveEveryTruncationAndEveryBrokenByte) {
  const auto whole = base::read_file((kGolden + "sock_diag/tcp.bin").c_str());
  ASSERT_TRUE(whole.has_value());
  const std::string capture = whole->substr(0, 2000);
  std::vector<Socket> sockets;
  std::vector<model::TcpDetail> details;
  int refused = 0;
  const auto decode = [&](const std::string& bytes) {
    sockets.clear();
    details.clear();
    const auto progress = format::decode_sock_diag(
        std::as_bytes(std::span(bytes)),
        {.protocol = Protocol::kTcp, .netns = 5, .sequence = 1, .tcp_detail = true}, sockets,
        details);
    if (!progress) ++refused;
    ASSERT_LE(sockets.size(), bytes.size() / 88);  // a header and a socket record take that much
  };
  for (size_t length = 0; length < capture.size(); ++length) decode(capture.substr(0, length));
  EXPECT_GT(refused, 1900);
  for (size_t at = 0; at < capture.size(); ++at) {
    std::string broken = capture;
    broken[at] = static_cast<char>(~broken[at]);
    decode(broken);
  }
}

}  // namespace
