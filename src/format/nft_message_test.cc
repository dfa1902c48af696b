#include "format/nft_message.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <variant>

#include <gtest/gtest.h>

namespace format {
namespace {

constexpr uint32_t kSequence = 17;

std::string be32(uint32_t value) {
  return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U),
          static_cast<char>(value >> 8U), static_cast<char>(value)};
}

std::string attribute(uint16_t type, const std::string& value) {
  const nlattr head{.nla_len = static_cast<uint16_t>(sizeof(nlattr) + value.size()),
                    .nla_type = type};
  std::string out(reinterpret_cast<const char*>(&head), sizeof head);
  out += value;
  out.resize((out.size() + 3) / 4 * 4, '\0');
  return out;
}
std::string nest(uint16_t type, const std::string& inside) {
  return attribute(static_cast<uint16_t>(type | NLA_F_NESTED), inside);
}
std::string text(uint16_t type, const std::string& value) {
  return attribute(type, value + std::string(1, '\0'));
}
std::string number(uint16_t type, uint32_t value) { return attribute(type, be32(value)); }
std::string expression(const std::string& name, const std::string& data) {
  return nest(NFTA_LIST_ELEM, text(NFTA_EXPR_NAME, name) + nest(NFTA_EXPR_DATA, data));
}
std::string value(uint16_t type, const std::string& bytes) {
  return nest(type, attribute(NFTA_DATA_VALUE, bytes));
}

std::string raw_message(uint16_t type, const std::string& payload, uint16_t flags = NLM_F_MULTI,
                        uint32_t sequence = kSequence) {
  const nlmsghdr head{.nlmsg_len = static_cast<uint32_t>(sizeof(nlmsghdr) + payload.size()),
                      .nlmsg_type = type,
                      .nlmsg_flags = flags,
                      .nlmsg_seq = sequence,
                      .nlmsg_pid = 0};
  std::string out(reinterpret_cast<const char*>(&head), sizeof head);
  out += payload;
  out.resize((out.size() + 3) / 4 * 4, '\0');
  return out;
}
std::string message(uint8_t type, const std::string& attributes, uint8_t family = NFPROTO_IPV4,
                    uint32_t sequence = kSequence) {
  const nfgenmsg general{.nfgen_family = family, .version = 0, .res_id = 0x0201};
  return raw_message(
      static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8U | type),
      std::string(reinterpret_cast<const char*>(&general), sizeof general) + attributes,
      NLM_F_MULTI, sequence);
}
std::string error_message(uint16_t type, int32_t error) {
  return raw_message(type, std::string(reinterpret_cast<const char*>(&error), sizeof error));
}

base::Result<NftProgress> decode(const std::string& datagram, NftRuleset& out) {
  return decode_nft({reinterpret_cast<const std::byte*>(datagram.data()), datagram.size()},
                    kSequence, out);
}
NftRuleset decoded(const std::string& datagram) {
  NftRuleset out;
  const auto progress = decode(datagram, out);
  EXPECT_TRUE(progress) << progress.error().message;
  return out;
}

std::string rule_message(const std::string& expressions) {
  return message(NFT_MSG_NEWRULE, text(NFTA_RULE_TABLE, "nat") + text(NFTA_RULE_CHAIN, "pre") +
                                      nest(NFTA_RULE_EXPRESSIONS, expressions));
}

/// "tcp dport 8080 dnat to 10.0.0.2:80" as the kernel tells it.
std::string real_rule() {
  return rule_message(
      expression("meta", number(NFTA_META_KEY, NFT_META_L4PROTO) + number(NFTA_META_DREG, 1)) +
      expression("cmp", number(NFTA_CMP_SREG, 1) + number(NFTA_CMP_OP, NFT_CMP_EQ) +
                            value(NFTA_CMP_DATA, "\x06")) +
      expression("payload", number(NFTA_PAYLOAD_DREG, 9) + number(NFTA_PAYLOAD_BASE, 2) +
                                number(NFTA_PAYLOAD_OFFSET, 2) + number(NFTA_PAYLOAD_LEN, 2)) +
      expression("counter", "") +
      expression("immediate", number(NFTA_IMMEDIATE_DREG, 1) +
                                  value(NFTA_IMMEDIATE_DATA, std::string("\x0a\0\0\2", 4))) +
      expression("nat", number(NFTA_NAT_TYPE, NFT_NAT_DNAT) + number(NFTA_NAT_FAMILY, 2) +
                            number(NFTA_NAT_REG_ADDR_MIN, 1) + number(NFTA_NAT_REG_PROTO_MIN, 2)));
}

