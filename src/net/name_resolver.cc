#include "net/name_resolver.h"

#include <netdb.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace net {
namespace {

using base::ErrorKind;
using base::Result;

// How often `given_up` is asked.
constexpr std::chrono::milliseconds kSlice{100};

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Result<SocketAddresses> ask_system(const std::string& host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    return base::fail(ErrorKind::kIo,
                      std::string("its address was not found: ") + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  SocketAddresses out;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress& address = out.emplace_back();
    address.size = std::min<socklen_t>(one->ai_addrlen, sizeof address.storage);
    std::memcpy(&address.storage, one->ai_addr, address.size);
  }
  if (out.empty()) return base::fail(ErrorKind::kIo, "it has no address");
  return out;
}

}  // namespace

Result<SocketAddresses> look_up(const std::string& host, uint16_t port) {
  return ask_system(host, port, AI_ADDRCONFIG);
}

struct NameResolver::Shared {
  explicit Shared(LookUp function) : look_up(std::move(function)) {}

  const LookUp look_up;
  std::mutex mutex;  // what follows
  std::condition_variable changed;
  size_t left_behind = 0;
};

NameResolver::NameResolver(LookUp look_up)
    : shared_(std::make_shared<Shared>(std::move(look_up))) {}

size_t NameResolver::left_behind() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->left_behind;
}

Result<SocketAddresses> NameResolver::resolve(const std::string& host, uint16_t port,
                                              std::chrono::steady_clock::time_point deadline,
                                              const std::function<bool()>& given_up) const {
  if (auto numeric = ask_system(host, port, AI_NUMERICHOST)) return numeric;
  // Guarded by the mutex of `shared`, which the thread keeps alive with everything else it uses.
  struct Question {
    std::optional<Result<SocketAddresses>> answer;
    bool abandoned = false;
  };
  const auto question = std::make_shared<Question>();
  std::unique_lock lock(shared_->mutex);
  if (shared_->left_behind >= kLookUpsLeftBehind) {
    return base::fail(ErrorKind::kIo, "its address is not looked up, since " +
                                          std::to_string(shared_->left_behind) +
                                          " earlier look-ups have no answer yet; see whether the "
                                          "name servers in /etc/resolv.conf answer");
  }
  try {
    std::thread([shared = shared_, question, host, port] {
      auto answer = shared->look_up(host, port);
      const std::lock_guard guard(shared->mutex);
      question->answer = std::move(answer);
      if (question->abandoned) --shared->left_behind;
      shared->changed.notify_all();
    }).detach();
  } catch (const std::system_error& error) {
    return base::fail(ErrorKind::kIo,
                      std::string("no thread to look up its address: ") + error.what());
  }
  while (!question->answer) {
    const auto now = std::chrono::steady_clock::now();
    const bool late = now >= deadline;
    if (late || given_up()) {
      question->abandoned = true;
      ++shared_->left_behind;
      return base::fail(ErrorKind::kIo, late ? "no answer in time when its address was looked up"
                                             : "it was given up");
    }
    shared_->changed.wait_until(lock, std::min(deadline, now + kSlice));
  }
  return std::move(*question->answer);
}

}  // namespace net
