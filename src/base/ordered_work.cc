#include "base/ordered_work.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace base {
namespace {

constexpr unsigned kThreadsMax = 4;
constexpr size_t kAheadPerThread = 2;

// Every thread makes texts, and whoever has made one that is next uses it and those that follow: a
// thread that did nothing but use them would have to be woken for each.
class OrderedWork {
 public:
  OrderedWork(size_t count, size_t threads, const std::function<std::string(size_t)>& make,
              const std::function<bool(std::string)>& use)
      : count_(count), ahead_max_(threads * kAheadPerThread), make_(make), use_(use) {}

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return next_ >= count_ || next_ < used_ + ahead_max_; });
      if (next_ >= count_) return;
      const size_t i = next_++;
      lock.unlock();
      std::string text = make_(i);
      lock.lock();
      made_.emplace(i, std::move(text));
      if (!in_use_) use_what_is_next(lock);
    }
  }

 private:
  void use_what_is_next(std::unique_lock<std::mutex>& lock) {
    in_use_ = true;
    for (auto next = made_.find(used_); next != made_.end(); next = made_.find(used_)) {
      std::string text = std::move(made_.extract(next).mapped());
      lock.unlock();
      const bool goes_on = use_(std::move(text));
      lock.lock();
      ++used_;
      changed_.notify_all();
      if (goes_on) continue;
      next_ = count_;
      return;  // still in use: nobody uses any more
    }
    in_use_ = false;
  }

  const size_t count_;
  const size_t ahead_max_;
  const std::function<std::string(size_t)>& make_;
  const std::function<bool(std::string)>& use_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<size_t, std::string> made_;
  size_t next_ = 0;
  size_t used_ = 0;
  bool in_use_ = false;
};

}  // namespace

void make_in_order(size_t count, const std::function<std::string(size_t)>& make,
                   const std::function<bool(std::string)>& use) {
  const size_t cores = std::clamp(std::thread::hardware_concurrency(), 1U, kThreadsMax);
  const size_t threads = std::min(cores, count);
  OrderedWork work(count, threads, make, use);
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i) {
    try {
      others.emplace_back([&work] { work.work(); });
    } catch (const std::system_error&) {
      break;  // those that there are do it all
    }
  }
  work.work();
  for (auto& thread : others) thread.join();
}

}  // namespace base
