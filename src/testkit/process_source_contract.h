// What every ports::ProcessSource must do. A test file includes this and instantiates it:
//   INSTANTIATE_TEST_SUITE_P(Fake, ProcessSourceContract, testing::Values(&make_fake_world));
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <limits>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "ports/process_source.h"

namespace testkit {

/// A place where processes can be started and ended, and the source that looks at it. Each source
/// that it hands out starts without anything remembered.
class ProcessWorld {
 public:
  struct Family {
    int32_t parent = 0;
    int32_t child = 0;
  };
  ProcessWorld() = default;
  ProcessWorld(const ProcessWorld&) = delete;
  ProcessWorld& operator=(const ProcessWorld&) = delete;
  virtual ~ProcessWorld() = default;

  virtual std::unique_ptr<ports::ProcessSource> source() = 0;
  /// Both run until they are ended; they belong to user `user()`, and the world's own process
  /// `self()` is the parent of the parent.
  virtual Family start(const std::string& parent_command, const std::string& child_command) = 0;
  virtual void end(const Family& family) = 0;
  virtual int32_t self() = 0;
  virtual uint32_t uid() = 0;
  virtual std::string user() = 0;
};

using MakeProcessWorld = std::unique_ptr<ProcessWorld> (*)();

class ProcessSourceContract : public testing::TestWithParam<MakeProcessWorld> {
 protected:
  std::unique_ptr<ProcessWorld> world_ = GetParam()();
};

inline void expect_gone_and_nothing_else(const model::Process& process, int32_t pid) {
  EXPECT_TRUE(process.gone);
  EXPECT_EQ(process.pid, pid);
  EXPECT_EQ(process.command, "");
  EXPECT_EQ(process.exe, "");
  EXPECT_EQ(process.user, "");
  EXPECT_EQ(process.parent_pid, 0);
  EXPECT_EQ(process.start_time_ns, 0U);
  EXPECT_EQ(process.placement.cgroup, "");
  EXPECT_FALSE(process.details_hidden);
}

TEST_P(ProcessSourceContract, TellsWhoAProcessIs) {
  const auto family = world_->start("parent", "a) child");
  const auto process = world_->source()->read(family.child, 0);
  EXPECT_FALSE(process.gone);
  EXPECT_EQ(process.pid, family.child);
  EXPECT_EQ(process.parent_pid, family.parent);
  EXPECT_EQ(process.command, "a) child");
  EXPECT_EQ(process.uid, world_->uid());
  EXPECT_EQ(process.user, world_->user());
  EXPECT_NE(process.exe, "");
  EXPECT_FALSE(process.exe_deleted);
  EXPECT_FALSE(process.is_kernel_thread);
  EXPECT_FALSE(process.details_hidden);
  EXPECT_GT(process.start_time_ns, 0U);
  EXPECT_NEAR(static_cast<double>(process.start_time_unix_s), static_cast<double>(time(nullptr)),
              60);
  world_->end(family);
}

TEST_P(ProcessSourceContract, LeavesAncestorsAndPackageToOthers) {
  const auto family = world_->start("parent", "child");
  const auto process = world_->source()->read(family.child, 0);
  EXPECT_TRUE(process.ancestors.empty());
  EXPECT_EQ(process.package, "");
  EXPECT_EQ(process.package_check, model::PackageCheck::kNotAsked);
  world_->end(family);
}

TEST_P(ProcessSourceContract, AProcessThatEndedIsGone) {
  const auto family = world_->start("parent", "child");
  world_->end(family);
  const auto source = world_->source();
  expect_gone_and_nothing_else(source->read(family.child, 0), family.child);
  EXPECT_TRUE(source->ancestors(family.child).empty());
}

TEST_P(ProcessSourceContract, AnEndedProcessIsNotRemembered) {
  const auto family = world_->start("parent", "child");
  const auto source = world_->source();
  ASSERT_FALSE(source->read(family.child, 0).gone);
  world_->end(family);
  expect_gone_and_nothing_else(source->read(family.child, 0), family.child);
}

TEST_P(ProcessSourceContract, AnotherStartTimeMeansThatThePidWasUsedAgain) {
  const auto family = world_->start("parent", "child");
  const auto source = world_->source();
  const uint64_t start_time_ns = source->read(family.child, 0).start_time_ns;
  for (const uint64_t other : {start_time_ns - 10'000'000, start_time_ns + 10'000'000, uint64_t{1},
                               std::numeric_limits<uint64_t>::max()}) {
    expect_gone_and_nothing_else(source->read(family.child, other), family.child);
  }
  world_->end(family);
}

TEST_P(ProcessSourceContract, ComparesStartTimesToTheClockTick) {
  // BPF tells nanoseconds, /proc hundredths of a second.
  const auto family = world_->start("parent", "child");
  const auto source = world_->source();
  const uint64_t start_time_ns = source->read(family.child, 0).start_time_ns;
  EXPECT_FALSE(source->read(family.child, start_time_ns).gone);
  EXPECT_FALSE(source->read(family.child, start_time_ns + 9'999'999).gone);
  world_->end(family);
}

TEST_P(ProcessSourceContract, AncestorsComeNearestFirst) {
  const auto family = world_->start("parent", "child");
  const auto ancestors = world_->source()->ancestors(family.child);
  ASSERT_GE(ancestors.size(), 2U);
  EXPECT_EQ(ancestors[0].pid, family.parent);
  EXPECT_EQ(ancestors[0].command, "parent");
  EXPECT_EQ(ancestors[1].pid, world_->self());
  EXPECT_EQ(ancestors.back().pid, 1);
  world_->end(family);
}

TEST_P(ProcessSourceContract, NamesTheUserOfAProcessThatHasEnded) {
  const auto source = world_->source();
  EXPECT_EQ(source->traces(world_->uid(), 0).user, world_->user());
  EXPECT_EQ(source->traces(4'000'000'000, 0).user, "4000000000") << "a number has no name";
  EXPECT_EQ(source->traces(world_->uid(), 0).placement.cgroup, "");
}

TEST_P(ProcessSourceContract, AParentThatEndedIsNotRememberedForEver) {
  const auto source = world_->source();
  const auto family = world_->start("parent", "child");
  ASSERT_FALSE(source->ancestors(family.child).empty());
  world_->end(family);
  source->forget();
  EXPECT_TRUE(source->ancestors(family.child).empty());
}

TEST_P(ProcessSourceContract, PidsThatCannotBeAreGone) {
  const auto source = world_->source();
  for (const int32_t pid :
       {0, -1, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()}) {
    expect_gone_and_nothing_else(source->read(pid, 0), pid);
    EXPECT_TRUE(source->ancestors(pid).empty());
  }
}

}  // namespace testkit
