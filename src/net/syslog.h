// One message to the system's log, by the datagram socket that every syslog daemon and the journal
// listen on. Unlike syslog(3) it tells when nobody took it. Any thread; never blocks.
#pragma once

#include <string>

#include "base/result.h"

namespace net {

inline constexpr const char* kSyslogSocket = "/dev/log";

/// A warning of the facility "daemon", as RFC 3164 has it. `message` must be one line.
base::Result<void> send_to_syslog(const std::string& message,
                                  const std::string& socket_path = kSyslogSocket);

}  // namespace net
