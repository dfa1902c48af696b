#include "apps/alert_courier.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace apps {
namespace {

constexpr int64_t kOldestUs = int64_t{3} * 86400 * 1'000'000;

// Messages are named by their time; what is named otherwise is never too old.
int64_t time_of(std::string_view name) {
  return base::parse_number<int64_t>(name.substr(0, name.find('-'))).value_or(INT64_MAX);
}

}  // namespace

AlertCourier::AlertCourier(disk::AlertStore store, std::vector<CourierRoute> routes,
                           CourierTiming timing)
    : store_(std::move(store)),
      routes_(std::move(routes)),
      timing_(std::move(timing)),
      thread_([this] { run(); }) {}

AlertCourier::~AlertCourier() {
  stop();
  thread_.join();
}

void AlertCourier::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
}

bool AlertCourier::ended() {
  const std::lock_guard lock(mutex_);
  return ended_;
}

void AlertCourier::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    idle_ = false;
  }
  changed_.notify_all();
}

std::vector<std::string> AlertCourier::take_notices() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notices_, {});
}

void AlertCourier::wait_until_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return idle_; });
}

bool AlertCourier::stopping() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void AlertCourier::note(std::string sentence) {
  const std::lock_guard lock(mutex_);
  constexpr size_t kMostNotices = 100;
  if (notices_.size() < kMostNotices) notices_.push_back(std::move(sentence));
}

void AlertCourier::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    woken_ = false;
    lock.unlock();
    auto next = Clock::time_point::max();
    for (const CourierRoute& route : routes_) {
      Pace& pace = paces_[route.queue];
      if (pace.pause.count() == 0 || Clock::now() >= pace.next_try) serve(route, pace);
      if (pace.pause.count() != 0) next = std::min(next, pace.next_try);
    }
    lock.lock();
    if (stop_ || woken_) continue;
    idle_ = true;
    changed_.notify_all();
    const auto due = [this] { return stop_ || woken_; };
    if (next == Clock::time_point::max()) {
      changed_.wait(lock, due);
    } else {
      changed_.wait_until(lock, next, due);
    }
    idle_ = false;
  }
  ended_ = true;
}

void AlertCourier::serve(const CourierRoute& route, Pace& pace) {
  for (const std::string& name : store_.names(route.queue)) {
    if (stopping()) return;
    const auto content = store_.get(route.queue, name);
    if (!content) {
      // It stays for whoever can mend it, and those behind it need not wait for that.
      if (content.error().kind != base::ErrorKind::kNotFound &&
          unreadable_.insert(route.queue + "/" + name).second) {
        note("an alert for " + route.queue + " is not delivered: " + content.error().message +
             "; it stays in the queue until the file can be read or is removed, and the "
             "others go on");
      }
      continue;
    }
    if (!deliver(route, name, *content, pace)) return;
    if (auto removed = store_.remove(route.queue, name); !removed) {
      // It would be delivered again and again.
      note(removed.error().message + "; no more alerts are sent to " + route.queue +
           " before the recorder is started again");
      pace.pause = timing_.longest_pause;
      pace.next_try = Clock::time_point::max();
      return;
    }
  }
  pace.pause = std::chrono::milliseconds(0);
}

bool AlertCourier::deliver(const CourierRoute& route, const std::string& name,
                           const std::string& content, Pace& pace) {
  if (timing_.now_us() - kOldestUs > time_of(name)) {
    note("an alert for " + route.queue +
         " could not be delivered within three days and is dropped");
    return true;
  }
  const auto done = route.deliver({name, content, [this] { return stopping(); }});
  if (done) return true;
  if (stopping()) return false;
  if (done.error().kind == base::ErrorKind::kUsage) {
    note("an alert is not delivered to " + route.queue + ": " + done.error().message);
    return true;
  }
  // Told once for each time that it begins to fail.
  if (pace.pause.count() == 0) {
    note("alerts cannot be delivered to " + route.queue + ": " + done.error().message +
         "; they are kept and tried again");
  }
  pace.pause = pace.pause.count() == 0 ? timing_.first_pause
                                       : std::min(2 * pace.pause, timing_.longest_pause);
  pace.next_try = Clock::now() + pace.pause;
  return false;
}

}  // namespace apps
