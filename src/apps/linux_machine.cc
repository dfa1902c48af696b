#include "apps/linux_machine.h"

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <optional>

#include "disk/sqlite_timeline_reader.h"
#include "disk/sqlite_timeline_writer.h"
#include "host/bind_trial.h"
#include "host/boot_clock.h"
#include "host/collector.h"
#include "host/event_sources.h"
#include "host/local_addresses.h"
#include "host/port_policy.h"
#include "host/process_reader.h"
#include "host/published_ports.h"
#include "host/recorder_client.h"
#include "host/recorder_server.h"
#include "host/stop_signals.h"
#include "net/tcp_probe.h"

namespace apps {
namespace {

class LinuxMachine final : public Machine {
 public:
  base::Result<std::unique_ptr<ports::SocketSource>> make_socket_source(
      std::optional<model::CollectorKind> kind, const ports::InventoryRequest& first) override {
    return host::make_collector(kind, first);
  }
  ports::ProcessSource& processes() override {
    if (!processes_) processes_ = host::make_process_reader();
    return *processes_;
  }
  std::vector<host::PackageFinding> find_packages(const std::vector<std::string>& exes, bool verify,
                                                  const host::PackageCaches& caches) override {
    return host::find_packages(exes, verify, caches);
  }
  base::Result<model::PublishedPorts> published_ports(uint32_t netns) override {
    return host::read_published_ports(netns);
  }
  model::BindTrial try_bind(const model::Endpoint& at) override { return host::try_bind(at); }
  model::PeerProbe probe_peer(const std::string& host, const std::vector<uint16_t>& ports,
                              unsigned limit_ms) override {
    return net::probe_peer(host, ports, std::chrono::milliseconds(limit_ms));
  }
  model::PortPolicy port_policy() override { return host::read_port_policy(); }
  std::vector<model::IpAddress> local_addresses() override { return host::local_addresses(); }
  bool has_package_lists() override { return ::access("/var/lib/dpkg/info", R_OK | X_OK) == 0; }
  bool caller_is_root() override { return ::geteuid() == 0; }
  int32_t own_pid() override { return ::getpid(); }
  uint32_t own_netns() override {
    struct stat status{};
    return ::stat("/proc/self/ns/net", &status) == 0 ? static_cast<uint32_t>(status.st_ino) : 0;
  }
  int64_t now_unix_s() override { return std::time(nullptr); }

  base::Result<std::unique_ptr<ports::EventSource>> make_event_source(
      std::optional<model::CollectorKind> kind, uint32_t ring_bytes) override {
    return host::make_event_source(kind, ring_bytes);
  }
  base::Result<std::unique_ptr<ports::TimelineWriter>> open_timeline_writer(
      const std::string& directory, std::vector<std::string>& notices) override {
    auto writer = disk::SqliteTimelineWriter::open(directory, clocks().wall_us);
    if (!writer) return std::unexpected(writer.error());
    notices = (*writer)->take_notices();
    return std::move(*writer);
  }
  base::Result<std::unique_ptr<ports::TimelineReader>> open_timeline(
      const std::string& directory) override {
    return disk::SqliteTimelineReader::open(directory);
  }
  base::Result<std::unique_ptr<ports::RecorderAudience>> start_recorder_server(
      const std::string& path, const std::string& directory) override {
    return host::start_recorder_server(
        path, [directory]() -> base::Result<std::unique_ptr<ports::TimelineReader>> {
          return disk::SqliteTimelineReader::open(directory);
        });
  }
  base::Result<std::unique_ptr<ports::RecorderLink>> connect_recorder(
      const std::string& path) override {
    return host::connect_recorder(path);
  }
  ports::ClockReading clocks() override { return host::read_clocks(); }
  base::Result<std::string> boot_id() override { return host::read_boot_id(); }
  void work_in_background() override {
    // It keeps its share of the processors, so that a busy machine does not starve it (sched(7));
    // where this is forbidden, things are only a little slower for others.
    const sched_param none{};
    static_cast<void>(::sched_setscheduler(0, SCHED_BATCH, &none));
  }
  bool wait(uint64_t ms) override {
    if (!signals_) signals_.emplace();
    return signals_->wait(ms);
  }

 private:
  std::unique_ptr<ports::ProcessSource> processes_;
  std::optional<host::StopSignals> signals_;
};

}  // namespace

std::unique_ptr<Machine> make_linux_machine() { return std::make_unique<LinuxMachine>(); }

}  // namespace apps
