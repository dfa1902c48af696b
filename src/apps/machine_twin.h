// MachineTwin: a Machine held in memory, and a way to run whole command lines on it. Tests only.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/command_line.h"
#include "apps/machine.h"
#include "testkit/fake_event_source.h"
#include "testkit/fake_process_source.h"
#include "testkit/fake_recorder.h"
#include "testkit/fake_socket_source.h"
#include "testkit/forwarding.h"
#include "testkit/memory_timeline.h"

namespace apps {

class MachineTwin {
 public:
  testkit::FakeSocketSource sockets;
  testkit::FakeProcessSource processes;
  std::map<std::string, host::PackageFinding> packages;  ///< by exe
  base::Result<model::PublishedPorts> published;
  std::vector<model::BindTrial> trials;  ///< of ports that are not simply free
  model::PeerProbe peer;                 ///< of whatever host
  model::PortPolicy policy;
  std::vector<model::IpAddress> local_addresses;
  bool has_package_lists = true;
  bool caller_is_root = true;
  int32_t own_pid = 999'999;
  int64_t now_unix_s = 1700003600;
  std::optional<base::Error> no_collector;  ///< what opening a collector fails with
  std::optional<model::CollectorKind> asked_collector;
  testkit::FakeEventSource events;
  testkit::MemoryTimeline timeline;
  std::string timeline_directory;             ///< where it was last opened
  std::optional<base::Error> no_events;       ///< what opening the event source fails with
  std::optional<base::Error> no_timeline;     ///< what opening the timeline fails with
  std::vector<std::string> timeline_notices;  ///< of opening it for writing
  uint32_t asked_ring_bytes = 0;
  std::optional<model::CollectorKind> asked_events;
  std::optional<testkit::FakeRecorder> recorder;  ///< at work on `timeline`; nothing: none listens
  testkit::FakeAudience audience;                 ///< of the recorder that a command runs
  std::optional<base::Error> no_socket;           ///< what listening fails with
  std::string socket_path;                        ///< where was last listened or asked
  static constexpr uint64_t kFirstBootNs = uint64_t{100'000} * 1'000'000'000;
  uint64_t boot_ns = kFirstBootNs;  ///< advanced by waiting
  std::function<bool()> on_wait;    ///< with each wait; true = the person ends it
  std::map<std::string, std::string> variables;
  std::string passwd_home;  ///< environment
  unsigned columns = 0;     ///< not 0: standard output is a terminal this wide

  struct Answer {
    int code = -1;
    std::string out;
    std::string err;
  };
  /// Runs one command line, given as words.
  Answer run(const std::vector<std::string>& words);

 private:
  class View;
};

/// The Machine that commands get: everything is looked up in the twin.
class MachineTwin::View final : public Machine {
 public:
  explicit View(MachineTwin& twin) : twin_(twin) {}

  base::Result<std::unique_ptr<ports::SocketSource>> make_socket_source(
      std::optional<model::CollectorKind> kind, const ports::InventoryRequest& /*first*/) override {
    twin_.asked_collector = kind;
    if (twin_.no_collector) return std::unexpected(*twin_.no_collector);
    return std::make_unique<Forward>(twin_.sockets);
  }
  ports::ProcessSource& processes() override { return twin_.processes; }
  std::vector<host::PackageFinding> find_packages(const std::vector<std::string>& exes, bool verify,
                                                  const host::PackageCaches&) override {
    std::vector<host::PackageFinding> out;
    for (const std::string& exe : exes) {
      out.push_back(twin_.packages[exe]);
      if (!verify) out.back().check = model::PackageCheck::kNotAsked;
    }
    return out;
  }
  base::Result<model::PublishedPorts> published_ports(uint32_t) override { return twin_.published; }
  model::BindTrial try_bind(const model::Endpoint& at) override {
    for (const model::BindTrial& trial : twin_.trials) {
      if (trial.at == at) return trial;
    }
    return {.at = at, .outcome = model::BindOutcome::kFree};
  }
  model::PeerProbe probe_peer(const std::string& host, const std::vector<uint16_t>& ports,
                              unsigned /*limit_ms*/) override {
    model::PeerProbe out = twin_.peer;
    out.host = host;
    std::erase_if(out.probes, [&](const model::Probe& probe) {
      return std::ranges::find(ports, probe.to.port) == ports.end();
    });
    return out;
  }
  model::PortPolicy port_policy() override { return twin_.policy; }
  std::vector<model::IpAddress> local_addresses() override { return twin_.local_addresses; }
  bool has_package_lists() override { return twin_.has_package_lists; }
  bool caller_is_root() override { return twin_.caller_is_root; }
  int32_t own_pid() override { return twin_.own_pid; }
  uint32_t own_netns() override { return 4026531840; }
  int64_t now_unix_s() override { return twin_.now_unix_s; }

