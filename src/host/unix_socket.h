// Unix sockets by path, and who is at their other end.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace host {

/// kUsage when the path is too long for the kernel (107 bytes).
base::Result<sockaddr_un> unix_address(const std::string& path);

/// The user at the other end, as the kernel saw it when the connection was made.
std::optional<uint32_t> peer_uid(int fd);

}  // namespace host
