// Which ports a ruleset of nf_tables sends elsewhere: follows packets from the hooks through jumps,
// matches and sets to every destination NAT, as the kernel would, but for all packets at once. A
// pure function over values.
#pragma once

#include <cstdint>

#include "format/nft_message.h"
#include "model/inventory.h"

namespace ports {

/// `ruleset` must hold every chain of the tables that do NAT, their rules and sets. A rule whose
/// ports cannot be told for certain is counted in a blind spot, never guessed at. An answer may say
/// more than is true in one way: conditions that are not of ports are named, not weighed, so an
/// earlier conditional rule may take packets away. More than `step_limit` expressions are not
/// followed, and a blind spot says so.
model::PublishedPorts find_published_ports(const format::NftRuleset& ruleset, uint32_t netns,
                                           uint32_t step_limit = 2'000'000);

/// The nft spelling of NFPROTO_*: "ip", "ip6", "inet", ...
const char* nft_family_name(uint8_t family);

}  // namespace ports
