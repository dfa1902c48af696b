#include "host/proc_tables.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/fd.h"
#include "format/proc_net.h"
#include "host/namespace_tables.h"

namespace host {
namespace {

constexpr size_t kBufferBytes = 64U << 10;

base::Result<void> read_table(const std::string& path, const format::ProcNetContext& context,
                              std::vector<model::Socket>& sockets) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return {};
    return base::fail_errno("open " + path, errno);
  }
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  size_t kept = 0;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.get() + kept, kBufferBytes - kept);
    if (got < 0) {
      if (errno == EINTR) continue;
      return base::fail_errno("read " + path, errno);
    }
    if (got == 0) break;
    const size_t size = kept + static_cast<size_t>(got);
    const auto used = format::decode_proc_net({buffer.get(), size}, context, sockets);
    if (!used) return base::fail(used.error().kind, path + ": " + used.error().message);
    kept = size - *used;
    if (kept == kBufferBytes) {
      return base::fail(base::ErrorKind::kCorrupt, path + " has a line without end");
    }
    std::memmove(buffer.get(), buffer.get() + *used, kept);
  }
  if (kept > 0) return base::fail(base::ErrorKind::kCorrupt, path + " ends within a line");
  return {};
}

/// Whether the request leaves room for this socket. The "port" of a raw socket is a protocol
/// number: never an answer to a question about ports.
bool is_wanted(const model::Socket& socket, const ports::InventoryRequest& request) {
  if (request.listeners_only && !socket.is_listener()) return false;
  if (!request.ports) return true;
  return socket.protocol != model::Protocol::kRaw && (request.ports->contains(socket.local.port) ||
                                                      request.ports->contains(socket.remote.port));
}

base::Result<void> read_all_protocols(const ports::InventoryRequest& request, uint32_t netns,
                                      std::vector<model::Socket>& sockets) {
  using model::Protocol;
  for (const Protocol protocol :
       {Protocol::kTcp, Protocol::kUdp, Protocol::kUdpLite, Protocol::kRaw}) {
    const auto first = static_cast<std::ptrdiff_t>(sockets.size());
    if (auto read = read_proc_table(protocol, netns, sockets); !read) return read;
    const auto unwanted =
        std::remove_if(sockets.begin() + first, sockets.end(),
                       [&](const model::Socket& socket) { return !is_wanted(socket, request); });
    sockets.erase(unwanted, sockets.end());
  }
  return {};
}

}  // namespace

base::Result<void> read_proc_table(model::Protocol protocol, uint32_t netns,
                                   std::vector<model::Socket>& sockets) {
  // The directory of the thread, not of the process: worker threads enter other namespaces.
  static constexpr const char* kDirectory = "/proc/thread-self/net";
  if (::access(kDirectory, F_OK) != 0) {
    return base::fail_errno(std::string("look at ") + kDirectory + " (is /proc mounted?)", errno);
  }
  const format::ProcNetContext context{.protocol = protocol, .netns = netns};
  for (const char* suffix : {"", "6"}) {
    const std::string path =
        std::string(kDirectory) + "/" + std::string(model::protocol_name(protocol)) + suffix;
    if (auto read = read_table(path, context, sockets); !read) return read;
  }
  return {};
}

base::Result<void> read_proc_tables(const ports::InventoryRequest& request,
                                    ports::RawInventory& into,
                                    const std::optional<std::vector<uint32_t>>& only) {
  const TableFunction read = [&](uint32_t netns, TablePart& part) {
    return read_all_protocols(request, netns, part.listed);
  };
  return read_each_namespace(request.all_namespaces, read, into, only);
}

}  // namespace host
