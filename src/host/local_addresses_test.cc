#include "host/local_addresses.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace host {
namespace {

TEST(LocalAddresses, HasLoopback) {
  EXPECT_TRUE(std::ranges::any_of(local_addresses(), &model::IpAddress::is_loopback));
}

}  // namespace
}  // namespace host
