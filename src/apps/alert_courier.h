// AlertCourier: takes messages from the queues of the state directory to where they belong, in a
// thread of its own, so that a slow receiver never keeps the recorder waiting. What cannot be
// delivered stays in its queue and is tried again, after 1, 2, 4, ... seconds up to five minutes,
// until it is three days old or was refused for good.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "disk/alert_store.h"

namespace apps {

struct Delivery {
  std::string name;  ///< of the message in its queue
  std::string content;
  std::function<bool()> given_up;  ///< asked while it takes long
};

struct CourierRoute {
  std::string queue;
  /// kUsage: it was refused for good, and another try would be refused too.
  std::function<base::Result<void>(const Delivery&)> deliver;
};

struct CourierTiming {
  std::chrono::milliseconds first_pause{1000};
  std::chrono::milliseconds longest_pause{300'000};
  std::function<int64_t()> now_us;  ///< wall clock; names of messages begin with their time
};

class AlertCourier {
 public:
  /// Begins at once with what waits from an earlier run.
  AlertCourier(disk::AlertStore store, std::vector<CourierRoute> routes, CourierTiming timing);
  /// Gives up what is under way, which stays in its queue, and waits until that has happened.
  ~AlertCourier();
  AlertCourier(const AlertCourier&) = delete;
  AlertCourier& operator=(const AlertCourier&) = delete;

  /// There is something new in a queue.
  void wake();
  /// Asks it to give up and to end, and waits for neither.
  void stop();
  /// Whether it has ended, so that its destruction waits for nothing.
  [[nodiscard]] bool ended();
  /// Sentences about what could not be delivered, since the last call. Any thread.
  std::vector<std::string> take_notices();
  /// Waits until every queue is empty or a try has failed. For tests.
  void wait_until_idle();

 private:
  using Clock = std::chrono::steady_clock;
  struct Pace {
    Clock::time_point next_try;
    std::chrono::milliseconds pause{0};  // 0 = the last try went well
  };

  void run();
  void serve(const CourierRoute& route, Pace& pace);
  /// Whether the message is done with: delivered, too old, or refused for good.
  bool deliver(const CourierRoute& route, const std::string& name, const std::string& content,
               Pace& pace);
  void note(std::string sentence);
  [[nodiscard]] bool stopping();

  disk::AlertStore store_;
  std::vector<CourierRoute> routes_;
  CourierTiming timing_;
  std::map<std::string, Pace> paces_;  // by queue; the thread's own
  std::set<std::string> unreadable_;   // likewise: what was said to be so

  std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  bool stop_ = false;
  bool ended_ = false;
  bool woken_ = true;
  bool idle_ = false;
  std::vector<std::string> notices_;

  std::thread thread_;  // last, so that all of the above is there when it begins
};

}  // namespace apps
