#include "apps/alert_courier.h"

#include <atomic>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "testkit/temporary_directory.h"

namespace apps {
namespace {

using base::ErrorKind;

class Courier : public ::testing::Test {
 protected:
  CourierTiming timing() {
    CourierTiming out;
    out.first_pause = std::chrono::milliseconds(1);
    out.longest_pause = std::chrono::milliseconds(2);
    out.now_us = [this] { return now_us; };
    return out;
  }
  /// Delivers to `delivered`, after as many failures as `failures` says.
  CourierRoute route(const std::string& queue = "hook") {
    return {queue, [this](const Delivery& delivery) -> base::Result<void> {
              if (failures > 0) {
                --failures;
                return base::fail(kind, "nobody listens");
              }
              delivered.push_back(delivery.name + " " + delivery.content);
              return {};
            }};
  }

  /// Lets a courier do its round; what it says.
  std::vector<std::string> run(std::vector<CourierRoute> routes) {
    AlertCourier courier(store, std::move(routes), timing());
    courier.wait_until_idle();
    return courier.take_notices();
  }

  testkit::TemporaryDirectory folder;
  disk::AlertStore store{folder.path()};
  int64_t now_us = 1'000'000;
  // Touched by the courier's thread while there is one.
  int failures = 0;
  ErrorKind kind = ErrorKind::kIo;
  std::vector<std::string> delivered;
};

TEST_F(Courier, DeliversWhatWaitsFromAnEarlierRunInOrder) {
  ASSERT_TRUE(store.put("hook", "2-b", "two"));
  ASSERT_TRUE(store.put("hook", "1-a", "one"));
  ASSERT_TRUE(store.put("elsewhere", "1-a", "not for us"));
  EXPECT_TRUE(run({route()}).empty());
  EXPECT_EQ(delivered, (std::vector<std::string>{"1-a one", "2-b two"}));
  EXPECT_TRUE(store.names("hook").empty());
  EXPECT_EQ(store.names("elsewhere").size(), 1U);
}

TEST_F(Courier, DeliversWhatIsNew) {
  {
    AlertCourier courier(store, {route()}, timing());
    courier.wait_until_idle();
    ASSERT_TRUE(store.put("hook", "1-a", "one"));
    courier.wake();
    courier.wait_until_idle();
  }
  EXPECT_EQ(delivered, std::vector<std::string>{"1-a one"});
}

TEST_F(Courier, TriesAgainAndSaysSoOnce) {
  failures = 3;
  ASSERT_TRUE(store.put("hook", "1-a", "one"));
  std::vector<std::string> notices;
  {
    AlertCourier courier(store, {route()}, timing());
    while (!store.names("hook").empty()) courier.wait_until_idle();
    notices = courier.take_notices();
  }
  EXPECT_EQ(delivered, std::vector<std::string>{"1-a one"});
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("nobody listens; they are kept and tried again"), std::string::npos);
}

TEST_F(Courier, DropsWhatIsRefusedForGoodAndWhatIsTooOld) {
  failures = 1;
  kind = ErrorKind::kUsage;
  now_us = int64_t{4} * 86400 * 1'000'000;
  ASSERT_TRUE(store.put("hook", "0000000000000-a", "old"));
  ASSERT_TRUE(store.put("hook", std::to_string(now_us - 1) + "-a", "refused"));
  ASSERT_TRUE(store.put("hook", std::to_string(now_us) + "-a", "new"));
  EXPECT_EQ(run({route()}).size(), 2U);
  EXPECT_EQ(delivered, std::vector<std::string>{std::to_string(now_us) + "-a new"});
  EXPECT_TRUE(store.names("hook").empty());
}

TEST_F(Courier, WhatWasNotDeliveredStaysForTheNextRun) {
  failures = 1'000'000;
  ASSERT_TRUE(store.put("hook", "1-a", "one"));
  EXPECT_EQ(run({route()}).size(), 1U);
  EXPECT_EQ(store.names("hook").size(), 1U);
  failures = 0;
  EXPECT_TRUE(run({route()}).empty());
  EXPECT_EQ(delivered, std::vector<std::string>{"1-a one"});
}

TEST_F(Courier, GoesOnPastAnAlertThatCannotBeRead) {
  ASSERT_TRUE(store.put("hook", "2-b", "two"));
  std::filesystem::create_directories(folder.path() + "/alerts/queue/hook/1-a.json");
  ASSERT_EQ(store.names("hook").size(), 2U);
  const auto notices = run({route()});
  EXPECT_EQ(delivered, std::vector<std::string>{"2-b two"});
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("stays in the queue"), std::string::npos) << notices[0];
  EXPECT_EQ(store.names("hook").size(), 1U);
}

TEST_F(Courier, StopsWithoutBeingWaitedFor) {
  ASSERT_TRUE(store.put("hook", "1-a", "one"));
  std::atomic<bool> begun = false;
  const CourierRoute endless{"hook", [&begun](const Delivery& delivery) -> base::Result<void> {
                               begun = true;
                               while (!delivery.given_up()) std::this_thread::yield();
                               return base::fail(ErrorKind::kIo, "it was given up");
                             }};
  AlertCourier courier(store, {endless}, timing());
  while (!begun) std::this_thread::yield();
  EXPECT_FALSE(courier.ended());
  courier.stop();
  while (!courier.ended()) std::this_thread::yield();
  EXPECT_EQ(store.names("hook").size(), 1U);
  EXPECT_TRUE(courier.take_notices().empty());
}

TEST_F(Courier, OneThatFailsKeepsNoOtherWaiting) {
  ASSERT_TRUE(store.put("broken", "1-a", "one"));
  ASSERT_TRUE(store.put("hook", "1-a", "one"));
  const CourierRoute broken{
      "broken", [](const Delivery&) { return base::fail(ErrorKind::kIo, "nobody listens"); }};
  run({broken, route()});
  EXPECT_EQ(delivered, std::vector<std::string>{"1-a one"});
}

}  // namespace
}  // namespace apps
