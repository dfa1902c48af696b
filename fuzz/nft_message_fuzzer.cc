// nf_tables messages, and the walk over whatever ruleset they make: must end, within its step limit
// and with ranges that are ranges. The sequence number is taken from the first message, so that the
// fuzzer need not guess it.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "format/nft_message.h"
#include "ports/nft_walk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kSequenceOffset = 8;
  uint32_t sequence = 0;
  if (size >= kSequenceOffset + sizeof sequence) {
    std::memcpy(&sequence, data + kSequenceOffset, sizeof sequence);
  }
  format::NftRuleset ruleset;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  (void)format::decode_nft({bytes, size}, sequence, ruleset);
  const auto found = ports::find_published_ports(ruleset, 1, 2000);
  for (const model::PublishedPort& port : found.ports) {
    if (port.ports.first > port.ports.last) abort();
    if (port.target_ports.first > port.target_ports.last) abort();
    if (port.destination_bits > (port.destination.family == model::Family::kIpv4 ? 32 : 128)) {
      abort();
    }
    if (port.rule.empty()) abort();
  }
  return 0;
}
