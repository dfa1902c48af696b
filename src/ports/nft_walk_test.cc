#include "ports/nft_walk.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "testkit/describe_published.h"

namespace ports {
namespace {

using namespace format;  // the expressions below are nearly all of it
using Expressions = std::vector<NftExpression>;
using Lines = std::vector<std::string>;

constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;

std::string be16(unsigned port) { return {static_cast<char>(port >> 8U), static_cast<char>(port)}; }
std::string ip(const char* text) {
  const model::IpAddress address = model::parse_ip_address(text).value_or(model::IpAddress());
  const size_t size = address.family == model::Family::kIpv4 ? 4 : 16;
  return {reinterpret_cast<const char*>(address.bytes.data()), size};
}
std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + 3) / 4 * 4, '\0');
  return bytes;
}

// Registers are units of 4 bytes; a v4 address and a port stand in two neighbours.
NftExpression load_port(uint8_t to = 0) {
  return NftPayload{.base = NFT_PAYLOAD_TRANSPORT_HEADER, .offset = 2, .length = 2, .to = to};
}
NftExpression load_destination(uint8_t to = 0, uint32_t length = 4) {
  return NftPayload{.base = NFT_PAYLOAD_NETWORK_HEADER, .offset = 16, .length = length, .to = to};
}
NftExpression equals(std::string bytes) {
  return NftCompare{.operation = NFT_CMP_EQ, .from = 0, .bytes = std::move(bytes)};
}
NftExpression differs(std::string bytes) {
  return NftCompare{.operation = NFT_CMP_NEQ, .from = 0, .bytes = std::move(bytes)};
}
NftExpression meta(uint32_t key) { return NftMeta{.key = key, .to = 0}; }
NftExpression verdict(int32_t code, std::string chain = "") {
  return NftImmediate{.data = {.bytes = {}, .verdict = NftVerdict{code, std::move(chain)}}};
}
NftExpression constant(uint8_t to, std::string bytes) {
  return NftImmediate{.to = to, .data = {.bytes = std::move(bytes)}};
}

