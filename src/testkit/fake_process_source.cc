#include "testkit/fake_process_source.h"

namespace testkit {
namespace {

constexpr uint64_t kNsPerTick = 10'000'000;  // /proc tells start times in hundredths of a second

bool is_start(const model::Process& process, uint64_t start_time_ns) {
  return start_time_ns == 0 || process.start_time_ns == 0 ||
         start_time_ns / kNsPerTick == process.start_time_ns / kNsPerTick;
}

}  // namespace

model::Process& FakeProcessSource::add(int32_t pid, const std::string& command) {
  model::Process& process = processes[pid];
  process.pid = pid;
  process.parent_pid = 1;
  process.user = "root";
  process.command = command;
  process.exe = "/usr/sbin/" + command;
  process.start_time_unix_s = 1700000000;
  process.ancestors = {{1, "systemd"}};
  return process;
}

model::Process FakeProcessSource::read(int32_t pid, uint64_t start_time_ns) {
  model::Process out;
  const auto found = processes.find(pid);
  if (found == processes.end() || !is_start(found->second, start_time_ns)) {
    out.pid = pid;
    out.gone = true;
    return out;
  }
  out = found->second;
  out.ancestors.clear();
  out.package.clear();
  out.package_version.clear();
  out.package_check = model::PackageCheck::kNotAsked;
  return out;
}

std::vector<model::Ancestor> FakeProcessSource::ancestors(int32_t pid) {
  const auto found = processes.find(pid);
  return found == processes.end() ? std::vector<model::Ancestor>{} : found->second.ancestors;
}

ports::ProcessTraces FakeProcessSource::traces(uint32_t uid, uint64_t cgroup_id) {
  ports::ProcessTraces out;
  const auto user = users.find(uid);
  out.user = user != users.end() ? user->second : uid == 0 ? "root" : std::to_string(uid);
  const auto placement = placements.find(cgroup_id);
  if (placement != placements.end()) out.placement = placement->second;
  return out;
}

std::string FakeProcessSource::executable_behind(const std::string& called) {
  const auto found = executables.find(called);
  return found == executables.end() ? std::string() : found->second;
}

}  // namespace testkit
