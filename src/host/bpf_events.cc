#include "host/bpf_events.h"

#include <fcntl.h>

#include <cerrno>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "bpf/programs.h"
#include "format/event_record.h"
#include "host/bpf_support.h"
#include "host/cgroup_tree.h"
#include "host/event_ring.h"

namespace host {
namespace {

struct FreePrograms {
  void operator()(recorder_programs* programs) const { recorder_free(programs); }
};
using Programs = std::unique_ptr<recorder_programs, FreePrograms>;

/// How deep this process' PID namespace is nested: the entries of NSpid (proc(5)), less one.
uint32_t pid_namespace_level() {
  const auto status = base::read_file("/proc/self/status");
  if (!status) return 0;
  const size_t at = status->find("\nNSpid:");
  if (at == std::string::npos) return 0;
  std::string_view line = std::string_view(*status).substr(at + 7);
  line = line.substr(0, line.find('\n'));
  uint32_t count = 0;
  while (!base::take_word(line).empty()) ++count;
  return count == 0 ? 0 : count - 1;
}

class BpfEvents final : public ports::EventSource {
 public:
  BpfEvents(Programs programs, EventRing ring)
      : programs_(std::move(programs)), ring_(std::move(ring)) {}

  base::Result<bool> drain(std::vector<model::Event>& into, size_t limit) override {
    std::optional<base::Error> broken;
    const bool more = ring_.drain(
        [&](std::span<const std::byte> record) {
          auto event = format::read_event(record);
          if (event) {
            into.push_back(std::move(*event));
          } else {
            broken = std::move(event.error());
          }
        },
        limit);
    if (broken) return std::unexpected(std::move(*broken));
    return more;
  }

  model::LossCounters losses() override {
    const struct recorder_losses now = ::recorder_losses(programs_.get());
    return {.ring_full = now.ring_full,
            .recursion_misses = now.recursion_misses,
            .storage_full = now.storage_full};
  }

  [[nodiscard]] model::CollectorReport report() const override {
    model::CollectorReport report;
    report.kind = model::CollectorKind::kBpf;
    report.why = "BPF programs record every opening and closing as it happens.";
    report.blind_spots = {
        "A UDP socket that connects and then sends is seen when it is closed, or by the next "
        "inventory, whichever comes first.",
        "Sockets of Multipath TCP are recorded by their TCP subflows; who accepted one is told by "
        "the next inventory only."};
    return report;
  }

 private:
  Programs programs_;
  EventRing ring_;
};

}  // namespace

base::Result<std::unique_ptr<ports::EventSource>> make_bpf_events(const BpfEventsOptions& options) {
  const auto root = find_cgroup_root();
  if (!root) return std::unexpected(root.error());
  const base::Fd cgroup(::open(root->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.valid()) return base::fail_errno("open the cgroup root " + *root, errno);
  const recorder_settings settings{.ring_bytes = options.ring_bytes,
                                   .pid_level = pid_namespace_level(),
                                   .cgroup_fd = cgroup.get(),
                                   .old_kernel = options.old_kernel ? 1 : 0};
  recorder_programs* loaded = nullptr;
  if (const int result = recorder_load(&settings, &loaded); result < 0) {
    return std::unexpected(explain_bpf_failure(-result, read_bpf_support()));
  }
  Programs programs(loaded);
  auto ring = EventRing::open(recorder_ring(loaded), options.ring_bytes);
  if (!ring) return std::unexpected(ring.error());
  return std::make_unique<BpfEvents>(std::move(programs), std::move(*ring));
}

}  // namespace host
