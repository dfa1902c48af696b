#include "format/nft_message.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

namespace format {
namespace {

std::unexpected<base::Error> corrupt(const std::string& what) {
  return base::fail(base::ErrorKind::kCorrupt,
                    "an nf_tables answer has " + what +
                        "; the kernel and this program disagree about the format");
}

uint8_t to_register(uint32_t number) {
  if (number >= NFT_REG_1 && number <= NFT_REG_4) {
    return static_cast<uint8_t>((number - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE));
  }
  if (number >= NFT_REG32_00 && number <= NFT_REG32_15) {
    return static_cast<uint8_t>(number - NFT_REG32_00);
  }
  return kNoRegister;  // the verdict's, or none that exists
}

/// The attributes of one nest by number: a plain array, since their numbers are small.
class Nest {
 public:
  Nest(Bytes bytes, bool& broken) : broken_(broken) {
    NetlinkAttributes attributes(bytes, broken);
    for (NetlinkAttribute attribute; attributes.next(attribute);) {
      if (attribute.type < values_.size()) values_[attribute.type] = attribute;
    }
  }
  [[nodiscard]] bool has(uint16_t type) const { return values_[type].value.data() != nullptr; }
  [[nodiscard]] uint32_t number(uint16_t type) const { return values_[type].number(); }
  [[nodiscard]] std::string text(uint16_t type) const { return std::string(values_[type].text()); }
  [[nodiscard]] std::string bytes(uint16_t type) const {
    return std::string(values_[type].bytes_as_text());
  }
  [[nodiscard]] uint8_t register_of(uint16_t type) const {
    return has(type) ? to_register(number(type)) : kNoRegister;
  }
  [[nodiscard]] Nest nest(uint16_t type) const { return {values_[type].value, broken_}; }
  [[nodiscard]] Bytes raw(uint16_t type) const { return values_[type].value; }
  [[nodiscard]] NftData data(uint16_t type) const {
    const Nest inside = nest(type);
    NftData out{.bytes = inside.bytes(NFTA_DATA_VALUE)};
    if (inside.has(NFTA_DATA_VERDICT)) {
      const Nest verdict = inside.nest(NFTA_DATA_VERDICT);
      out.verdict = NftVerdict{static_cast<int32_t>(verdict.number(NFTA_VERDICT_CODE)),
                               verdict.text(NFTA_VERDICT_CHAIN)};
    }
    return out;
  }

