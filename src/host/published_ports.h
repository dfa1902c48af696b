// Ports that the packet filter sends elsewhere (DNAT and redirect), read from nf_tables by netlink:
// rules written by nft itself and by iptables-nft alike. iptables-legacy rules are not seen.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/inventory.h"

namespace host {

/// Of the network namespace that the calling thread is in, which is `netns` by number. Needs
/// CAP_NET_ADMIN; kPermission otherwise. No nf_tables in the kernel is an empty answer. A rule
/// whose ports cannot be told for certain is not guessed at: a blind spot counts it.
base::Result<model::PublishedPorts> read_published_ports(uint32_t netns);

}  // namespace host