  base::Result<std::unique_ptr<ports::EventSource>> make_event_source(
      std::optional<model::CollectorKind> kind, uint32_t ring_bytes) override {
    twin_.asked_events = kind;
    twin_.asked_ring_bytes = ring_bytes;
    if (twin_.no_events) return std::unexpected(*twin_.no_events);
    return std::make_unique<testkit::ForwardEvents>(twin_.events);
  }
  base::Result<std::unique_ptr<ports::TimelineWriter>> open_timeline_writer(
      const std::string& directory, std::vector<std::string>& notices) override {
    twin_.timeline_directory = directory;
    if (twin_.no_timeline) return std::unexpected(*twin_.no_timeline);
    notices = twin_.timeline_notices;
    return std::make_unique<testkit::ForwardWriter>(twin_.timeline);
  }
  base::Result<std::unique_ptr<ports::TimelineReader>> open_timeline(
      const std::string& directory) override {
    twin_.timeline_directory = directory;
    if (twin_.no_timeline) return std::unexpected(*twin_.no_timeline);
    return std::make_unique<testkit::ForwardReader>(twin_.timeline);
  }
  base::Result<std::unique_ptr<ports::RecorderAudience>> start_recorder_server(
      const std::string& path, const std::string&) override {
    twin_.socket_path = path;
    if (twin_.no_socket) return std::unexpected(*twin_.no_socket);
    return std::make_unique<testkit::ForwardAudience>(twin_.audience);
  }
  base::Result<std::unique_ptr<ports::RecorderLink>> connect_recorder(
      const std::string& path) override {
    twin_.socket_path = path;
    if (!twin_.recorder) {
      return base::fail(base::ErrorKind::kNotFound, "no recorder listens at " + path);
    }
    return std::make_unique<testkit::FakeRecorderLink>(*twin_.recorder, twin_.timeline);
  }
  ports::ClockReading clocks() override {
    // Wall time runs along with boot time from `now_unix_s` on.
    return {twin_.boot_ns, twin_.now_unix_s * 1'000'000 +
                               static_cast<int64_t>((twin_.boot_ns - kFirstBootNs) / 1000)};
  }
  base::Result<std::string> boot_id() override { return "boot-of-the-twin"; }
  void work_in_background() override {}
  bool wait(uint64_t ms) override {
    twin_.boot_ns += ms * 1'000'000;
    return twin_.on_wait && twin_.on_wait();
  }

 private:
  class Forward final : public ports::SocketSource {
   public:
    explicit Forward(ports::SocketSource& target) : target_(target) {}
    base::Result<ports::RawInventory> read(const ports::InventoryRequest& request) override {
      return target_.read(request);
    }
    base::Result<std::vector<ports::HoldingEvidence>> look_again(
        const std::vector<model::Socket>& ownerless,
        std::vector<model::Holder>& late_holders) override {
      return target_.look_again(ownerless, late_holders);
    }

   private:
    ports::SocketSource& target_;
  };

  MachineTwin& twin_;
};

inline MachineTwin::Answer MachineTwin::run(const std::vector<std::string>& words) {
  Answer answer;
  Output out(answer.out);
  Output err(answer.err);
  Environment environment;
  environment.variable = [this](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  environment.make_machine = [this] { return std::make_unique<View>(*this); };
  environment.passwd_home = passwd_home;
  environment.out_is_terminal = columns != 0;
  environment.terminal_columns = columns;
  std::vector<const char*> arguments;
  arguments.reserve(words.size());
  for (const std::string& word : words) arguments.push_back(word.c_str());
  answer.code = run_command_line(arguments, environment, out, err);
  return answer;
}

}  // namespace apps
