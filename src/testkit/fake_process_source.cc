#include "testkit/fake_process_source.h"

namespace testkit {

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

model::Process FakeProcessSource::read(int32_t pid, uint64_t) {
  const auto found = processes.find(pid);
  if (found != processes.end()) return found->second;
  model::Process ended;
  ended.pid = pid;
  ended.gone = true;
  return ended;
}

std::vector<model::Ancestor> FakeProcessSource::ancestors(int32_t pid) {
  const auto found = processes.find(pid);
  return found == processes.end() ? std::vector<model::Ancestor>{} : found->second.ancestors;
}

}  // namespace testkit
