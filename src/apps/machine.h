// Machine: everything a command may ask of the computer it runs on, behind one interface, so that
// tests run whole commands over a machine held in memory. The real one is linux_machine.h. Nothing
// is opened before it is asked for. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/package_finder.h"
#include "model/bind_trial.h"
#include "model/inventory.h"
#include "model/peer_probe.h"
#include "ports/event_source.h"
#include "ports/process_source.h"
#include "ports/recorder.h"
#include "ports/recorder_link.h"
#include "ports/socket_source.h"
#include "ports/timeline.h"

namespace apps {

class Machine {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  virtual ~Machine() = default;

  /// See host/collector.h.
  virtual base::Result<std::unique_ptr<ports::SocketSource>> make_socket_source(
      std::optional<model::CollectorKind> kind, const ports::InventoryRequest& first) = 0;
  virtual ports::ProcessSource& processes() = 0;
  /// See host/package_finder.h.
  virtual std::vector<host::PackageFinding> find_packages(const std::vector<std::string>& exes,
                                                          bool verify,
                                                          const host::PackageCaches& caches) = 0;
  /// See host/published_ports.h; of the own namespace, whose number is `netns`.
  virtual base::Result<model::PublishedPorts> published_ports(uint32_t netns) = 0;
  /// See host/bind_trial.h; in the own namespace.
  virtual model::BindTrial try_bind(const model::Endpoint& at) = 0;
  /// See net/tcp_probe.h.
  virtual model::PeerProbe probe_peer(const std::string& host, const std::vector<uint16_t>& ports,
                                      unsigned limit_ms) = 0;
  /// See host/port_policy.h; of the own namespace.
  virtual model::PortPolicy port_policy() = 0;
  /// See host/local_addresses.h; of the own namespace, empty = not known.
  virtual std::vector<model::IpAddress> local_addresses() = 0;
  /// Whether find_packages() has lists to look in: an empty answer then means "no package".
  virtual bool has_package_lists() = 0;
  /// Whether we run as root, who could not see more by asking again.
  virtual bool caller_is_root() = 0;
  /// Of the process that asks.
  virtual int32_t own_pid() = 0;
  /// Inode number of the network namespace we are in, 0 = not known.
  virtual uint32_t own_netns() = 0;
  /// Wall clock, seconds since 1970.
  virtual int64_t now_unix_s() = 0;

  // What the recorder and those who ask it need.

  /// See host/event_sources.h; `ring_bytes` is a power of two.
  virtual base::Result<std::unique_ptr<ports::EventSource>> make_event_source(
      std::optional<model::CollectorKind> kind, uint32_t ring_bytes) = 0;
  /// See disk/sqlite_timeline_writer.h. `notices`: whole sentences about what had to be set aside.
  virtual base::Result<std::unique_ptr<ports::TimelineWriter>> open_timeline_writer(
      const std::string& directory, std::vector<std::string>& notices) = 0;
  /// See disk/sqlite_timeline_reader.h.
  virtual base::Result<std::unique_ptr<ports::TimelineReader>> open_timeline(
      const std::string& directory) = 0;
  /// See host/recorder_server.h; answers from the timeline of that directory.
  virtual base::Result<std::unique_ptr<ports::RecorderAudience>> start_recorder_server(
      const std::string& path, const std::string& directory) = 0;
  /// See host/recorder_client.h.
  virtual base::Result<std::unique_ptr<ports::RecorderLink>> connect_recorder(
      const std::string& path) = 0;
  virtual ports::ClockReading clocks() = 0;
  virtual base::Result<std::string> boot_id() = 0;
  /// Sleeps; true once the person has asked us to end (Ctrl-C, SIGTERM), from the first call on:
  /// until then such a signal ends the process.
  virtual bool wait(uint64_t ms) = 0;
  /// From now on this process takes no processor from who is at work when it wakes up.
  virtual void work_in_background() = 0;
};

}  // namespace apps
