#include "ports/programs.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace ports {
namespace {

using model::Process;

// Everything by which a person tells one program from another.
auto looks_of(const Process& process) {
  return std::tie(process.exe, process.command, process.uid, process.placement.unit,
                  process.placement.user_unit, process.placement.container, process.package,
                  process.package_check, process.exe_deleted, process.exe_elsewhere,
                  process.details_hidden, process.script.kind, process.script.name);
}

}  // namespace

Programs::Programs(const std::vector<Process>& processes)
    : processes_(processes), numbers_(processes.size()) {
  const auto less = [&](uint32_t left, uint32_t right) {
    return looks_of(processes[left]) < looks_of(processes[right]);
  };
  std::map<uint32_t, uint32_t, decltype(less)> seen(less);
  for (uint32_t i = 0; i < processes.size(); ++i) {
    const bool unread = processes[i].gone || processes[i].command.empty();
    numbers_[i] = unread ? i : seen.try_emplace(i, i).first->second;
  }
}

std::vector<Program> Programs::gather(const std::set<uint32_t>& processes) const {
  std::map<uint32_t, Program> programs;
  for (const uint32_t index : processes) {
    const Process& process = processes_[index];
    const auto [at, added] = programs.try_emplace(numbers_[index]);
    Program& program = at->second;
    if (added || process.start_time_ns < program.process.start_time_ns) program.process = process;
    program.pids.push_back(process.pid);
  }
  std::vector<Program> out;
  for (auto& [number, program] : programs) {
    std::ranges::sort(program.pids);
    const auto doubles = std::ranges::unique(program.pids);
    program.pids.erase(doubles.begin(), doubles.end());
    out.push_back(std::move(program));
  }
  std::ranges::sort(out, [](const Program& left, const Program& right) {
    return std::tie(left.process.start_time_ns, left.process.pid) <
           std::tie(right.process.start_time_ns, right.process.pid);
  });
  return out;
}

}  // namespace ports