Expressions operator+(Expressions left, const Expressions& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
Expressions protocol(uint8_t number) {
  return {meta(NFT_META_L4PROTO), equals(std::string(1, static_cast<char>(number)))};
}
Expressions port(uint8_t number, unsigned port) {
  return protocol(number) + Expressions{load_port(), equals(be16(port))};
}
Expressions dnat(const char* address, unsigned port = 0) {
  const bool is_v4 = ip(address).size() == 4;
  NftNat nat{.type = NFT_NAT_DNAT,
             .family = is_v4 ? uint32_t{NFPROTO_IPV4} : uint32_t{NFPROTO_IPV6},
             .address_min = 0,
             .address_max = 0};
  Expressions out{constant(0, ip(address))};
  if (port != 0) {
    out.push_back(constant(4, be16(port)));
    nat.port_min = nat.port_max = 4;
  }
  out.emplace_back(nat);
  return out;
}
Expressions redirect(unsigned port) {
  return {constant(0, be16(port)), NftRedirect{.port_min = 0, .port_max = 0}};
}

/// A table with the two hooks that do destination NAT; the output hook only where it has rules.
class Rules {
 public:
  explicit Rules(uint8_t family = NFPROTO_IPV4) : family_(family) {
    set_.tables.push_back({.family = family, .name = "nat", .dormant = false});
    base("pre", NF_INET_PRE_ROUTING);
  }
  Rules& base(const std::string& chain, uint32_t hook, const std::string& type = "nat") {
    set_.chains.push_back(
        {.family = family_, .table = "nat", .name = chain, .type = type, .hook = hook});
    return *this;
  }
  Rules& rule(const std::string& chain, Expressions expressions) {
    set_.rules.push_back(
        {.family = family_, .table = "nat", .chain = chain, .expressions = std::move(expressions)});
    return *this;
  }
  Rules& pre(Expressions expressions) { return rule("pre", std::move(expressions)); }
  Rules& set(const std::string& name, uint32_t flags, std::vector<NftElement> elements) {
    set_.sets.push_back({.family = family_,
                         .table = "nat",
                         .name = name,
                         .flags = flags,
                         .elements = std::move(elements)});
    return *this;
  }
  Rules& dormant() {
    set_.tables[0].dormant = true;
    return *this;
  }
  [[nodiscard]] model::PublishedPorts find(uint32_t step_limit = 100'000) const {
    return find_published_ports(set_, 7, step_limit);
  }
  [[nodiscard]] Lines lines() const { return testkit::describe(find().ports); }
  [[nodiscard]] Lines blind_spots() const { return find().blind_spots; }

 private:
  uint8_t family_;
  NftRuleset set_;
};

NftElement key(std::string bytes) { return {.key = padded(std::move(bytes))}; }
NftElement mapped(std::string bytes, std::string data) {
  return {.key = padded(std::move(bytes)), .data = {.bytes = std::move(data)}};
}
NftElement mapped_to(std::string bytes, int32_t code, std::string chain = "") {
  return {.key = padded(std::move(bytes)),
          .data = {.bytes = {}, .verdict = NftVerdict{code, std::move(chain)}}};
}
NftExpression lookup(const std::string& set, uint8_t to = kNoRegister, bool inverted = false) {
  return NftLookup{.set = set, .from = 0, .to = to, .inverted = inverted};
}

TEST(NftWalk, APortSentToAnAddress) {
  const auto found = Rules().pre(port(kTcp, 8080) + dnat("172.17.0.2", 80)).find();
  EXPECT_EQ(testkit::describe(found.ports), Lines{"tcp 8080 to 172.17.0.2:80 (ip nat pre)"});
  EXPECT_EQ(found.ports[0].netns, 7U);
  EXPECT_TRUE(found.blind_spots.empty());
}

TEST(NftWalk, AnUnchangedPortAndARedirect) {
  EXPECT_EQ(
      Rules().pre(port(kUdp, 53) + dnat("10.0.0.2")).pre(port(kTcp, 80) + redirect(8080)).lines(),
      (Lines{"udp 53 to 10.0.0.2 (ip nat pre)", "tcp 80 to itself:8080 (ip nat pre)"}));
}

TEST(NftWalk, NoRulesPublishNothing) {
  EXPECT_TRUE(Rules().lines().empty());
  EXPECT_TRUE(find_published_ports({}, 0).ports.empty());
}

TEST(NftWalk, OnlyNatChainsOfTheTwoHooksCount) {
  const Expressions rule = port(kTcp, 80) + dnat("10.0.0.2");
  EXPECT_TRUE(Rules()
                  .base("post", NF_INET_POST_ROUTING)
                  .base("filter", NF_INET_PRE_ROUTING, "filter")
                  .rule("post", rule)
                  .rule("filter", rule)
                  .rule("nobody-jumps-here", rule)
                  .lines()
                  .empty());
  EXPECT_TRUE(Rules().pre(rule).dormant().lines().empty());
}

TEST(NftWalk, FollowsJumpsWithWhatWasDemandedBefore) {
  // As kube-proxy writes them: the port stands two chains above the translation.
  EXPECT_EQ(Rules()
                .pre({verdict(NFT_JUMP, "NODEPORTS")})
                .rule("NODEPORTS", port(kTcp, 30080) + Expressions{verdict(NFT_JUMP, "SVC")})
                .rule("SVC", {verdict(NFT_GOTO, "SEP")})
                .rule("SEP", protocol(kTcp) + dnat("10.244.0.5", 8080))
                .lines(),
            Lines{"tcp 30080 to 10.244.0.5:8080 (ip nat SEP)"});
}

TEST(NftWalk, ARuleTakesItsPortsFromTheNextOnes) {
  EXPECT_EQ(Rules()
                .pre(port(kTcp, 22) + Expressions{verdict(NF_ACCEPT)})
                .pre(port(kTcp, 80) + dnat("10.0.0.2"))
                .pre(protocol(kTcp) + dnat("10.0.0.3"))
                .pre(port(kTcp, 443) + dnat("10.0.0.4"))
                .lines(),
            (Lines{"tcp 80 to 10.0.0.2 (ip nat pre)", "tcp 0-21 to 10.0.0.3 (ip nat pre)",
                   "tcp 23-79 to 10.0.0.3 (ip nat pre)", "tcp 81-65535 to 10.0.0.3 (ip nat pre)"}));
}

TEST(NftWalk, AConditionalRuleTakesNothing) {
  const Expressions from_docker{meta(NFT_META_IIFNAME), equals(std::string("docker0\0", 8))};
  EXPECT_EQ(Rules()
                .pre(from_docker + port(kTcp, 80) + Expressions{verdict(NF_ACCEPT)})
                .pre(port(kTcp, 80) + dnat("10.0.0.2"))
                .lines(),
            Lines{"tcp 80 to 10.0.0.2 (ip nat pre)"});
}

TEST(NftWalk, AReturnSparesTheRestOfItsChainOnly) {
  EXPECT_EQ(Rules()
                .pre({verdict(NFT_JUMP, "sub")})
                .pre(protocol(kTcp) + dnat("10.0.0.9"))
                .rule("sub", port(kTcp, 22) + Expressions{verdict(NFT_RETURN)})
                .rule("sub", protocol(kTcp) + dnat("10.0.0.2"))
                .lines(),
            (Lines{"tcp 0-21 to 10.0.0.2 (ip nat sub)", "tcp 23-65535 to 10.0.0.2 (ip nat sub)",
                   "tcp 22 to 10.0.0.9 (ip nat pre)"}));
}

TEST(NftWalk, AGotoDoesNotComeBackToItsChain) {
  EXPECT_EQ(Rules()
                .pre({verdict(NFT_JUMP, "a")})
                .pre(port(kTcp, 1) + dnat("10.0.0.9"))
                .rule("a", port(kTcp, 1) + Expressions{verdict(NFT_GOTO, "b")})
                .rule("a", port(kTcp, 1) + dnat("10.0.0.8"))
                .rule("b", port(kTcp, 2) + dnat("10.0.0.7"))
                .lines(),
            Lines{"tcp 1 to 10.0.0.9 (ip nat pre)"});
}

TEST(NftWalk, NamesConditionsAndDestinations) {
  EXPECT_EQ(Rules()
                .pre(Expressions{meta(NFT_META_IIFNAME), differs(std::string("docker0\0", 8))} +
                     port(kTcp, 80) + dnat("10.0.0.2"))
                .pre(Expressions{meta(NFT_META_IIFNAME), equals("eth")} + port(kTcp, 81) +
                     dnat("10.0.0.2"))
                .pre(Expressions{load_destination(), equals(ip("192.0.2.1"))} + port(kTcp, 82) +
                     dnat("10.0.0.2"))
                .pre(Expressions{load_destination(0, 3), equals(ip("192.168.7.0").substr(0, 3))} +
                     port(kTcp, 83) + dnat("10.0.0.2"))
                .pre(Expressions{load_destination(0, 1), differs("\x7f")} + port(kTcp, 84) +
                     dnat("10.0.0.2"))
                .pre(Expressions{NftLoad{.name = "ct", .to = 0}, equals(std::string(4, '\1'))} +
                     port(kTcp, 85) + dnat("10.0.0.2"))
                .pre(port(kTcp, 86) + Expressions{NftCondition{"limit"}} + dnat("10.0.0.2"))
                .lines(),
            (Lines{"tcp 80 to 10.0.0.2, if iifname != docker0 (ip nat pre)",
                   "tcp 81 to 10.0.0.2, if iifname eth* (ip nat pre)",
                   "tcp 82 of 192.0.2.1/32 to 10.0.0.2 (ip nat pre)",
                   "tcp 83 of 192.168.7.0/24 to 10.0.0.2 (ip nat pre)",
                   "tcp 84 to 10.0.0.2, if ip daddr != 127.0.0.0/8 (ip nat pre)",
                   "tcp 85 to 10.0.0.2, if ct (ip nat pre)",
                   "tcp 86 to 10.0.0.2, if limit (ip nat pre)"}));
}

TEST(NftWalk, ANetworkMayBeMasked) {
  const NftExpression mask =
      NftBitwise{.length = 4, .from = 0, .to = 0, .mask = ip("255.240.0.0"), .flip = ip("0.0.0.0")};
  EXPECT_EQ(Rules()
                .pre(Expressions{load_destination(), mask, equals(ip("172.16.0.0"))} +
                     port(kTcp, 80) + dnat("10.0.0.2"))
                .lines(),
            Lines{"tcp 80 of 172.16.0.0/12 to 10.0.0.2 (ip nat pre)"});
}

TEST(NftWalk, DestinationsThatExcludeEachOtherPublishNothing) {
  const Expressions to_one{load_destination(), equals(ip("192.0.2.1"))};
  const Expressions to_other{load_destination(0, 1), equals("\x0a")};
  EXPECT_TRUE(Rules()
                  .pre(to_one + Expressions{verdict(NFT_JUMP, "sub")})
                  .rule("sub", to_other + port(kTcp, 80) + dnat("10.0.0.2"))
                  .lines()
                  .empty());
}

TEST(NftWalk, ToThisHostGoesWithoutSaying) {
  const Expressions local{
      NftFib{.result = NFT_FIB_RESULT_ADDRTYPE, .flags = NFTA_FIB_F_DADDR, .to = 0},
      equals(std::string("\2\0\0\0", 4))};
  EXPECT_EQ(Rules().pre(local + port(kTcp, 80) + dnat("10.0.0.2")).lines(),
            Lines{"tcp 80 to 10.0.0.2 (ip nat pre)"});
}

TEST(NftWalk, UnderstandsEveryComparison) {
  const auto with = [](uint32_t operation) {
    return Rules()
        .pre(protocol(kTcp) +
             Expressions{load_port(),
                         NftCompare{.operation = operation, .from = 0, .bytes = be16(1000)}} +
             dnat("10.0.0.2"))
        .lines();
  };
  EXPECT_EQ(with(NFT_CMP_LT), Lines{"tcp 0-999 to 10.0.0.2 (ip nat pre)"});
  EXPECT_EQ(with(NFT_CMP_LTE), Lines{"tcp 0-1000 to 10.0.0.2 (ip nat pre)"});
  EXPECT_EQ(with(NFT_CMP_GT), Lines{"tcp 1001-65535 to 10.0.0.2 (ip nat pre)"});
  EXPECT_EQ(with(NFT_CMP_GTE), Lines{"tcp 1000-65535 to 10.0.0.2 (ip nat pre)"});
  EXPECT_EQ(with(NFT_CMP_NEQ).size(), 2U);
}

TEST(NftWalk, UnderstandsRanges) {
  const NftRange inside{.operation = NFT_RANGE_EQ, .from = 0, .first = be16(80), .last = be16(90)};
  NftRange outside = inside;
  outside.operation = NFT_RANGE_NEQ;
  EXPECT_EQ(Rules().pre(protocol(kTcp) + Expressions{load_port(), inside} + redirect(1)).lines(),
            Lines{"tcp 80-90 to itself:1 (ip nat pre)"});
  EXPECT_EQ(Rules().pre(protocol(kTcp) + Expressions{load_port(), outside} + redirect(1)).lines(),
            (Lines{"tcp 0-79 to itself:1 (ip nat pre)", "tcp 91-65535 to itself:1 (ip nat pre)"}));
}

TEST(NftWalk, UnderstandsMergedLoads) {
  // nft joins "sport 5, dport 90" into one load of four bytes.
  const NftPayload both{.base = NFT_PAYLOAD_TRANSPORT_HEADER, .offset = 0, .length = 4, .to = 0};
  EXPECT_EQ(
      Rules()
          .pre(protocol(kTcp) + Expressions{both, equals(be16(5) + be16(90))} + dnat("10.0.0.2"))
          .lines(),
      Lines{"tcp 90 to 10.0.0.2, if sport (ip nat pre)"});
}

TEST(NftWalk, SetsOfPorts) {
  EXPECT_EQ(Rules()
                .set("s", NFT_SET_ANONYMOUS, {key(be16(80)), key(be16(443)), key(be16(81))})
                .pre(protocol(kTcp) + Expressions{load_port(), lookup("s")} + dnat("10.0.0.2"))
                .lines(),
            (Lines{"tcp 80-81 to 10.0.0.2 (ip nat pre)", "tcp 443 to 10.0.0.2 (ip nat pre)"}));
  EXPECT_EQ(Rules()
                .set("s", NFT_SET_ANONYMOUS, {key(be16(1))})
                .pre(protocol(kTcp) + Expressions{load_port(), lookup("s", kNoRegister, true)} +
                     dnat("10.0.0.2"))
                .lines(),
            (Lines{"tcp 0 to 10.0.0.2 (ip nat pre)", "tcp 2-65535 to 10.0.0.2 (ip nat pre)"}));
}

TEST(NftWalk, SetsOfIntervals) {
  const auto end = [](unsigned port) {
    return NftElement{.key = padded(be16(port)), .flags = NFT_SET_ELEM_INTERVAL_END};
  };
  // As the kernel lists them: from high to low, ends excluded, and an end before everything.
  EXPECT_EQ(Rules()
                .set("s", NFT_SET_ANONYMOUS | NFT_SET_INTERVAL,
                     {key(be16(60000)), end(2001), key(be16(1000)), end(81), key(be16(80)), end(0)})
                .pre(protocol(kTcp) + Expressions{load_port(), lookup("s")} + dnat("10.0.0.2"))
                .lines(),
            (Lines{"tcp 80 to 10.0.0.2 (ip nat pre)", "tcp 1000-2000 to 10.0.0.2 (ip nat pre)",
                   "tcp 60000-65535 to 10.0.0.2 (ip nat pre)"}));
}

TEST(NftWalk, NeighbouringIntervalsOfAMapKeepTheirData) {
  const NftElement low = mapped(be16(80), ip("10.0.0.1"));
  const NftElement high = mapped(be16(90), ip("10.0.0.2"));
  const NftElement end{.key = padded(be16(100)), .flags = NFT_SET_ELEM_INTERVAL_END};
  const NftNat nat{
      .type = NFT_NAT_DNAT, .family = NFPROTO_IPV4, .address_min = 0, .address_max = 0};
  EXPECT_EQ(Rules()
                .set("m", NFT_SET_MAP | NFT_SET_INTERVAL, {end, high, low})
                .pre(protocol(kTcp) + Expressions{load_port(), lookup("m", 0), nat})
                .lines(),
            (Lines{"tcp 80-89 to 10.0.0.1 (ip nat pre)", "tcp 90-99 to 10.0.0.2 (ip nat pre)"}));
}

TEST(NftWalk, MapsFromPortsToTargets) {
  const NftNat nat{.type = NFT_NAT_DNAT,
                   .family = NFPROTO_IPV4,
                   .address_min = 0,
                   .address_max = 0,
                   .port_min = 1,
                   .port_max = 1};
  EXPECT_EQ(
      Rules()
          .set("m", NFT_SET_MAP,
               {mapped(be16(83), ip("10.0.0.4") + padded(be16(8081))),
                mapped(be16(84), ip("10.0.0.5") + padded(be16(8082)))})
          .pre(protocol(kTcp) + Expressions{load_port(), lookup("m", 0), nat})
          .lines(),
      (Lines{"tcp 83 to 10.0.0.4:8081 (ip nat pre)", "tcp 84 to 10.0.0.5:8082 (ip nat pre)"}));
}

TEST(NftWalk, MapsFromPortsToChains) {
  EXPECT_EQ(Rules()
                .set("m", NFT_SET_MAP,
                     {mapped_to(be16(80), NFT_JUMP, "web"), mapped_to(be16(22), NF_ACCEPT),
                      NftElement{.flags = NFT_SET_ELEM_CATCHALL,
                                 .data = {.bytes = {}, .verdict = NftVerdict{NFT_GOTO, "rest"}}}})
                .pre(protocol(kTcp) + Expressions{load_port(), lookup("m")})
                .pre(protocol(kTcp) + dnat("10.0.0.9"))
                .rule("web", dnat("10.0.0.2"))
                .rule("rest", port(kTcp, 443) + dnat("10.0.0.3"))
                .lines(),
            (Lines{"tcp 80 to 10.0.0.2 (ip nat web)", "tcp 443 to 10.0.0.3 (ip nat rest)"}));
}

TEST(NftWalk, ConcatenatedKeys) {
  // kube-proxy with nftables: address . protocol . port
  const Expressions load{load_destination(0), NftMeta{.key = NFT_META_L4PROTO, .to = 1},
                         load_port(2)};
  EXPECT_EQ(
      Rules()
          .set("m", NFT_SET_MAP,
               {mapped_to(ip("10.96.0.1") + padded("\x06") + padded(be16(443)), NFT_GOTO, "svc"),
                mapped_to(ip("10.96.0.10") + padded("\x11") + padded(be16(53)), NFT_GOTO, "svc")})
          .pre(load + Expressions{lookup("m")})
          .rule("svc", dnat("10.244.0.5"))
          .lines(),
      (Lines{"tcp 443 of 10.96.0.1/32 to 10.244.0.5 (ip nat svc)",
             "udp 53 of 10.96.0.10/32 to 10.244.0.5 (ip nat svc)"}));
}

TEST(NftWalk, ConcatenatedRanges) {
  NftElement element = key(ip("10.0.0.0") + padded(be16(23)));
  element.key_end = ip("10.0.0.255") + padded(be16(24));
  EXPECT_EQ(Rules()
                .set("s", NFT_SET_INTERVAL | NFT_SET_CONCAT, {element})
                .pre(protocol(kTcp) + Expressions{load_destination(0), load_port(1), lookup("s")} +
                     dnat("10.0.0.2"))
                .lines(),
            Lines{"tcp 23-24 of 10.0.0.0/24 to 10.0.0.2 (ip nat pre)"});
}

TEST(NftWalk, TargetsThatTakeTurns) {
  const NftNat nat{
      .type = NFT_NAT_DNAT, .family = NFPROTO_IPV4, .address_min = 0, .address_max = 0};
  EXPECT_EQ(Rules()
                .set("m", NFT_SET_MAP,
                     {mapped(std::string("\0\0\0\0", 4), ip("10.0.0.1")),
                      mapped(std::string("\1\0\0\0", 4), ip("10.0.0.2"))})
                .pre(port(kTcp, 80) +
                     Expressions{NftLoad{.name = "numgen", .to = 0}, lookup("m", 0), nat})
                .lines(),
            (Lines{"tcp 80 to 10.0.0.1, if numgen (ip nat pre)",
                   "tcp 80 to 10.0.0.2, if numgen (ip nat pre)"}));
  NftNat range = nat;
  range.address_max = 1;
  EXPECT_EQ(Rules()
                .pre(port(kTcp, 80) +
                     Expressions{constant(0, ip("10.0.0.1")), constant(1, ip("10.0.0.3")), range})
                .lines()
                .size(),
            3U);
}

TEST(NftWalk, ATableOfBothFamilies) {
  const Expressions v4{meta(NFT_META_NFPROTO), equals("\x02")};
  EXPECT_EQ(
      Rules(NFPROTO_INET)
          .pre(port(kTcp, 80) + redirect(8080))
          .pre(v4 + Expressions{load_destination(), equals(ip("10.0.0.1"))} + port(kTcp, 81) +
               dnat("10.0.0.2"))
          .pre(port(kTcp, 82) + dnat("fd00::2", 80))
          .pre(port(kTcp, 82) + dnat("10.0.0.2", 80))
          .lines(),
      (Lines{"tcp 80 to itself:8080 (inet nat pre)", "tcp 80 of v6 to itself:8080 (inet nat pre)",
             "tcp 81 of 10.0.0.1/32 to 10.0.0.2 (inet nat pre)",
             "tcp 82 of v6 to fd00::2:80 (inet nat pre)", "tcp 82 to 10.0.0.2:80 (inet nat pre)"}));
}

TEST(NftWalk, ARuleForEveryProtocolIsShownForTheUsualTwo) {
  EXPECT_EQ(Rules().pre(dnat("10.0.0.2")).lines(), (Lines{"tcp 0-65535 to 10.0.0.2 (ip nat pre)",
                                                          "udp 0-65535 to 10.0.0.2 (ip nat pre)"}));
  EXPECT_EQ(Rules().pre(protocol(132) + dnat("10.0.0.2")).lines(),
            Lines{"sctp 0-65535 to 10.0.0.2 (ip nat pre)"});
  EXPECT_TRUE(Rules().pre(protocol(1) + dnat("10.0.0.2")).lines().empty());  // ICMP
}

TEST(NftWalk, OutgoingConnectionsAreToldApart) {
  const Expressions shared = port(kTcp, 80) + dnat("10.0.0.2");
  EXPECT_EQ(Rules()
                .base("out", NF_INET_LOCAL_OUT)
                .rule("out", {verdict(NFT_JUMP, "DOCKER")})
                .rule("out", port(kTcp, 25) + redirect(2525))
                .pre({verdict(NFT_JUMP, "DOCKER")})
                .rule("DOCKER", shared)
                .lines(),
            (Lines{"tcp 80 to 10.0.0.2 (ip nat DOCKER)",
                   "tcp 25 to itself:2525, outgoing (ip nat out)"}));
}

TEST(NftWalk, WhatIsNotUnderstoodIsCountedNotGuessed) {
  const NftExpression half =
      NftPayload{.base = NFT_PAYLOAD_TRANSPORT_HEADER, .offset = 2, .length = 1, .to = 0};
  const NftExpression swapped = NftLoad{.name = "byteorder", .to = 0, .from = 0};
  const NftExpression original_port = NftLoad{.name = "ct", .to = 0, .may_tell_port = true};
  const NftExpression odd_bit = NftBitwise{.length = 2,
                                           .from = 0,
                                           .to = 0,
                                           .mask = std::string("\0\1", 2),
                                           .flip = std::string(2, '\0')};
  const std::vector<Expressions> rules{
      protocol(kTcp) + Expressions{half, equals("\x1f")} + dnat("10.0.0.2"),
      protocol(kTcp) + Expressions{load_port(), swapped, equals(be16(80))} + dnat("10.0.0.2"),
      protocol(kTcp) + Expressions{load_port(), odd_bit, equals(std::string("\0\1", 2))} +
          dnat("10.0.0.2"),
      Expressions{original_port, equals(be16(80))} + dnat("10.0.0.2"),
      protocol(kTcp) + Expressions{load_port(), NftUnknown{"new"}, equals(be16(80))} +
          dnat("10.0.0.2"),
      protocol(kTcp) + Expressions{load_port(), lookup("absent")} + dnat("10.0.0.2"),
      port(kTcp, 80) + Expressions{NftExtension{.name = "u32"}} + dnat("10.0.0.2"),
      port(kTcp, 80) +
          Expressions{NftNat{.type = NFT_NAT_DNAT, .family = NFPROTO_IPV4, .address_min = 9}},
      port(kTcp, 80) + Expressions{constant(0, ip("10.0.0.0")), NftNat{.type = NFT_NAT_DNAT,
                                                                       .family = NFPROTO_IPV4,
                                                                       .flags = NF_NAT_RANGE_NETMAP,
                                                                       .address_min = 0}},
      port(kTcp, 80) + Expressions{NftExtension{.is_target = true, .name = "NETMAP"}},
  };
  for (size_t i = 0; i < rules.size(); ++i) {
    const auto found = Rules().pre(rules[i]).pre(port(kUdp, 1) + redirect(2)).find();
    EXPECT_EQ(testkit::describe(found.ports), Lines{"udp 1 to itself:2 (ip nat pre)"}) << i;
    ASSERT_EQ(found.blind_spots.size(), 1U) << i;
    EXPECT_TRUE(found.blind_spots[0].starts_with("1 destination NAT rule of chain ip nat pre "));
  }
}

TEST(NftWalk, BlindSpotsCountRulesByChain) {
  const Expressions unclear = Expressions{NftExtension{.name = "u32"}} + dnat("10.0.0.2");
  const auto spots = Rules()
                         .base("out", NF_INET_LOCAL_OUT)
                         .pre({verdict(NFT_JUMP, "sub")})
                         .rule("out", {verdict(NFT_JUMP, "sub")})
                         .rule("sub", unclear)
                         .rule("sub", unclear)
                         .pre(unclear)
                         .blind_spots();
  ASSERT_EQ(spots.size(), 2U);
  EXPECT_TRUE(spots[0].starts_with("1 destination NAT rule of chain ip nat pre"));
  EXPECT_TRUE(spots[1].starts_with("2 destination NAT rules of chain ip nat sub"));
}

TEST(NftWalk, LoadsOfOtherThingsAfterThePortDoNotHideIt) {
  EXPECT_EQ(Rules()
                .pre(port(kTcp, 80) +
                     Expressions{NftLoad{.name = "ct", .to = 0}, equals(std::string(4, '\1'))} +
                     dnat("10.0.0.2"))
                .lines(),
            Lines{"tcp 80 to 10.0.0.2, if ct (ip nat pre)"});
}

TEST(NftWalk, AnExceptionForSomeAddressesKeepsThePort) {
  EXPECT_EQ(Rules()
                .set("s", NFT_SET_ANONYMOUS, {key(ip("10.0.0.1"))})
                .pre(Expressions{load_destination(), lookup("s", kNoRegister, true)} +
                     port(kTcp, 80) + dnat("10.0.0.2"))
                .lines(),
            Lines{"tcp 80 to 10.0.0.2, if ip daddr (ip nat pre)"});
}

TEST(NftWalk, JumpsInACircleEnd) {
  const auto found = Rules()
                         .pre({verdict(NFT_JUMP, "a")})
                         .rule("a", {verdict(NFT_JUMP, "b")})
                         .rule("b", {verdict(NFT_JUMP, "a")})
                         .find();
  EXPECT_TRUE(found.ports.empty());
  ASSERT_EQ(found.blind_spots.size(), 1U);
}

TEST(NftWalk, TooManyWaysAreNotFollowedForEver) {
  Rules rules;
  for (int level = 0; level < 30; ++level) {
    const std::string chain = level == 0 ? "pre" : "c" + std::to_string(level);
    for (int i = 0; i < 10; ++i) {
      rules.rule(chain,
                 {NftCondition{"limit"}, verdict(NFT_JUMP, "c" + std::to_string(level + 1))});
    }
  }
  rules.rule("c30", port(kTcp, 80) + dnat("10.0.0.2"));
  const auto found = rules.find(50'000);
  ASSERT_EQ(found.blind_spots.size(), 1U);
  EXPECT_TRUE(found.blind_spots[0].starts_with("The packet filter has more ways"));
}

TEST(NftWalk, NamesFromOutsideAreEscapedInBlindSpots) {
  NftRuleset ruleset;
  ruleset.chains.push_back({.family = NFPROTO_IPV4,
                            .table = "\x1b[31m",
                            .name = "pre",
                            .type = "nat",
                            .hook = NF_INET_PRE_ROUTING});
  ruleset.rules.push_back({.family = NFPROTO_IPV4,
                           .table = "\x1b[31m",
                           .chain = "pre",
                           .expressions = {NftExtension{.is_target = true, .name = "NETMAP"}}});
  const auto spots = find_published_ports(ruleset, 0).blind_spots;
  ASSERT_EQ(spots.size(), 1U);
  EXPECT_EQ(spots[0].find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace ports
