#include "host/sock_diag_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

namespace host {
namespace {

// The kernel fills at most 32 KiB for one read of a dump, and as much as the reader has room for.
constexpr size_t kBufferBytes = 64U << 10;
constexpr int kAttempts = 4;

base::Result<base::Fd> open_netlink() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.valid()) return base::fail_errno("open a sock_diag netlink socket", errno);
  return fd;
}

}  // namespace

SockDiagSocket::SockDiagSocket(base::Fd fd, std::unique_ptr<std::byte[]> buffer)
    : fd_(std::move(fd)), buffer_(std::move(buffer)) {}

base::Result<SockDiagSocket> SockDiagSocket::open() {
  auto fd = open_netlink();
  if (!fd) return std::unexpected(fd.error());
  return SockDiagSocket(std::move(*fd), std::make_unique_for_overwrite<std::byte[]>(kBufferBytes));
}

base::Result<size_t> SockDiagSocket::receive() {
  for (;;) {
    sockaddr_nl sender{};
    iovec space{buffer_.get(), kBufferBytes};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof(sender);
    message.msg_iov = &space;
    message.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(fd_.get(), &message, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOBUFS) return 0;
      return base::fail_errno("read the kernel's socket tables", errno);
    }
    // Any process may send to a netlink socket; only port 0 is the kernel.
    if (sender.nl_pid != 0) continue;
    if ((message.msg_flags & MSG_TRUNC) != 0) {
      return base::fail(base::ErrorKind::kIo,
                        "a sock_diag answer is larger than " + std::to_string(kBufferBytes) +
                            " bytes, which no kernel known to this program sends");
    }
    if (got == 0) {
      return base::fail(base::ErrorKind::kIo, "the kernel closed the sock_diag conversation");
    }
    return static_cast<size_t>(got);
  }
}

base::Result<SockDiagSocket::Outcome> SockDiagSocket::dump_once(
    const format::SockDiagRequest& request, uint32_t netns, std::vector<model::Socket>& sockets,
    std::vector<model::TcpDetail>& details) {
  format::SockDiagRequest numbered = request;
  numbered.sequence = ++sequence_;
  const auto encoded = format::encode(numbered);
  const auto bytes = encoded.bytes();
  while (::send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) {
    if (errno != EINTR) return base::fail_errno("ask the kernel for its socket tables", errno);
  }
  const format::SockDiagContext context{.protocol = request.protocol,
                                        .netns = netns,
                                        .sequence = sequence_,
                                        .tcp_detail = request.tcp_detail};
  bool interrupted = false;
  for (;;) {
    const auto size = receive();
    if (!size) return std::unexpected(size.error());
    if (*size == 0) return Outcome::kOverrun;
    const auto progress =
        format::decode_sock_diag({buffer_.get(), *size}, context, sockets, details);
    if (!progress) return std::unexpected(progress.error());
    interrupted = interrupted || progress->interrupted;
    if (!progress->done) continue;
    if (progress->error_number != 0) {
      return base::fail_errno("list " + std::string(model::protocol_name(request.protocol)) +
                                  " sockets through sock_diag",
                              progress->error_number);
    }
    return interrupted ? Outcome::kInterrupted : Outcome::kComplete;
  }
}

base::Result<bool> SockDiagSocket::dump(const format::SockDiagRequest& request, uint32_t netns,
                                        std::vector<model::Socket>& sockets,
                                        std::vector<model::TcpDetail>& details) {
  const size_t socket_count = sockets.size();
  const size_t detail_count = details.size();
  for (int attempt = 1;; ++attempt) {
    const auto outcome = dump_once(request, netns, sockets, details);
    if (outcome && *outcome == Outcome::kComplete) return true;
    const bool last = attempt == kAttempts;
    if (outcome && last && *outcome == Outcome::kInterrupted) return false;
    sockets.resize(socket_count);
    details.resize(detail_count);
    if (!outcome) return std::unexpected(outcome.error());
    if (last) {
      return base::fail(base::ErrorKind::kIo,
                        "the kernel dropped sock_diag answers " + std::to_string(kAttempts) +
                            " times in a row; try again when the machine has memory to spare");
    }
    // What an overrun dump still has to say would mix with the next; a new socket begins clean.
    auto fd = open_netlink();
    if (!fd) return std::unexpected(fd.error());
    fd_ = std::move(*fd);
  }
}

}  // namespace host
