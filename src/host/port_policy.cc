#include "host/port_policy.h"

#include <fcntl.h>

#include <string>
#include <utility>

#include "base/file.h"
#include "format/port_sysctls.h"

namespace host {

model::PortPolicy read_port_policy() {
  // /proc/sys/net shows the network namespace of the thread that opens the file, whatever process
  // the /proc path may seem to name.
  model::PortPolicy policy;
  std::string text;
  const auto read = [&text](const char* path) {
    return base::read_file_at(AT_FDCWD, path, text, 1U << 20).has_value();
  };
  if (read("/proc/sys/net/ipv4/ip_local_port_range")) {
    if (const auto range = format::decode_local_port_range(text)) {
      policy.ephemeral = *range;
      policy.known = true;
    }
  }
  if (read("/proc/sys/net/ipv4/ip_local_reserved_ports")) {
    if (auto reserved = format::decode_reserved_ports(text)) policy.reserved = std::move(*reserved);
  }
  if (read("/proc/sys/net/ipv4/ip_unprivileged_port_start")) {
    if (const auto start = format::decode_port_number(text)) policy.unprivileged_start = *start;
  }
  return policy;
}

}  // namespace host
