// ThreadGroup: threads that are joined together. A machine that will not give us another thread is
// no failure: who starts several does the same work with those that started.
#pragma once

#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace host {

class ThreadGroup {
 public:
  ThreadGroup() = default;
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;
  ~ThreadGroup() { join(); }

  /// False when no thread could be started; `work` was then not called.
  template <class Work>
  bool start(Work work) {
    try {
      threads_.emplace_back(std::move(work));
    } catch (const std::system_error&) {
      return false;
    }
    return true;
  }

  void join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

}  // namespace host
