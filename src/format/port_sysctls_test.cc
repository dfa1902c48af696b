#include "format/port_sysctls.h"

#include <gtest/gtest.h>

namespace {

TEST(PortSysctls, DecodesTheRangeAsTheKernelPrintsIt) {
  EXPECT_EQ(format::decode_local_port_range("32768\t60999\n"), (model::PortRange{32768, 60999}));
  EXPECT_EQ(format::decode_local_port_range("1 65535"), (model::PortRange{1, 65535}));
  EXPECT_EQ(format::decode_local_port_range("5000\t5000\n"), (model::PortRange{5000, 5000}));
}

TEST(PortSysctls, RefusesWhatIsNoRange) {
  for (const char* text : {"", "\n", "32768\n", "60999\t32768\n", "1\t65536\n", "1\t2\t3\n",
                           "-1\t2\n", "1\t2\n\n", "a\tb\n"}) {
    EXPECT_FALSE(format::decode_local_port_range(text).has_value()) << text;
  }
}

TEST(PortSysctls, DecodesReservedPorts) {
  EXPECT_EQ(format::decode_reserved_ports("\n")->size(), 0U);
  EXPECT_EQ(format::decode_reserved_ports("")->size(), 0U);
  const auto ports = format::decode_reserved_ports("8080,9148,20000-20005\n");
  ASSERT_TRUE(ports.has_value());
  EXPECT_EQ(*ports, (std::vector<model::PortRange>{{8080, 8080}, {9148, 9148}, {20000, 20005}}));
}

TEST(PortSysctls, SortsReservedPorts) {
  const auto ports = format::decode_reserved_ports("30-40,2\n");
  ASSERT_TRUE(ports.has_value());
  EXPECT_EQ(ports->front().first, 2);
}

TEST(PortSysctls, RefusesReservedPortsThatAreNone) {
  for (const char* text : {",", "1,,2", "1-", "-1", "5-4", "65536", "1 2", "x"}) {
    EXPECT_FALSE(format::decode_reserved_ports(text).has_value()) << text;
  }
}

TEST(PortSysctls, DecodesOnePort) {
  EXPECT_EQ(format::decode_port_number("1024\n"), 1024);
  EXPECT_EQ(format::decode_port_number("0\n"), 0);
  EXPECT_FALSE(format::decode_port_number("65536\n").has_value());
  EXPECT_FALSE(format::decode_port_number("").has_value());
}

}  // namespace
