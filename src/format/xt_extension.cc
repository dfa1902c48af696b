#include "format/xt_extension.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace format {
namespace {

using model::IpAddress;
using model::PortRange;

XtMatch unclear_match() { return {.unclear = true}; }
XtMatch other_condition() { return {.conditional = true}; }
XtTarget unclear_target() { return {.kind = XtTarget::Kind::kUnclear}; }

/// The struct at the beginning of the extension's bytes, which the kernel pads; nothing when they
/// are too few.
template <class T>
std::optional<T> read(const NftExtension& extension) {
  if (extension.info.size() < sizeof(T)) return std::nullopt;
  T out{};
  std::memcpy(&out, extension.info.data(), sizeof(T));
  return out;
}

bool is_every_port(const uint16_t (&range)[2]) { return range[0] == 0 && range[1] == 65535; }

XtMatch with_ports(model::Protocol protocol, const uint16_t (&source)[2],
                   const uint16_t (&destination)[2], bool destination_inverted) {
  return XtMatch{.protocol = protocol,
                 .ports = std::vector{PortRange{destination[0], destination[1]}},
                 .inverted = destination_inverted,
                 .conditional = !is_every_port(source)};
}

XtMatch decode_tcp(const NftExtension& match) {
  const auto info = read<xt_tcp>(match);
  if (!info || match.revision != 0) return unclear_match();
  XtMatch out = with_ports(model::Protocol::kTcp, info->spts, info->dpts,
                           (info->invflags & XT_TCP_INV_DSTPT) != 0);
  out.conditional = out.conditional || info->flg_mask != 0 || info->option != 0 ||
                    (info->invflags & XT_TCP_INV_SRCPT) != 0;
  return out;
}

XtMatch decode_udp(const NftExtension& match) {
  const auto info = read<xt_udp>(match);
  if (!info || match.revision != 0) return unclear_match();
  XtMatch out = with_ports(model::Protocol::kUdp, info->spts, info->dpts,
                           (info->invflags & XT_UDP_INV_DSTPT) != 0);
  out.conditional = out.conditional || (info->invflags & XT_UDP_INV_SRCPT) != 0;
  return out;
}

XtMatch decode_multiport(const NftExtension& match) {
  const auto info = read<xt_multiport_v1>(match);
  if (!info || match.revision != 1 || info->count > XT_MULTI_PORTS) return unclear_match();
  if (info->flags == XT_MULTIPORT_SOURCE) return other_condition();
  // "Either" lets any destination port pass whose source port fits.
  if (info->flags != XT_MULTIPORT_DESTINATION) return unclear_match();
  std::vector<PortRange> ports;
  for (size_t i = 0; i < info->count; ++i) {
    const bool is_range = info->pflags[i] != 0 && i + 1U < info->count;
    ports.push_back({info->ports[i], info->ports[is_range ? i + 1 : i]});
    if (is_range) ++i;
  }
  return XtMatch{.ports = std::move(ports), .inverted = info->invert != 0};
}

XtMatch decode_address_type(const NftExtension& match) {
  // "Addressed to this host" is what a published port is about anyway.
  const auto info = read<xt_addrtype_info_v1>(match);
  const bool to_this_host = info && match.revision == 1 && info->source == 0 &&
                            info->dest == XT_ADDRTYPE_LOCAL && info->flags == 0;
  return XtMatch{.conditional = !to_this_host};
}

XtMatch decode_connection(const NftExtension& match) {
  constexpr uint16_t kTellsPort = XT_CONNTRACK_PROTO | XT_CONNTRACK_ORIGDST_PORT |
                                  XT_CONNTRACK_REPLSRC_PORT | XT_CONNTRACK_REPLDST_PORT;
  // Revisions 1 to 3 agree up to the flags.
  const auto info = read<xt_conntrack_mtinfo1>(match);
  if (!info || match.revision < 1 || match.revision > 3) return unclear_match();
  return (info->match_flags & kTellsPort) != 0 ? unclear_match() : other_condition();
}

// Matches that look at something other than ports.
constexpr std::array<std::string_view, 32> kPortless{
    "mark",   "connmark",  "limit",     "hashlimit", "statistic", "recent", "mac",
    "owner",  "pkttype",   "physdev",   "iprange",   "state",     "time",   "connlimit",
    "length", "ttl",       "hl",        "tos",       "dscp",      "ecn",    "geoip",
    "cgroup", "cpu",       "helper",    "realm",     "rpfilter",  "quota",  "policy",
    "socket", "connbytes", "connlabel", "devgroup",
};

std::optional<IpAddress> to_address(const nf_inet_addr& address, uint8_t family) {
  if (family == NFPROTO_IPV4) return IpAddress::v4(address.ip);
  if (family == NFPROTO_IPV6) {
    return IpAddress::v6(reinterpret_cast<const uint8_t*>(address.ip6));
  }
  return std::nullopt;
}

XtTarget from_range(uint32_t flags, std::optional<IpAddress> first, std::optional<IpAddress> last,
                    uint16_t first_port, uint16_t last_port) {
  constexpr uint32_t kShifts = NF_NAT_RANGE_PROTO_OFFSET | NF_NAT_RANGE_NETMAP;
  if ((flags & kShifts) != 0) return unclear_target();
  XtTarget out{.kind = XtTarget::Kind::kDestinationNat};
  if ((flags & NF_NAT_RANGE_MAP_IPS) != 0) {
    if (!first || !last) return unclear_target();
    out.first_address = first;
    out.last_address = last;
  }
  if ((flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0) {
    out.ports = PortRange{ntohs(first_port), ntohs(last_port)};
    if (out.ports->first > out.ports->last) return unclear_target();
  }
  return out;
}

}  // namespace

XtMatch decode_xt_match(const NftExtension& match) {
  if (match.name == "tcp") return decode_tcp(match);
  if (match.name == "udp") return decode_udp(match);
  if (match.name == "multiport") return decode_multiport(match);
  if (match.name == "addrtype") return decode_address_type(match);
  if (match.name == "conntrack") return decode_connection(match);
  if (match.name == "comment" || match.name == "nfacct") return {};
  if (std::ranges::find(kPortless, match.name) != kPortless.end()) return other_condition();
  return unclear_match();
}

XtTarget decode_xt_target(const NftExtension& target, uint8_t family) {
  if (target.name == "NETMAP") return unclear_target();
  const bool is_redirect = target.name == "REDIRECT";
  if (!is_redirect && target.name != "DNAT") return {};
  if (target.revision == 0 && family == NFPROTO_IPV4) {
    const auto info = read<nf_nat_ipv4_multi_range_compat>(target);
    if (!info || info->rangesize != 1) return unclear_target();
    const nf_nat_ipv4_range& range = info->range[0];
    return from_range(range.flags, IpAddress::v4(range.min_ip), IpAddress::v4(range.max_ip),
                      range.min.all, range.max.all);
  }
  // nf_nat_range2 only adds a field at the end, which matters only to what is unclear anyway.
  const auto info = read<nf_nat_range>(target);
  const bool is_range =
      is_redirect ? target.revision == 0 : target.revision == 1 || target.revision == 2;
  if (!info || !is_range) return unclear_target();
  return from_range(info->flags, to_address(info->min_addr, family),
                    to_address(info->max_addr, family), info->min_proto.all, info->max_proto.all);
}

}  // namespace format
