#include "apps/linux_machine.h"

#include <unistd.h>

#include <ctime>

#include "host/collector.h"
#include "host/local_addresses.h"
#include "host/port_policy.h"
#include "host/process_reader.h"
#include "host/published_ports.h"

namespace apps {
namespace {

class LinuxMachine final : public Machine {
 public:
  base::Result<std::unique_ptr<ports::SocketSource>> make_socket_source(
      std::optional<model::CollectorKind> kind) override {
    return host::make_collector(kind);
  }
  ports::ProcessSource& processes() override {
    if (!processes_) processes_ = host::make_process_reader();
    return *processes_;
  }
  std::vector<host::PackageFinding> find_packages(const std::vector<std::string>& exes, bool verify,
                                                  const std::string& cache_path) override {
    return host::find_packages(exes, verify, cache_path);
  }
  base::Result<model::PublishedPorts> published_ports(uint32_t netns) override {
    return host::read_published_ports(netns);
  }
  model::PortPolicy port_policy() override { return host::read_port_policy(); }
  std::vector<model::IpAddress> local_addresses() override { return host::local_addresses(); }
  bool has_package_lists() override { return ::access("/var/lib/dpkg/info", R_OK | X_OK) == 0; }
  bool caller_is_root() override { return ::geteuid() == 0; }
  int32_t own_pid() override { return ::getpid(); }
  int64_t now_unix_s() override { return std::time(nullptr); }

 private:
  std::unique_ptr<ports::ProcessSource> processes_;
};

}  // namespace

std::unique_ptr<Machine> make_linux_machine() { return std::make_unique<LinuxMachine>(); }

}  // namespace apps
