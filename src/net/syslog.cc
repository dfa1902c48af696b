#include "net/syslog.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"

namespace net {
namespace {

// Facility 3 (daemon) times 8, severity 4 (warning).
constexpr int kPriority = 3 * 8 + 4;

}  // namespace

base::Result<void> send_to_syslog(const std::string& message, const std::string& socket_path) {
  const std::string tried = "send to the system's log by " + socket_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    return base::fail(base::ErrorKind::kUsage, tried + ": the path is too long");
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  const base::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return base::fail_errno(tried, errno);
  const std::string text =
      "<" + std::to_string(kPriority) + ">twinport[" + std::to_string(::getpid()) + "]: " + message;
  if (::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return base::fail_errno(tried, errno);
  }
  return {};
}

}  // namespace net
