#include "net/name_resolver.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace net {
namespace {

using Clock = std::chrono::steady_clock;
using base::Result;

const auto kNever = Clock::time_point::max();
bool nobody_gives_up() { return false; }

SocketAddresses one_address(uint16_t family) {
  SocketAddresses out(1);
  out[0].storage.ss_family = family;
  out[0].size = sizeof out[0].storage;
  return out;
}

/// A name server that answers when it is told to.
class SlowServer {
 public:
  NameResolver::LookUp look_up() {
    return [state = state_](const std::string& host, uint16_t) -> Result<SocketAddresses> {
      std::unique_lock lock(state->mutex);
      ++state->asked;
      state->last_host = host;
      state->changed.notify_all();
      state->changed.wait(lock, [&] { return state->answers; });
      return one_address(AF_INET6);
    };
  }
  void answer() {
    const std::lock_guard lock(state_->mutex);
    state_->answers = true;
    state_->changed.notify_all();
  }
  void wait_until_asked() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->asked > 0; });
  }
  [[nodiscard]] std::string last_host() const {
    const std::lock_guard lock(state_->mutex);
    return state_->last_host;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool answers = false;
    int asked = 0;
    std::string last_host;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

void wait_until_none_is_left_behind(const NameResolver& resolver) {
  while (resolver.left_behind() > 0) std::this_thread::yield();
}

TEST(NameResolver, GivesWhatWasFound) {
  const NameResolver resolver(
      [](const std::string& host, uint16_t port) -> Result<SocketAddresses> {
        EXPECT_EQ(host, "hooks.example");
        EXPECT_EQ(port, 443);
        return one_address(AF_INET);
      });
  const auto found = resolver.resolve("hooks.example", 443, kNever, nobody_gives_up);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().family(), AF_INET);
}

TEST(NameResolver, TellsWhyNothingWasFound) {
  const NameResolver resolver([](const std::string&, uint16_t) -> Result<SocketAddresses> {
    return base::fail(base::ErrorKind::kIo, "its address was not found: no such host");
  });
  const auto found = resolver.resolve("hooks.example", 443, kNever, nobody_gives_up);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "its address was not found: no such host");
}

TEST(NameResolver, NumericAddressesAreNotLookedUp) {
  const NameResolver resolver([](const std::string& host, uint16_t) -> Result<SocketAddresses> {
    ADD_FAILURE() << host << " was looked up";
    return one_address(AF_INET);
  });
  const auto four = resolver.resolve("127.0.0.1", 80, kNever, nobody_gives_up);
  ASSERT_TRUE(four) << four.error().message;
  EXPECT_EQ(four->front().family(), AF_INET);
  const auto six = resolver.resolve("::1", 80, kNever, nobody_gives_up);
  ASSERT_TRUE(six) << six.error().message;
  EXPECT_EQ(six->front().family(), AF_INET6);
}

TEST(NameResolver, EndsAtItsDeadlineThoughNobodyAnswers) {
  SlowServer server;
  const NameResolver resolver(server.look_up());
  const auto found = resolver.resolve("hooks.example", 443, Clock::now(), nobody_gives_up);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "no answer in time when its address was looked up");
  EXPECT_EQ(resolver.left_behind(), 1U);
  server.answer();
  wait_until_none_is_left_behind(resolver);
}

TEST(NameResolver, EndsWhenItIsGivenUpThoughNobodyAnswers) {
  SlowServer server;
  const NameResolver resolver(server.look_up());
  const auto found = resolver.resolve("hooks.example", 443, kNever, [&] {
    server.wait_until_asked();
    return true;
  });
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "it was given up");
  EXPECT_EQ(server.last_host(), "hooks.example");
  server.answer();
  wait_until_none_is_left_behind(resolver);
}

TEST(NameResolver, LeavesOnlySoManyBehind) {
  SlowServer server;
  const NameResolver resolver(server.look_up());
  const NameResolver copy = resolver;  // shares what is under way
  for (size_t i = 0; i < kLookUpsLeftBehind; ++i) {
    EXPECT_FALSE(resolver.resolve("hooks.example", 443, Clock::now(), nobody_gives_up));
  }
  const auto found = copy.resolve("hooks.example", 443, kNever, nobody_gives_up);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("4 earlier look-ups have no answer yet"), std::string::npos)
      << found.error().message;
  server.answer();
  wait_until_none_is_left_behind(resolver);
  EXPECT_TRUE(copy.resolve("hooks.example", 443, kNever, nobody_gives_up));
}

TEST(NameResolver, WhatIsLeftBehindOutlivesIt) {
  SlowServer server;
  {
    const NameResolver resolver(server.look_up());
    EXPECT_FALSE(resolver.resolve("hooks.example", 443, Clock::now(), nobody_gives_up));
    server.wait_until_asked();
  }
  server.answer();
}

TEST(NameResolver, TheSystemKnowsLocalhost) {
  const auto found = look_up("localhost", 80);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->empty());
}

}  // namespace
}  // namespace net
