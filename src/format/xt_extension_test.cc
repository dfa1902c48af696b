#include "format/xt_extension.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace format {
namespace {

using Kind = XtTarget::Kind;
using Ranges = std::vector<model::PortRange>;

template <class T>
std::string bytes_of(const T& info) {
  return {reinterpret_cast<const char*>(&info), sizeof info};
}
template <class T>
XtMatch match(const std::string& name, uint32_t revision, const T& info) {
  return decode_xt_match({.name = name, .revision = revision, .info = bytes_of(info)});
}
template <class T>
XtTarget target(const std::string& name, uint32_t revision, uint8_t family, const T& info) {
  return decode_xt_target(
      {.is_target = true, .name = name, .revision = revision, .info = bytes_of(info)}, family);
}
xt_tcp tcp(uint16_t first, uint16_t last) {
  return {.spts = {0, 65535},
          .dpts = {first, last},
          .option = 0,
          .flg_mask = 0,
          .flg_cmp = 0,
          .invflags = 0};
}

TEST(XtMatch, TcpAndUdpPorts) {
  const XtMatch one = match("tcp", 0, tcp(80, 90));
  EXPECT_EQ(one.protocol, model::Protocol::kTcp);
  EXPECT_EQ(one.ports, (Ranges{{80, 90}}));
  EXPECT_FALSE(one.inverted);
  EXPECT_FALSE(one.conditional);
  EXPECT_FALSE(one.unclear);
  const XtMatch other =
      match("udp", 0, xt_udp{.spts = {53, 53}, .dpts = {1, 1}, .invflags = XT_UDP_INV_DSTPT});
  EXPECT_EQ(other.protocol, model::Protocol::kUdp);
  EXPECT_TRUE(other.inverted);
  EXPECT_TRUE(other.conditional);  // the source port
}

TEST(XtMatch, TcpMayDemandMoreThanPorts) {
  for (auto change :
       {+[](xt_tcp& info) { info.flg_mask = 2; }, +[](xt_tcp& info) { info.option = 2; },
        +[](xt_tcp& info) { info.spts[0] = 1024; },
        +[](xt_tcp& info) { info.invflags = XT_TCP_INV_SRCPT; }}) {
    xt_tcp info = tcp(80, 80);
    change(info);
    EXPECT_TRUE(match("tcp", 0, info).conditional);
  }
}

TEST(XtMatch, Multiport) {
  xt_multiport_v1 info{};
  info.flags = XT_MULTIPORT_DESTINATION;
  info.count = 4;
  info.ports[0] = 22;
  info.ports[1] = 80;
  info.pflags[1] = 1;  // 80 begins a range
  info.ports[2] = 90;
  info.ports[3] = 443;
  EXPECT_EQ(match("multiport", 1, info).ports, (Ranges{{22, 22}, {80, 90}, {443, 443}}));
  info.invert = 1;
  EXPECT_TRUE(match("multiport", 1, info).inverted);
  info.flags = XT_MULTIPORT_SOURCE;
  EXPECT_TRUE(match("multiport", 1, info).conditional);
  EXPECT_FALSE(match("multiport", 1, info).ports);
  info.flags = XT_MULTIPORT_EITHER;
  EXPECT_TRUE(match("multiport", 1, info).unclear);
}

TEST(XtMatch, MultiportWithCountsThatCannotBe) {
  xt_multiport_v1 info{};
  info.flags = XT_MULTIPORT_DESTINATION;
  info.count = 16;
  EXPECT_TRUE(match("multiport", 1, info).unclear);
  info.count = 15;
  info.pflags[14] = 1;  // a range without an end
  EXPECT_EQ(match("multiport", 1, info).ports->size(), 15U);
}

TEST(XtMatch, AddressTypeLocalGoesWithoutSaying) {
  xt_addrtype_info_v1 info{.source = 0, .dest = XT_ADDRTYPE_LOCAL, .flags = 0};
  EXPECT_FALSE(match("addrtype", 1, info).conditional);
  info.flags = XT_ADDRTYPE_INVERT_DEST;
  EXPECT_TRUE(match("addrtype", 1, info).conditional);
}

TEST(XtMatch, ConntrackMayTellThePort) {
  xt_conntrack_mtinfo1 info{};
  info.match_flags = XT_CONNTRACK_STATE;
  EXPECT_TRUE(match("conntrack", 3, info).conditional);
  EXPECT_FALSE(match("conntrack", 3, info).unclear);
  info.match_flags = XT_CONNTRACK_ORIGDST_PORT;
  EXPECT_TRUE(match("conntrack", 3, info).unclear);
}

TEST(XtMatch, OthersByName) {
  EXPECT_FALSE(decode_xt_match({.name = "comment"}).conditional);
  EXPECT_TRUE(decode_xt_match({.name = "mark"}).conditional);
  EXPECT_TRUE(decode_xt_match({.name = "u32"}).unclear);
  EXPECT_TRUE(decode_xt_match({.name = "set"}).unclear);
  EXPECT_TRUE(decode_xt_match({.name = ""}).unclear);
}

TEST(XtMatch, TooFewBytesOrAnotherRevisionIsUnclear) {
  for (const char* name : {"tcp", "udp", "multiport", "conntrack"}) {
    EXPECT_TRUE(decode_xt_match({.name = name, .info = "x"}).unclear) << name;
    EXPECT_TRUE(
        decode_xt_match({.name = name, .revision = 99, .info = std::string(500, '\0')}).unclear)
        << name;
  }
  EXPECT_TRUE(decode_xt_match({.name = "addrtype", .info = "x"}).conditional);
}

nf_nat_range2 range_to(const char* address, uint8_t family, uint16_t first, uint16_t last) {
  nf_nat_range2 range{};
  range.flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED;
  inet_pton(family == NFPROTO_IPV4 ? AF_INET : AF_INET6, address, &range.min_addr);
  range.max_addr = range.min_addr;
  range.min_proto.all = htons(first);
  range.max_proto.all = htons(last);
  return range;
}

TEST(XtTarget, DestinationNatOfTheLaterRevisions) {
  const auto v4 = range_to("172.17.0.2", NFPROTO_IPV4, 80, 81);
  for (const uint32_t revision : {1U, 2U}) {
    const XtTarget found = target("DNAT", revision, NFPROTO_IPV4, v4);
    ASSERT_EQ(found.kind, Kind::kDestinationNat);
    EXPECT_EQ(to_string(found.first_address.value()), "172.17.0.2");
    EXPECT_EQ(found.ports, (model::PortRange{80, 81}));
  }
  const XtTarget v6 = target("DNAT", 2, NFPROTO_IPV6, range_to("fd00::2", NFPROTO_IPV6, 80, 80));
  EXPECT_EQ(to_string(v6.first_address.value()), "fd00::2");
}

TEST(XtTarget, DestinationNatAndRedirectOfTheFirstRevision) {
  nf_nat_ipv4_multi_range_compat info{};
  info.rangesize = 1;
  info.range[0].flags = NF_NAT_RANGE_PROTO_SPECIFIED;
  info.range[0].min.all = htons(8080);
  info.range[0].max.all = htons(8080);
  const XtTarget redirect = target("REDIRECT", 0, NFPROTO_IPV4, info);
  ASSERT_EQ(redirect.kind, Kind::kDestinationNat);
  EXPECT_FALSE(redirect.first_address);
  EXPECT_EQ(redirect.ports, (model::PortRange{8080, 8080}));
  info.range[0].flags |= NF_NAT_RANGE_MAP_IPS;
  info.range[0].min_ip = info.range[0].max_ip = htonl(0x0A000002);
  EXPECT_EQ(to_string(target("DNAT", 0, NFPROTO_IPV4, info).first_address.value()), "10.0.0.2");
  info.rangesize = 2;
  EXPECT_EQ(target("DNAT", 0, NFPROTO_IPV4, info).kind, Kind::kUnclear);
  EXPECT_EQ(target("REDIRECT", 0, NFPROTO_IPV6, nf_nat_range{}).kind, Kind::kDestinationNat);
}

TEST(XtTarget, ShiftsAndOtherShapesAreUnclear) {
  auto range = range_to("172.17.0.2", NFPROTO_IPV4, 80, 80);
  range.flags |= NF_NAT_RANGE_PROTO_OFFSET;
  EXPECT_EQ(target("DNAT", 2, NFPROTO_IPV4, range).kind, Kind::kUnclear);
  EXPECT_EQ(target("DNAT", 2, NFPROTO_IPV4, range_to("10.0.0.1", NFPROTO_IPV4, 9, 1)).kind,
            Kind::kUnclear);
  EXPECT_EQ(target("DNAT", 3, NFPROTO_IPV4, range).kind, Kind::kUnclear);
  EXPECT_EQ(target("DNAT", 2, NFPROTO_INET, range_to("10.0.0.1", NFPROTO_IPV4, 1, 1)).kind,
            Kind::kUnclear);
  EXPECT_EQ(target("DNAT", 2, NFPROTO_IPV4, 'x').kind, Kind::kUnclear);
  EXPECT_EQ(target("NETMAP", 0, NFPROTO_IPV4, 'x').kind, Kind::kUnclear);
}

TEST(XtTarget, OthersDoNotTranslateDestinations) {
  for (const char* name : {"MARK", "LOG", "SNAT", "MASQUERADE", ""}) {
    EXPECT_EQ(target(name, 0, NFPROTO_IPV4, 'x').kind, Kind::kOther) << name;
  }
}

}  // namespace
}  // namespace format
