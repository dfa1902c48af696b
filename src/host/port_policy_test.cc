#include "host/port_policy.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "host/net_namespaces.h"
#include "testkit/private_network.h"

namespace {

bool write_sysctl(const char* name, std::string_view value) {
  const std::string path = std::string("/proc/sys/net/ipv4/") + name;
  const base::Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

TEST(PortPolicy, ReadsTheMachinesOwn) {
  const model::PortPolicy policy = host::read_port_policy();
  EXPECT_TRUE(policy.known);
  EXPECT_LT(policy.ephemeral.first, policy.ephemeral.last);
}

TEST(PortPolicy, IsThatOfTheNamespaceTheThreadIsIn) {
  const model::PortPolicy outside = host::read_port_policy();
  const bool ran = testkit::run_in_private_network([&] {
    ASSERT_TRUE(write_sysctl("ip_local_port_range", "20000 20099"));
    ASSERT_TRUE(write_sysctl("ip_local_reserved_ports", "20010,20020-20029"));
    ASSERT_TRUE(write_sysctl("ip_unprivileged_port_start", "80"));
    const model::PortPolicy inside = host::read_port_policy();
    EXPECT_TRUE(inside.known);
    EXPECT_EQ(inside.ephemeral, (model::PortRange{20000, 20099}));
    EXPECT_EQ(inside.reserved, (std::vector<model::PortRange>{{20010, 20010}, {20020, 20029}}));
    EXPECT_EQ(inside.unprivileged_start, 80);
    EXPECT_TRUE(inside.hands_out(20000));
    EXPECT_FALSE(inside.hands_out(20025));

    // The way the collectors take: a thread that enters the namespace of another.
    const auto here = host::own_net_namespace();
    ASSERT_TRUE(here.has_value());
    const auto fd = host::open_net_namespace(*here);
    ASSERT_TRUE(fd.has_value());
    model::PortPolicy entered;
    const auto entering = host::run_in_net_namespace(fd->get(), [&] {
      entered = host::read_port_policy();
      return base::Result<void>();
    });
    ASSERT_TRUE(entering.has_value()) << entering.error().message;
    EXPECT_EQ(entered.ephemeral, (model::PortRange{20000, 20099}));
  });
  if (!ran) GTEST_SKIP() << "a network namespace of its own takes root";
  const model::PortPolicy after = host::read_port_policy();
  EXPECT_EQ(after.ephemeral, outside.ephemeral);
}

}  // namespace
