// sock_diag datagrams: whatever the bytes, every socket's detail exists, and no more sockets come
// out than records of their size fit in.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "format/sock_diag_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kRecordBytesMin = 16 + 72;  // nlmsghdr and inet_diag_msg
  std::vector<model::Socket> sockets;
  std::vector<model::TcpDetail> details;
  for (const auto protocol : {model::Protocol::kTcp, model::Protocol::kUdp}) {
    sockets.clear();
    details.clear();
    const auto progress = format::decode_sock_diag(
        std::as_bytes(std::span(data, size)),
        {.protocol = protocol, .netns = 1, .sequence = 1, .tcp_detail = true}, sockets, details);
    if (sockets.size() > size / kRecordBytesMin || details.size() > sockets.size()) abort();
    for (const auto& socket : sockets) {
      if (socket.detail >= static_cast<int32_t>(details.size())) abort();
      if (model::state_name(socket.state, socket.protocol).empty()) abort();
    }
    for (const auto& detail : details) {
      if (detail.congestion_control[sizeof(detail.congestion_control) - 1] != '\0') abort();
    }
    if (progress && progress->error_number != 0 && !progress->done) abort();
  }
  return 0;
}
