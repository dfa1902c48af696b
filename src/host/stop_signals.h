// StopSignals: SIGINT, SIGTERM and SIGHUP as an answer to "shall I go on?", for commands that run
// until a person ends them. While one exists, these signals are blocked in this thread and in those
// that it starts.
#pragma once

#include <signal.h>

#include <cstdint>

namespace host {

class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  /// Sleeps until one of the signals has come or the time is over; true if one has, now or earlier.
  bool wait(uint64_t ms);

 private:
  sigset_t signals_{};
  sigset_t before_{};
  bool stopped_ = false;
};

}  // namespace host
