// Messages of nf_tables (NETLINK_NETFILTER, subsystem NFNL_SUBSYS_NFTABLES): the requests that dump
// tables, chains, rules, sets and elements, and the datagrams that answer them, decoded as far as
// the question "which ports are sent elsewhere" needs. Pure functions over bytes; sending and
// receiving is host/published_ports.cc.
//
// Source: the kernel's uapi headers linux/netlink.h, linux/netfilter/nfnetlink.h, nf_tables.h and
// nf_tables_compat.h. Numbers in attributes are big-endian.
//
//   request  = nlmsghdr nfgenmsg *attribute
//   datagram = *message                                    each aligned to 4 bytes
//   message  = nlmsghdr nfgenmsg *attribute                a table, chain, rule, set, some elements
//            | nlmsghdr(NLMSG_DONE) ... | nlmsghdr(NLMSG_ERROR) s32 -errno ...
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "format/netlink_attributes.h"

namespace format {

// Some members are initialized for all to see, so that designated initializers may leave them out
// without a compiler warning. NOLINTBEGIN(readability-redundant-member-init)

/// 16 registers of 4 bytes; the kernel's older numbering in units of 16 bytes is translated.
inline constexpr uint8_t kNftRegisters = 16;
inline constexpr uint8_t kNoRegister = 0xFF;

struct NftVerdict {
  int32_t code = 0;   ///< NF_ACCEPT, NF_DROP, NFT_JUMP, ...
  std::string chain;  ///< of NFT_JUMP and NFT_GOTO
};

/// What an expression or a set element carries: plain bytes, or a verdict.
struct NftData {
  std::string bytes = {};
  std::optional<NftVerdict> verdict = std::nullopt;
};

// One struct for each kind of expression that we understand. Registers are kNoRegister when absent.
struct NftPayload {  ///< register ← bytes of the packet
  uint32_t base = 0;
  uint32_t offset = 0;
  uint32_t length = 0;
  uint8_t to = kNoRegister;  ///< absent: the packet is written to
};
struct NftMeta {  ///< register ← something about the packet
  uint32_t key = 0;
  uint8_t to = kNoRegister;  ///< absent: it is written to
};
struct NftFib {  ///< register ← routing's opinion of an address
  uint32_t result = 0;
  uint32_t flags = 0;
  uint8_t to = kNoRegister;
};
struct NftCompare {
  uint32_t operation = 0;
  uint8_t from = kNoRegister;
  std::string bytes;
};
struct NftRange {
  uint32_t operation = 0;
  uint8_t from = kNoRegister;
  std::string first;
  std::string last;
};
struct NftBitwise {
  uint32_t operation = 0;  ///< 0: (value & mask) ^ flip
  uint32_t length = 0;
  uint8_t from = kNoRegister;
  uint8_t to = kNoRegister;
  std::string mask;
  std::string flip;
};
struct NftLookup {
  std::string set;
  uint8_t from = kNoRegister;
  uint8_t to = kNoRegister;  ///< absent: no map, or one of verdicts
  bool inverted = false;
};
struct NftImmediate {
  uint8_t to = kNoRegister;  ///< absent: a verdict
  NftData data;
};
struct NftNat {
  uint32_t type = 0;
  uint32_t family = 0;
  uint32_t flags = 0;
  uint8_t address_min = kNoRegister, address_max = kNoRegister;
  uint8_t port_min = kNoRegister, port_max = kNoRegister;
};
struct NftRedirect {
  uint32_t flags = 0;
  uint8_t port_min = kNoRegister, port_max = kNoRegister;
};
struct NftLoad {  ///< register ← something that we do not follow
  std::string name;
  uint8_t to = kNoRegister;
  uint8_t from = kNoRegister;  ///< computed from this register, where that is so
  bool may_tell_port = false;  ///< it may be the packet's port or protocol by another way
};
struct NftCondition {  ///< holds or not, and touches no register: "limit", "connlimit", ...
  std::string name;
};
struct NftExtension {  ///< an iptables match or target, its own struct within
  bool is_target = false;
  std::string name;
  uint32_t revision = 0;
  std::string info = {};
};
struct NftUnknown {  ///< an expression that may do anything to any register
  std::string name;
};
/// Expressions that neither decide nor compute anything (counters, logging) are left out.
using NftExpression = std::variant<NftPayload, NftMeta, NftFib, NftCompare, NftRange, NftBitwise,
                                   NftLookup, NftImmediate, NftNat, NftRedirect, NftLoad,
                                   NftCondition, NftExtension, NftUnknown>;

struct NftTable {
  uint8_t family = 0;  ///< NFPROTO_*
  std::string name;
  bool dormant = false;
};

struct NftRule {
  uint8_t family = 0;
  std::string table;
  std::string chain;
  std::vector<NftExpression> expressions;
};

struct NftChain {
  uint8_t family = 0;
  std::string table;
  std::string name;
  std::string type;                             ///< "nat", "filter", "route"; "" = no base chain
  std::optional<uint32_t> hook = std::nullopt;  ///< NF_INET_*; nothing = reached by jumps only
  int32_t priority = 0;
};

struct NftElement {
  std::string key = {};
  std::string key_end = {};  ///< "" = `key` alone; of concatenated ranges, each field's last value
  uint32_t flags = 0;        ///< NFT_SET_ELEM_*
  NftData data = {};         ///< of maps
};

struct NftSet {
  uint8_t family = 0;
  std::string table;
  std::string name;
  uint32_t flags = 0;  ///< NFT_SET_*
  std::vector<NftElement> elements;
};

struct NftRuleset {
  std::vector<NftTable> tables;
  std::vector<NftChain> chains;
  std::vector<NftRule> rules;  ///< those of one chain in their order
  std::vector<NftSet> sets;
};

enum class NftObjects : uint8_t { kTables, kChains, kRules, kSets, kElements };

struct NftRequest {
  NftObjects objects = NftObjects::kTables;
  uint8_t family = 0;      ///< 0 = every family
  std::string table = {};  ///< "" = of all; tables and chains cannot be narrowed
  std::string set = {};    ///< whose elements
  uint32_t sequence = 0;
};
// NOLINTEND(readability-redundant-member-init)

std::string encode_nft_request(const NftRequest& request);

struct NftProgress {
  bool done = false;         ///< the dump is over, well or not
  bool interrupted = false;  ///< the rules changed meanwhile
  int error_number = 0;      ///< the kernel's errno; `done` is then set
  uint16_t generation = 0;  ///< low bits of the ruleset's generation, of the last message that told
};

/// Decodes one datagram and appends to `out`; elements join the set that they name, if it is there.
/// Messages with another sequence are skipped. kCorrupt when a length contradicts another.
base::Result<NftProgress> decode_nft(Bytes datagram, uint32_t sequence, NftRuleset& out);

}  // namespace format
