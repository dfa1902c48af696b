#include "host/stop_signals.h"

#include <unistd.h>

#include <gtest/gtest.h>

namespace {

TEST(StopSignals, SaysThatOneCameAndSaysItFromThenOn) {
  host::StopSignals signals;
  EXPECT_FALSE(signals.wait(0));
  ::kill(::getpid(), SIGTERM);
  EXPECT_TRUE(signals.wait(60'000)) << "at once, not after a minute";
  EXPECT_TRUE(signals.wait(60'000));
}

TEST(StopSignals, OtherSignalsDoNotStop) {
  host::StopSignals signals;
  ::kill(::getpid(), SIGWINCH);  // ignored by default
  EXPECT_FALSE(signals.wait(1));
}

}  // namespace
