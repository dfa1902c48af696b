// PortSet: which ports occur in one segment of the timeline, in about a byte for each.
//
//   set    = [ port { step } ]       in ascending order; empty = no port at all
//   port   = number                  0..65535
//   step   = number                  what the next port is higher by, at least 1
//   number = { 1xxxxxxx } 0xxxxxxx   seven bits a byte, lowest first, in the fewest bytes
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/port.h"

namespace format {

using PortSet = std::bitset<65536>;

std::vector<uint8_t> encode_port_set(const PortSet& ports);

/// kCorrupt for anything that encode_port_set() would not have written.
base::Result<PortSet> decode_port_set(std::span<const uint8_t> bytes);

/// Whether a port of the range is in the set. Reads no further than it must, so damage behind that
/// goes unnoticed; damage before is kCorrupt.
base::Result<bool> port_set_meets(std::span<const uint8_t> bytes, model::PortRange range);

}  // namespace format
