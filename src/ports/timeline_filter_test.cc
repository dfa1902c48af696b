#include "ports/timeline_filter.h"

#include <gtest/gtest.h>

#include "testkit/recorded.h"

namespace {

class TimelineFilterTest : public testing::Test {
 protected:
  TimelineFilterTest() {
    row.socket = testkit::connection(1, 56744, 0);
    row.owner = testkit::process(7, 4711, "curl");
    row.also_held_by = {testkit::process(8, 4712, "helper")};
  }
  [[nodiscard]] bool matches(std::string_view text) const {
    return ports::TimelineFilter::parse(text, 4026531840).value().matches(row);
  }

  ports::TimelineRow row;
};

TEST_F(TimelineFilterTest, AsksForWhatTheTimelineKeeps) {
  for (const char* text :
       {"", "56744", "tcp", "proto=tcp and lport = 56744", "rport = 443", "raddr in 10.0.0.0/8",
        "command = curl", "command = helper", "pid = 4712", "exe ~ bin/curl", "user = user1000",
        "uid = 1000", "unit = some.service", "container = 0123456789ab", "netns = own",
        "state = established", "interface = 2", "cookie = 1"}) {
    EXPECT_TRUE(matches(text)) << text;
  }
  for (const char* text : {"udp", "22", "command = nginx", "uid = 0", "state = listen",
                           "not netns = own", "raddr in 192.168.0.0/16"}) {
    EXPECT_FALSE(matches(text)) << text;
  }
}

TEST_F(TimelineFilterTest, RolesHaveStates) {
  row.socket.role = model::SocketRole::kListener;
  EXPECT_TRUE(matches("tcp listen"));
  row.socket.role = model::SocketRole::kBound;
  row.socket.protocol = model::Protocol::kUdp;
  EXPECT_TRUE(matches("state = unconnected"));
  row.socket.role = model::SocketRole::kRefused;
  EXPECT_FALSE(matches("state = established"));
}

TEST_F(TimelineFilterTest, NobodyIsNotRoot) {
  row.owner.reset();
  row.also_held_by.clear();
  EXPECT_FALSE(matches("uid = 0"));
}

TEST_F(TimelineFilterTest, RefusesWhatTheTimelineDoesNotKeep) {
  for (const char* text : {"recvq > 0", "sendq > 0", "package = curl", "inode = 5",
                           "tcp and not holding = kernel", "nonsense = 1"}) {
    const auto parsed = ports::TimelineFilter::parse(text, 0);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, base::ErrorKind::kUsage);
  }
}

TEST_F(TimelineFilterTest, TellsWhichPortsCanMatch) {
  EXPECT_EQ(ports::TimelineFilter::parse("port = 22 and tcp", 0)->port_bounds(),
            (model::PortRange{22, 22}));
  EXPECT_EQ(ports::TimelineFilter::parse("tcp", 0)->port_bounds(), std::nullopt);
}

}  // namespace