TEST(NftMessage, DecodesARule) {
  const NftRuleset out = decoded(real_rule());
  ASSERT_EQ(out.rules.size(), 1U);
  const NftRule& rule = out.rules[0];
  EXPECT_EQ(rule.family, NFPROTO_IPV4);
  EXPECT_EQ(rule.table, "nat");
  EXPECT_EQ(rule.chain, "pre");
  ASSERT_EQ(rule.expressions.size(), 5U);  // without the counter
  EXPECT_EQ(std::get<NftMeta>(rule.expressions[0]).key, uint32_t{NFT_META_L4PROTO});
  EXPECT_EQ(std::get<NftCompare>(rule.expressions[1]).bytes, "\x06");
  EXPECT_EQ(std::get<NftImmediate>(rule.expressions[3]).data.bytes, std::string("\x0a\0\0\2", 4));
  EXPECT_FALSE(std::get<NftImmediate>(rule.expressions[3]).data.verdict);
}

TEST(NftMessage, TranslatesBothNumberingsOfRegisters) {
  const NftRuleset out = decoded(real_rule());
  const auto& expressions = out.rules.at(0).expressions;
  EXPECT_EQ(std::get<NftMeta>(expressions[0]).to, 0);     // NFT_REG_1
  EXPECT_EQ(std::get<NftPayload>(expressions[2]).to, 1);  // NFT_REG32_01
  const auto& nat = std::get<NftNat>(expressions[4]);
  EXPECT_EQ(nat.address_min, 0);
  EXPECT_EQ(nat.address_max, kNoRegister);
  EXPECT_EQ(nat.port_min, 4);  // NFT_REG_2
  for (const uint32_t none : {0U, 5U, 7U, 24U, 0xFFFFFFFFU}) {
    const auto other = decoded(rule_message(
        expression("meta", number(NFTA_META_KEY, NFT_META_MARK) + number(NFTA_META_DREG, none))));
    EXPECT_EQ(std::get<NftMeta>(other.rules.at(0).expressions.at(0)).to, kNoRegister) << none;
  }
}

TEST(NftMessage, DecodesVerdicts) {
  const auto out = decoded(rule_message(expression(
      "immediate",
      number(NFTA_IMMEDIATE_DREG, 0) +
          nest(NFTA_IMMEDIATE_DATA,
               nest(NFTA_DATA_VERDICT, number(NFTA_VERDICT_CODE, static_cast<uint32_t>(NFT_JUMP)) +
                                           text(NFTA_VERDICT_CHAIN, "DOCKER"))))));
  const auto& immediate = std::get<NftImmediate>(out.rules.at(0).expressions.at(0));
  ASSERT_TRUE(immediate.data.verdict);
  EXPECT_EQ(immediate.data.verdict->code, NFT_JUMP);
  EXPECT_EQ(immediate.data.verdict->chain, "DOCKER");
}

TEST(NftMessage, DecodesExtensionsOfIptables) {
  const auto out = decoded(rule_message(
      expression("match", text(NFTA_MATCH_NAME, "tcp") + number(NFTA_MATCH_REV, 0) +
                              attribute(NFTA_MATCH_INFO, "0123456789abcdef")) +
      expression("target", text(NFTA_TARGET_NAME, "DNAT") + number(NFTA_TARGET_REV, 2) +
                               attribute(NFTA_TARGET_INFO, "x"))));
  const auto& match = std::get<NftExtension>(out.rules.at(0).expressions.at(0));
  EXPECT_FALSE(match.is_target);
  EXPECT_EQ(match.name, "tcp");
  EXPECT_EQ(match.info, "0123456789abcdef");
  const auto& target = std::get<NftExtension>(out.rules.at(0).expressions.at(1));
  EXPECT_TRUE(target.is_target);
  EXPECT_EQ(target.revision, 2U);
}

