#include "disk/alert_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "base/file.h"
#include "testkit/temporary_directory.h"

namespace disk {
namespace {

model::Alert alert(int number) {
  model::Alert out;
  out.rule = model::AlertRule::kWider;
  out.time_us = number + 1;
  out.sentence = "number " + std::to_string(number);
  return out;
}

class AlertStoreTest : public ::testing::Test {
 protected:
  testkit::TemporaryDirectory folder;
  AlertStore store{folder.path() + "/state"};
};

TEST_F(AlertStoreTest, KeepsFacts) {
  EXPECT_TRUE(store.read_facts().empty());
  ASSERT_TRUE(store.write_facts({{"a\tb\tc", 5}}));
  ASSERT_EQ(store.read_facts().size(), 1U);
  EXPECT_EQ(store.read_facts()[0].key, "a\tb\tc");
}

TEST_F(AlertStoreTest, KeepsTheLogInOrder) {
  EXPECT_EQ(store.read_log().error().kind, base::ErrorKind::kNotFound);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store.append_log(alert(i)));
  const auto log = store.read_log();
  ASSERT_TRUE(log);
  ASSERT_EQ(log->size(), 3U);
  EXPECT_EQ(log->at(2).sentence, "number 2");
  struct stat status{};
  ASSERT_EQ(::stat((folder.path() + "/state/alerts/log.toml").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(AlertStoreTest, TheLogDoesNotGrowForEver) {
  model::Alert large = alert(0);
  large.sentence.assign(100'000, 'x');
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(store.append_log(large));
  ASSERT_TRUE(store.append_log(alert(7)));
  const auto log = store.read_log();
  ASSERT_TRUE(log);
  EXPECT_LT(log->size(), 25U);
  EXPECT_GT(log->size(), 10U);
  EXPECT_EQ(log->back().sentence, "number 7");
}

TEST_F(AlertStoreTest, AQueueOutlivesTheStore) {
  EXPECT_TRUE(store.names("hook").empty());
  EXPECT_EQ(*store.put("hook", "2", "two"), 0U);
  EXPECT_EQ(*store.put("hook", "1", "one"), 0U);
  EXPECT_EQ(*store.put("other", "3", "three"), 0U);
  const AlertStore again(folder.path() + "/state");
  EXPECT_EQ(again.names("hook"), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(*again.get("hook", "1"), "one");
  ASSERT_TRUE(again.remove("hook", "1"));
  ASSERT_TRUE(again.remove("hook", "1"));
  EXPECT_EQ(again.names("hook"), std::vector<std::string>{"2"});
  EXPECT_FALSE(again.get("hook", "1"));
}

TEST_F(AlertStoreTest, WhatWasBeingWrittenIsNotInTheQueue) {
  ASSERT_TRUE(store.put("hook", "1", "one"));
  ASSERT_TRUE(base::replace_file(folder.path() + "/state/alerts/queue/hook/2.json.Xa8Ql1", "tw"));
  EXPECT_EQ(store.names("hook"), std::vector<std::string>{"1"});
}

TEST_F(AlertStoreTest, OfAFullQueueTheOldestGo) {
  const std::string path = folder.path() + "/state/alerts/queue/hook";
  ASSERT_TRUE(store.put("hook", "00000", "first"));
  for (size_t i = 1; i < kAlertQueueMax; ++i) {
    const std::string number = std::to_string(10'000 + i);
    const base::Fd file(
        ::open((path + "/" + number + ".json").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_TRUE(file.valid());
  }
  EXPECT_EQ(*store.put("hook", "99999", "last"), 1U);
  const auto names = store.names("hook");
  EXPECT_EQ(names.size(), kAlertQueueMax);
  EXPECT_EQ(names.front(), "10001");
  EXPECT_EQ(names.back(), "99999");
}

}  // namespace
}  // namespace disk
