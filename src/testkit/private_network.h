// A network of a test's own: a thread in a fresh network namespace, and child processes in states
// that only another process can be in. Nothing of it outlives the test.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"

namespace testkit {

/// Runs `work` on a thread of its own, in a fresh network namespace whose loopback is up; `work`
/// may use gtest's expectations. False when the rights for that are missing (it takes
/// CAP_SYS_ADMIN): nothing was run, and the test should be skipped.
[[nodiscard]] bool run_in_private_network(const std::function<void()>& work);

/// Moves the calling thread into a fresh network namespace, for good.
[[nodiscard]] bool enter_private_network();

/// A child process that did `prepare` and then stands still until this object goes.
class StandingChild {
 public:
  /// `prepare` runs in the child, with only the calling thread; the text it returns is `report()`.
  /// It must not use gtest's expectations. An empty report means that it failed. With kEnds it runs
  /// in a second thread, after the child's first one has ended: the state of a process whose leader
  /// is a zombie.
  enum class Leader : unsigned char { kStays, kEnds };
  explicit StandingChild(const std::function<std::string()>& prepare,
                         Leader leader = Leader::kStays);
  StandingChild(const StandingChild&) = delete;
  StandingChild& operator=(const StandingChild&) = delete;
  ~StandingChild();

  [[nodiscard]] int pid() const { return pid_; }
  [[nodiscard]] const std::string& report() const { return report_; }

 private:
  int pid_ = -1;
  base::Fd leash_;  // the child ends when the other end of this pipe closes
  std::string report_;
};

/// Runs `work` in a child process, for what cannot be undone (giving up rights, moving mounts).
/// Returns what `work` returned.
std::string run_in_child(const std::function<std::string()>& work);

/// Makes the calling process an ordinary user without any rights.
[[nodiscard]] bool become_nobody();

/// Takes one right (CAP_...) from the calling thread.
[[nodiscard]] bool drop_capability(int capability);

}  // namespace testkit