TEST(NftMessage, KeepsWhatItDoesNotKnowByName) {
  const auto out = decoded(rule_message(
      expression("numgen", number(NFTA_NG_DREG, 1)) + expression("limit", "") +
      expression("brand-new", number(1, 2)) +
      expression("ct", number(NFTA_CT_DREG, 1) + number(NFTA_CT_KEY, NFT_CT_PROTO_DST)) +
      expression("byteorder", number(NFTA_BYTEORDER_SREG, 1) + number(NFTA_BYTEORDER_DREG, 2))));
  const auto& expressions = out.rules.at(0).expressions;
  EXPECT_EQ(std::get<NftLoad>(expressions.at(0)).name, "numgen");
  EXPECT_EQ(std::get<NftCondition>(expressions.at(1)).name, "limit");
  EXPECT_EQ(std::get<NftUnknown>(expressions.at(2)).name, "brand-new");
  EXPECT_TRUE(std::get<NftLoad>(expressions.at(3)).may_tell_port);
  EXPECT_EQ(std::get<NftLoad>(expressions.at(4)).from, 0);
}

TEST(NftMessage, DecodesTablesAndChains) {
  const auto out = decoded(
      message(NFT_MSG_NEWTABLE,
              text(NFTA_TABLE_NAME, "nat") + number(NFTA_TABLE_FLAGS, NFT_TABLE_F_DORMANT)) +
      message(NFT_MSG_NEWCHAIN,
              text(NFTA_CHAIN_TABLE, "nat") + text(NFTA_CHAIN_NAME, "pre") +
                  text(NFTA_CHAIN_TYPE, "nat") +
                  nest(NFTA_CHAIN_HOOK, number(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT) +
                                            number(NFTA_HOOK_PRIORITY, uint32_t(-100))),
              NFPROTO_INET) +
      message(NFT_MSG_NEWCHAIN, text(NFTA_CHAIN_TABLE, "nat") + text(NFTA_CHAIN_NAME, "sub")));
  ASSERT_EQ(out.tables.size(), 1U);
  EXPECT_TRUE(out.tables[0].dormant);
  ASSERT_EQ(out.chains.size(), 2U);
  EXPECT_EQ(out.chains[0].family, NFPROTO_INET);
  EXPECT_EQ(out.chains[0].hook, uint32_t{NF_INET_LOCAL_OUT});
  EXPECT_EQ(out.chains[0].priority, -100);
  EXPECT_EQ(out.chains[0].type, "nat");
  EXPECT_FALSE(out.chains[1].hook);
}

TEST(NftMessage, ElementsJoinTheirSet) {
  const auto elements = [](const std::string& set, uint8_t family) {
    return message(
        NFT_MSG_NEWSETELEM,
        text(NFTA_SET_ELEM_LIST_TABLE, "nat") + text(NFTA_SET_ELEM_LIST_SET, set) +
            nest(NFTA_SET_ELEM_LIST_ELEMENTS,
                 nest(NFTA_LIST_ELEM, value(NFTA_SET_ELEM_KEY, "kk") +
                                          value(NFTA_SET_ELEM_KEY_END, "mm") +
                                          number(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END) +
                                          value(NFTA_SET_ELEM_DATA, "dd"))),
        family);
  };
  const auto out =
      decoded(message(NFT_MSG_NEWSET, text(NFTA_SET_TABLE, "nat") + text(NFTA_SET_NAME, "__map0") +
                                          number(NFTA_SET_FLAGS, NFT_SET_MAP)) +
              elements("__map0", NFPROTO_IPV4) + elements("__map0", NFPROTO_IPV4) +
              elements("__map0", NFPROTO_IPV6) + elements("other", NFPROTO_IPV4));
  ASSERT_EQ(out.sets.size(), 1U);
  EXPECT_EQ(out.sets[0].flags, uint32_t{NFT_SET_MAP});
  ASSERT_EQ(out.sets[0].elements.size(), 2U);
  const NftElement& element = out.sets[0].elements[0];
  EXPECT_EQ(element.key, "kk");
  EXPECT_EQ(element.key_end, "mm");
  EXPECT_EQ(element.data.bytes, "dd");
  EXPECT_EQ(element.flags, uint32_t{NFT_SET_ELEM_INTERVAL_END});
}

