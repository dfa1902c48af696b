// iptables extensions as nf_tables carries them for iptables-nft: a name, a revision and the
// extension's own struct in host byte order. Decoded as far as ports and destination NAT go. Pure;
// any thread.
//
// Source: the kernel's uapi headers linux/netfilter/xt_*.h and nf_nat.h; which revision uses which
// struct is in net/netfilter/xt_nat.c, xt_REDIRECT.c, xt_tcpudp.c and xt_multiport.c.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "format/nft_message.h"
#include "model/address.h"
#include "model/port.h"

namespace format {

/// What a match demands of a packet.
struct XtMatch {
  std::optional<model::Protocol> protocol = std::nullopt;
  /// The destination port is one of these, or with `inverted` none of these.
  std::optional<std::vector<model::PortRange>> ports = std::nullopt;
  bool inverted = false;
  bool conditional = false;  ///< it demands something else too, which is not of the ports
  bool unclear = false;      ///< it may demand something of the ports that we cannot read
};
XtMatch decode_xt_match(const NftExtension& match);

struct XtTarget {
  enum class Kind : uint8_t { kOther, kDestinationNat, kUnclear };  ///< kUnclear: NAT, but which?
  Kind kind = Kind::kOther;
  std::optional<model::IpAddress> first_address = std::nullopt;  ///< nothing = unchanged
  std::optional<model::IpAddress> last_address = std::nullopt;
  std::optional<model::PortRange> ports = std::nullopt;  ///< nothing = unchanged
};
/// `family` is that of the rule (NFPROTO_*).
XtTarget decode_xt_target(const NftExtension& target, uint8_t family);

}  // namespace format
