#include "host/proc_collector.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "host/proc_tables.h"
#include "host/table_collector.h"

namespace host {

base::Result<std::unique_ptr<ports::SocketSource>> make_proc_collector(std::string why) {
  constexpr const char* kTable = "/proc/thread-self/net/tcp";
  if (::access(kTable, R_OK) != 0) {
    return base::fail(base::ErrorKind::kUnsupported,
                      std::string("cannot read ") + kTable + "; is /proc mounted here?");
  }
  model::CollectorReport report;
  report.kind = model::CollectorKind::kProc;
  report.why = std::move(why);
  report.blind_spots = {
      "Sockets of a network namespace that has neither a name nor a process are not seen.",
      "A socket that no open file leads to may be the kernel's own, in flight between processes or "
      "held by io_uring; without BPF these cannot be told apart.",
      "/proc/net does not tell a socket's cookie, the interface it is bound to, whether it takes "
      "IPv6 only, whether it belongs to a Multipath TCP one and a listener's backlog limit; it "
      "does not list TCP sockets that are bound but "
      "neither listen nor are connected.",
  };
  return std::make_unique<TableCollector>(std::move(report), read_proc_tables);
}

}  // namespace host