TEST(NftMessage, TellsTheEndOfADump) {
  NftRuleset out;
  const auto done = decode(real_rule() + error_message(NLMSG_DONE, 0), out);
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->done);
  EXPECT_EQ(done->error_number, 0);
  EXPECT_EQ(out.rules.size(), 1U);
  const auto refused = decode(error_message(NLMSG_ERROR, -EPERM), out);
  EXPECT_TRUE(refused->done);
  EXPECT_EQ(refused->error_number, EPERM);
  EXPECT_EQ(decode(error_message(NLMSG_ERROR, INT32_MIN), out)->error_number, 0);
  EXPECT_TRUE(decode(raw_message(NLMSG_DONE, ""), out)->done);
}

TEST(NftMessage, TellsThatTheRulesChanged) {
  NftRuleset out;
  EXPECT_FALSE(decode(real_rule(), out)->interrupted);
  EXPECT_EQ(decode(real_rule(), out)->generation, 0x0102);  // big-endian on the wire
  const auto interrupted = decode(raw_message(NLMSG_NOOP, "", NLM_F_MULTI | NLM_F_DUMP_INTR), out);
  EXPECT_TRUE(interrupted->interrupted);
}

TEST(NftMessage, SkipsMessagesThatAnswerSomethingElse) {
  NftRuleset out;
  const auto progress = decode(message(NFT_MSG_NEWTABLE, text(NFTA_TABLE_NAME, "x"), 2, 16) +
                                   raw_message(NFNL_SUBSYS_CTNETLINK << 8U, "abcd"),
                               out);
  ASSERT_TRUE(progress);
  EXPECT_FALSE(progress->done);
  EXPECT_TRUE(out.tables.empty());
}

TEST(NftMessage, RefusesEveryTruncatedDatagram) {
  const std::string whole = real_rule();
  for (size_t length = 1; length < whole.size(); ++length) {
    NftRuleset out;
    EXPECT_FALSE(decode(whole.substr(0, length), out)) << length;
  }
}

TEST(NftMessage, RefusesMessageLengthsThatCannotBe) {
  for (const uint32_t length : {0U, 15U, 17U, 1'000'000U, 0xFFFFFFFFU}) {
    std::string datagram = real_rule();
    std::memcpy(datagram.data(), &length, sizeof length);
    NftRuleset out;
    EXPECT_FALSE(decode(datagram, out)) << length;
  }
}

TEST(NftMessage, RefusesAttributeLengthsThatCannotBe) {
  // The first attribute follows both headers.
  constexpr size_t kFirst = sizeof(nlmsghdr) + sizeof(nfgenmsg);
  for (const uint16_t length : {uint16_t{0}, uint16_t{3}, uint16_t{60000}}) {
    std::string datagram = real_rule();
    std::memcpy(datagram.data() + kFirst, &length, sizeof length);
    NftRuleset out;
    EXPECT_FALSE(decode(datagram, out)) << length;
  }
  // The same deep inside a nest.
  std::string nested = expression("cmp", "\x01");
  NftRuleset out;
  EXPECT_FALSE(decode(rule_message(nested), out));
}

TEST(NftMessage, NumbersOfAnotherSizeAreZero) {
  const auto out = decoded(rule_message(
      expression("meta", attribute(NFTA_META_KEY, "\x01") + attribute(NFTA_META_DREG, "12345"))));
  const auto& meta = std::get<NftMeta>(out.rules.at(0).expressions.at(0));
  EXPECT_EQ(meta.key, 0U);
  EXPECT_EQ(meta.to, kNoRegister);
}

TEST(NftMessage, EncodesRequests) {
  const std::string rules = encode_nft_request(
      {.objects = NftObjects::kRules, .family = NFPROTO_INET, .table = "nat", .sequence = 5});
  const nlmsghdr head{.nlmsg_len = 28,
                      .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8U | NFT_MSG_GETRULE,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                      .nlmsg_seq = 5,
                      .nlmsg_pid = 0};
  std::string expected(reinterpret_cast<const char*>(&head), sizeof head);
  expected += std::string("\x01\0\0\0", 4) + text(NFTA_RULE_TABLE, "nat");
  EXPECT_EQ(rules, expected);
  const std::string elements =
      encode_nft_request({.objects = NftObjects::kElements, .table = "nat", .set = "__set0"});
  EXPECT_TRUE(elements.ends_with(text(NFTA_SET_ELEM_LIST_TABLE, "nat") +
                                 text(NFTA_SET_ELEM_LIST_SET, "__set0")));
  EXPECT_EQ(encode_nft_request({.objects = NftObjects::kChains}).size(), 20U);
}

}  // namespace
}  // namespace format
