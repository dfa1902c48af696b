#include "format/proc_net.h"

#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "base/text.h"

namespace format {
namespace {

/// A number of exactly `digits` hexadecimal digits.
template <class T>
std::optional<T> parse_hex(std::string_view text, size_t digits) {
  if (text.size() != digits) return std::nullopt;
  return base::parse_number<T>(text, 16);
}

std::optional<model::Endpoint> parse_endpoint(std::string_view text) {
  const std::string_view address = base::take_until(text, ':');
  const auto port = parse_hex<uint16_t>(text, 4);
  if (!port) return std::nullopt;
  model::Endpoint endpoint;
  endpoint.port = *port;
  if (address.size() == 8) {
    const auto word = parse_hex<uint32_t>(address, 8);
    if (!word) return std::nullopt;
    endpoint.address = model::IpAddress::v4(*word);
    return endpoint;
  }
  if (address.size() != 32) return std::nullopt;
  uint8_t bytes[16];
  for (size_t i = 0; i < 4; ++i) {
    const auto word = parse_hex<uint32_t>(address.substr(i * 8, 8), 8);
    if (!word) return std::nullopt;
    std::memcpy(bytes + i * 4, &*word, 4);
  }
  endpoint.address = model::IpAddress::v6(bytes);
  return endpoint;
}

/// Two hexadecimal numbers with a colon between.
struct HexPair {
  uint32_t first = 0;
  uint32_t second = 0;
};
std::optional<HexPair> parse_pair(std::string_view text, size_t first_digits) {
  const std::string_view first = base::take_until(text, ':');
  const auto left = parse_hex<uint32_t>(first, first_digits);
  const auto right = parse_hex<uint32_t>(text, 8);
  if (!left || !right) return std::nullopt;
  return HexPair{*left, *right};
}

bool is_header(std::string_view line) { return base::take_word(line) == "sl"; }

model::SocketState to_state(uint8_t number) {
  return number <= static_cast<uint8_t>(model::SocketState::kNewSynReceived)
             ? static_cast<model::SocketState>(number)
             : model::SocketState::kUnknown;
}

uint32_t centiseconds_to_ms(uint32_t centiseconds) {
  constexpr uint32_t kMax = std::numeric_limits<uint32_t>::max();
  return centiseconds > kMax / 10 ? kMax : centiseconds * 10;
}

std::optional<model::Socket> parse_line(std::string_view line, const ProcNetContext& context) {
  const std::string_view slot = base::take_word(line);
  if (slot.empty() || slot.back() != ':') return std::nullopt;
  const auto local = parse_endpoint(base::take_word(line));
  const auto remote = parse_endpoint(base::take_word(line));
  const auto state = parse_hex<uint8_t>(base::take_word(line), 2);
  const auto queues = parse_pair(base::take_word(line), 8);
  const auto timer = parse_pair(base::take_word(line), 2);
  const auto retransmits = parse_hex<uint32_t>(base::take_word(line), 8);
  const auto uid = base::parse_number<uint32_t>(base::take_word(line));
  const auto timeout = base::parse_number<uint32_t>(base::take_word(line));
  const auto inode = base::parse_number<uint64_t>(base::take_word(line));
  if (!local || !remote || !state || !queues || !timer || !retransmits || !uid || !timeout ||
      !inode || local->address.family != remote->address.family) {
    return std::nullopt;
  }
  model::Socket socket;
  socket.inode = *inode;
  socket.netns = context.netns;
  socket.uid = *inode == 0 ? 0 : *uid;
  socket.send_queue = queues->first;
  socket.receive_queue = queues->second;
  socket.local = *local;
  socket.remote = *remote;
  socket.protocol = context.protocol;
  socket.state = to_state(*state);
  if (timer->first <= static_cast<uint32_t>(model::TimerKind::kPersist)) {
    socket.timer = static_cast<model::TimerKind>(timer->first);
  }
  if (socket.timer != model::TimerKind::kOff) {
    socket.timer_ms = centiseconds_to_ms(timer->second);
    // The probes of a zero window are counted in the column that is named after the timeout.
    const uint32_t count = socket.timer == model::TimerKind::kPersist ? *timeout : *retransmits;
    socket.retransmits = static_cast<uint8_t>(count < 255 ? count : 255);
  }
  return socket;
}

}  // namespace

base::Result<size_t> decode_proc_net(std::string_view text, const ProcNetContext& context,
                                     std::vector<model::Socket>& sockets) {
  constexpr size_t kQuotedMax = 80;
  size_t used = 0;
  for (;;) {
    const size_t end = text.find('\n', used);
    if (end == std::string_view::npos) return used;
    const std::string_view line = text.substr(used, end - used);
    if (auto socket = parse_line(line, context)) {
      sockets.push_back(*socket);
    } else if (!is_header(line)) {
      return base::fail(base::ErrorKind::kCorrupt,
                        "a line of the kernel's socket table is not understood: \"" +
                            base::escape_for_terminal(line.substr(0, kQuotedMax)) + "\"");
    }
    used = end + 1;
  }
}

}  // namespace format