 private:
  std::array<NetlinkAttribute, 32> values_{};
  bool& broken_;
};

NftExpression to_payload(const Nest& nest) {
  return NftPayload{.base = nest.number(NFTA_PAYLOAD_BASE),
                    .offset = nest.number(NFTA_PAYLOAD_OFFSET),
                    .length = nest.number(NFTA_PAYLOAD_LEN),
                    .to = nest.register_of(NFTA_PAYLOAD_DREG)};
}

NftExpression to_meta(const Nest& nest) {
  return NftMeta{.key = nest.number(NFTA_META_KEY), .to = nest.register_of(NFTA_META_DREG)};
}

NftExpression to_fib(const Nest& nest) {
  return NftFib{.result = nest.number(NFTA_FIB_RESULT),
                .flags = nest.number(NFTA_FIB_FLAGS),
                .to = nest.register_of(NFTA_FIB_DREG)};
}

NftExpression to_compare(const Nest& nest) {
  return NftCompare{.operation = nest.number(NFTA_CMP_OP),
                    .from = nest.register_of(NFTA_CMP_SREG),
                    .bytes = nest.data(NFTA_CMP_DATA).bytes};
}

NftExpression to_range(const Nest& nest) {
  return NftRange{.operation = nest.number(NFTA_RANGE_OP),
                  .from = nest.register_of(NFTA_RANGE_SREG),
                  .first = nest.data(NFTA_RANGE_FROM_DATA).bytes,
                  .last = nest.data(NFTA_RANGE_TO_DATA).bytes};
}

NftExpression to_bitwise(const Nest& nest) {
  return NftBitwise{.operation = nest.number(NFTA_BITWISE_OP),
                    .length = nest.number(NFTA_BITWISE_LEN),
                    .from = nest.register_of(NFTA_BITWISE_SREG),
                    .to = nest.register_of(NFTA_BITWISE_DREG),
                    .mask = nest.data(NFTA_BITWISE_MASK).bytes,
                    .flip = nest.data(NFTA_BITWISE_XOR).bytes};
}

NftExpression to_lookup(const Nest& nest) {
  return NftLookup{.set = nest.text(NFTA_LOOKUP_SET),
                   .from = nest.register_of(NFTA_LOOKUP_SREG),
                   .to = nest.register_of(NFTA_LOOKUP_DREG),
                   .inverted = (nest.number(NFTA_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV) != 0};
}

NftExpression to_immediate(const Nest& nest) {
  return NftImmediate{.to = nest.register_of(NFTA_IMMEDIATE_DREG),
                      .data = nest.data(NFTA_IMMEDIATE_DATA)};
}

NftExpression to_nat(const Nest& nest) {
  return NftNat{.type = nest.number(NFTA_NAT_TYPE),
                .family = nest.number(NFTA_NAT_FAMILY),
                .flags = nest.number(NFTA_NAT_FLAGS),
                .address_min = nest.register_of(NFTA_NAT_REG_ADDR_MIN),
                .address_max = nest.register_of(NFTA_NAT_REG_ADDR_MAX),
                .port_min = nest.register_of(NFTA_NAT_REG_PROTO_MIN),
                .port_max = nest.register_of(NFTA_NAT_REG_PROTO_MAX)};
}

NftExpression to_redirect(const Nest& nest) {
  return NftRedirect{.flags = nest.number(NFTA_REDIR_FLAGS),
                     .port_min = nest.register_of(NFTA_REDIR_REG_PROTO_MIN),
                     .port_max = nest.register_of(NFTA_REDIR_REG_PROTO_MAX)};
}

NftExpression to_match(const Nest& nest) {
  return NftExtension{.is_target = false,
                      .name = nest.text(NFTA_MATCH_NAME),
                      .revision = nest.number(NFTA_MATCH_REV),
                      .info = nest.bytes(NFTA_MATCH_INFO)};
}

NftExpression to_target(const Nest& nest) {
  return NftExtension{.is_target = true,
                      .name = nest.text(NFTA_TARGET_NAME),
                      .revision = nest.number(NFTA_TARGET_REV),
                      .info = nest.bytes(NFTA_TARGET_INFO)};
}

// The connection's original destination port and its protocol are the packet's own, before NAT.
NftExpression to_connection(const Nest& nest) {
  const uint32_t key = nest.number(NFTA_CT_KEY);
  return NftLoad{.name = "ct",
                 .to = nest.register_of(NFTA_CT_DREG),
                 .may_tell_port = key == NFT_CT_PROTO_DST || key == NFT_CT_PROTOCOL};
}

NftExpression to_byteorder(const Nest& nest) {
  return NftLoad{.name = "byteorder",
                 .to = nest.register_of(NFTA_BYTEORDER_DREG),
                 .from = nest.register_of(NFTA_BYTEORDER_SREG)};
}

struct Decoder {
  std::string_view name;
  NftExpression (*decode)(const Nest&);
};
constexpr std::array<Decoder, 14> kDecoders{{
    {"payload", to_payload},
    {"meta", to_meta},
    {"fib", to_fib},
    {"cmp", to_compare},
    {"range", to_range},
    {"bitwise", to_bitwise},
    {"lookup", to_lookup},
    {"immediate", to_immediate},
    {"nat", to_nat},
    {"redir", to_redirect},
    {"match", to_match},
    {"target", to_target},
    {"ct", to_connection},
    {"byteorder", to_byteorder},
}};

struct Loader {
  std::string_view name;
  uint16_t to;
};
constexpr std::array<Loader, 8> kLoaders{{
    {"numgen", NFTA_NG_DREG},
    {"hash", NFTA_HASH_DREG},
    {"rt", NFTA_RT_DREG},
    {"osf", NFTA_OSF_DREG},
    {"socket", NFTA_SOCKET_DREG},
    {"exthdr", NFTA_EXTHDR_DREG},
    {"tunnel", NFTA_TUNNEL_DREG},
    {"xfrm", NFTA_XFRM_DREG},
}};

constexpr std::array<std::string_view, 3> kConditions{"limit", "quota", "connlimit"};

// What packets pass through unchanged and uncounted on; "masq" changes where a packet comes from.
constexpr std::array<std::string_view, 8> kBystanders{"counter", "log",     "last", "objref",
                                                      "masq",    "notrack", "dup",  "dynset"};

void append_expression(std::vector<NftExpression>& out, const Nest& expression) {
  const std::string name = expression.text(NFTA_EXPR_NAME);
  if (std::ranges::find(kBystanders, name) != kBystanders.end()) return;
  const Nest nest = expression.nest(NFTA_EXPR_DATA);
  if (const auto found = std::ranges::find(kDecoders, name, &Decoder::name);
      found != kDecoders.end()) {
    out.push_back(found->decode(nest));
  } else if (const auto loader = std::ranges::find(kLoaders, name, &Loader::name);
             loader != kLoaders.end()) {
    out.emplace_back(NftLoad{.name = name, .to = nest.register_of(loader->to)});
  } else if (std::ranges::find(kConditions, name) != kConditions.end()) {
    out.emplace_back(NftCondition{name});
  } else {
    out.emplace_back(NftUnknown{name});
  }
}

/// Calls `take` with the inside of each element of a list.
template <class Take>
void for_each_in_list(Bytes list, bool& broken, const Take& take) {
  NetlinkAttributes attributes(list, broken);
  for (NetlinkAttribute attribute; attributes.next(attribute);) {
    if (attribute.type == NFTA_LIST_ELEM) take(Nest(attribute.value, broken));
  }
}

void append_chain(NftRuleset& out, uint8_t family, const Nest& nest) {
  NftChain chain{.family = family,
                 .table = nest.text(NFTA_CHAIN_TABLE),
                 .name = nest.text(NFTA_CHAIN_NAME),
                 .type = nest.text(NFTA_CHAIN_TYPE)};
  if (nest.has(NFTA_CHAIN_HOOK)) {
    const Nest hook = nest.nest(NFTA_CHAIN_HOOK);
    chain.hook = hook.number(NFTA_HOOK_HOOKNUM);
    chain.priority = static_cast<int32_t>(hook.number(NFTA_HOOK_PRIORITY));
  }
  out.chains.push_back(std::move(chain));
}

void append_rule(NftRuleset& out, uint8_t family, const Nest& nest, bool& broken) {
  NftRule rule{.family = family,
               .table = nest.text(NFTA_RULE_TABLE),
               .chain = nest.text(NFTA_RULE_CHAIN),
               .expressions = {}};
  for_each_in_list(nest.raw(NFTA_RULE_EXPRESSIONS), broken, [&](const Nest& expression) {
    append_expression(rule.expressions, expression);
  });
  out.rules.push_back(std::move(rule));
}

void append_elements(NftRuleset& out, uint8_t family, const Nest& nest, bool& broken) {
  const std::string table = nest.text(NFTA_SET_ELEM_LIST_TABLE);
  const std::string name = nest.text(NFTA_SET_ELEM_LIST_SET);
  const auto set = std::ranges::find_if(out.sets, [&](const NftSet& candidate) {
    return candidate.family == family && candidate.table == table && candidate.name == name;
  });
  if (set == out.sets.end()) return;
  for_each_in_list(nest.raw(NFTA_SET_ELEM_LIST_ELEMENTS), broken, [&](const Nest& element) {
    set->elements.push_back({.key = element.data(NFTA_SET_ELEM_KEY).bytes,
                             .key_end = element.data(NFTA_SET_ELEM_KEY_END).bytes,
                             .flags = element.number(NFTA_SET_ELEM_FLAGS),
                             .data = element.data(NFTA_SET_ELEM_DATA)});
  });
}

void append_object(NftRuleset& out, uint16_t message_type, uint8_t family, const Nest& nest,
                   bool& broken) {
  switch (message_type) {
    case NFT_MSG_NEWTABLE:
      out.tables.push_back({.family = family,
                            .name = nest.text(NFTA_TABLE_NAME),
                            .dormant = (nest.number(NFTA_TABLE_FLAGS) & NFT_TABLE_F_DORMANT) != 0});
      return;
    case NFT_MSG_NEWCHAIN:
      append_chain(out, family, nest);
      return;
    case NFT_MSG_NEWRULE:
      append_rule(out, family, nest, broken);
      return;
    case NFT_MSG_NEWSET:
      out.sets.push_back({.family = family,
                          .table = nest.text(NFTA_SET_TABLE),
                          .name = nest.text(NFTA_SET_NAME),
                          .flags = nest.number(NFTA_SET_FLAGS),
                          .elements = {}});
      return;
    case NFT_MSG_NEWSETELEM:
      append_elements(out, family, nest, broken);
      return;
    default:
      return;  // a kind that later kernels may add
  }
}

template <class T>
void put(std::string& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0);
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void put_text(std::string& out, uint16_t type, const std::string& text) {
  if (text.empty()) return;
  const size_t length = sizeof(nlattr) + text.size() + 1;
  put(out, nlattr{.nla_len = static_cast<uint16_t>(length), .nla_type = type});
  out += text;
  out.append((length + 3) / 4 * 4 - length + 1, '\0');
}

}  // namespace

std::string encode_nft_request(const NftRequest& request) {
  uint16_t type = NFT_MSG_GETTABLE;
  std::string attributes;
  switch (request.objects) {
    case NftObjects::kTables:
      break;
    case NftObjects::kChains:
      type = NFT_MSG_GETCHAIN;
      break;
    case NftObjects::kRules:
      type = NFT_MSG_GETRULE;
      put_text(attributes, NFTA_RULE_TABLE, request.table);
      break;
    case NftObjects::kSets:
      type = NFT_MSG_GETSET;
      put_text(attributes, NFTA_SET_TABLE, request.table);
      break;
    case NftObjects::kElements:
      type = NFT_MSG_GETSETELEM;
      put_text(attributes, NFTA_SET_ELEM_LIST_TABLE, request.table);
      put_text(attributes, NFTA_SET_ELEM_LIST_SET, request.set);
      break;
  }
  std::string out;
  const size_t length = sizeof(nlmsghdr) + sizeof(nfgenmsg) + attributes.size();
  put(out, nlmsghdr{.nlmsg_len = static_cast<uint32_t>(length),
                    .nlmsg_type = static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8U | type),
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                    .nlmsg_seq = request.sequence,
                    .nlmsg_pid = 0});
  put(out, nfgenmsg{.nfgen_family = request.family, .version = NFNETLINK_V0, .res_id = 0});
  return out + attributes;
}

base::Result<NftProgress> decode_nft(Bytes datagram, uint32_t sequence, NftRuleset& out) {
  NftProgress progress;
  while (!datagram.empty()) {
    nlmsghdr head{};
    if (datagram.size() < sizeof(head)) return corrupt("the beginning of a message at its end");
    std::memcpy(&head, datagram.data(), sizeof(head));
    if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > datagram.size()) {
      return corrupt("a message of " + std::to_string(head.nlmsg_len) + " bytes where " +
                     std::to_string(datagram.size()) + " are left");
    }
    const Bytes payload = datagram.subspan(sizeof(head), head.nlmsg_len - sizeof(head));
    datagram = datagram.subspan(std::min<size_t>((head.nlmsg_len + 3U) & ~3U, datagram.size()));
    if (head.nlmsg_seq != sequence) continue;
    progress.interrupted = progress.interrupted || (head.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR) {
      int32_t error = 0;
      if (payload.size() >= sizeof(error)) std::memcpy(&error, payload.data(), sizeof(error));
      progress.done = true;
      progress.error_number = error < 0 && error != INT32_MIN ? -error : 0;
      return progress;
    }
    if (head.nlmsg_type >> 8U != NFNL_SUBSYS_NFTABLES) continue;
    nfgenmsg general{};
    if (payload.size() < sizeof(general)) return corrupt("a message without its second header");
    std::memcpy(&general, payload.data(), sizeof(general));
    progress.generation = static_cast<uint16_t>(general.res_id >> 8U | general.res_id << 8U);
    bool broken = false;
    append_object(out, head.nlmsg_type & 0xFFU, general.nfgen_family,
                  Nest(payload.subspan(sizeof(general)), broken), broken);
    if (broken) return corrupt("an attribute whose length contradicts the space left");
  }
  return progress;
}

}  // namespace format
