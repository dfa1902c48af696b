#include "host/stop_signals.h"

#include <ctime>
#include <initializer_list>

namespace host {

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

StopSignals::~StopSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

bool StopSignals::wait(uint64_t ms) {
  if (stopped_) return true;
  const timespec time{static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000) * 1'000'000};
  // Woken early by some other signal, the caller just does its round a little sooner.
  stopped_ = sigtimedwait(&signals_, nullptr, &time) > 0;
  return stopped_;
}

}  // namespace host
