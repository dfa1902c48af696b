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

class OrderedWork {
 public:
  OrderedWork(size_t count, const std::function<std::string(size_t)>& make)
      : count_(count), make_(make) {}

  void start(size_t threads) {
    ahead_max_ = threads * kAheadPerThread;
    for (size_t i = 0; i < threads; ++i) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        return;  // those that did start do it all
      }
    }
  }

  void use_all(const std::function<bool(std::string)>& use) {
    for (size_t i = 0; i < count_; ++i) {
      if (!use(threads_.empty() ? make_(i) : wait_for(i))) break;
    }
    const std::lock_guard lock(mutex_);
    next_ = count_;
    changed_.notify_all();
  }

  void join() {
    for (auto& thread : threads_) thread.join();
  }

 private:
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
      changed_.notify_all();
    }
  }

  std::string wait_for(size_t i) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return made_.contains(i); });
    std::string text = std::move(made_.extract(i).mapped());
    used_ = i + 1;
    changed_.notify_all();
    return text;
  }

  const size_t count_;
  const std::function<std::string(size_t)>& make_;
  size_t ahead_max_ = 0;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<size_t, std::string> made_;
  size_t next_ = 0;
  size_t used_ = 0;
};

}  // namespace

void make_in_order(size_t count, const std::function<std::string(size_t)>& make,
                   const std::function<bool(std::string)>& use) {
  OrderedWork work(count, make);
  const size_t cores = std::clamp(std::thread::hardware_concurrency(), 1U, kThreadsMax);
  if (cores > 1 && count > 1) work.start(std::min(cores, count));
  work.use_all(use);
  work.join();
}

}  // namespace base
