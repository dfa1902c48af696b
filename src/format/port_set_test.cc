#include "format/port_set.h"

#include <initializer_list>

#include <gtest/gtest.h>

namespace {

using Bytes = std::vector<uint8_t>;

format::PortSet ports(std::initializer_list<uint16_t> list) {
  format::PortSet set;
  for (const uint16_t port : list) set.set(port);
  return set;
}

bool meets(const Bytes& bytes, uint16_t first, uint16_t last) {
  const auto answer = format::port_set_meets(bytes, {first, last});
  EXPECT_TRUE(answer);
  return answer.value_or(false);
}

TEST(PortSet, HasTheBytesThatTheFormatPromises) {
  EXPECT_EQ(format::encode_port_set(ports({})), Bytes{});
  EXPECT_EQ(format::encode_port_set(ports({0})), Bytes{0});
  EXPECT_EQ(format::encode_port_set(ports({0, 1, 128})), (Bytes{0, 1, 127}));
  EXPECT_EQ(format::encode_port_set(ports({443, 65535})), (Bytes{0xbb, 0x03, 0xc4, 0xfc, 0x03}));
}

TEST(PortSet, ComesBackAsItWas) {
  format::PortSet set;
  for (uint32_t port = 7; port < 65536; port += 1 + port % 511) set.set(port);
  set.set(65535);
  const auto decoded = format::decode_port_set(format::encode_port_set(set));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, set);
  const auto all = format::decode_port_set(format::encode_port_set(format::PortSet().set()));
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->all());
}

TEST(PortSet, TellsWhetherARangeMeetsIt) {
  const Bytes bytes = format::encode_port_set(ports({22, 443, 40000, 65535}));
  EXPECT_TRUE(meets(bytes, 443, 443));
  EXPECT_FALSE(meets(bytes, 444, 39999));
  EXPECT_TRUE(meets(bytes, 444, 40000));
  EXPECT_TRUE(meets(bytes, 0, 22));
  EXPECT_FALSE(meets(bytes, 0, 21));
  EXPECT_TRUE(meets(bytes, 65535, 65535));
  EXPECT_FALSE(meets({}, 0, 65535));
}

TEST(PortSet, RefusesWhatItWouldNotWrite) {
  for (const Bytes& bytes : {
           Bytes{0x80},                    // ends within a number
           Bytes{0x80, 0x80, 0x80, 0x01},  // a number of more bytes than any port needs
           Bytes{0x80, 0x00},              // zero in two bytes
           Bytes{22, 0},                   // the same port twice
           Bytes{0xfe, 0xff, 0x03, 2},     // 65534, then 65536
           Bytes{0x80, 0x80, 0x04},        // 65536
       }) {
    const auto decoded = format::decode_port_set(bytes);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, base::ErrorKind::kCorrupt);
    EXPECT_FALSE(format::port_set_meets(bytes, {65535, 65535}));
  }
}

}  // namespace
