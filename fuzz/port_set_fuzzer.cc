// Sets of ports in the timeline: what is taken is what would be written, and a search in it agrees
// with the whole.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "format/port_set.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(data, size);
  const auto set = format::decode_port_set(bytes);
  const auto first = static_cast<uint16_t>(size * 977);
  const auto last = static_cast<uint16_t>(first | 63U);
  const auto meets = format::port_set_meets(bytes, {first, last});
  if (!set) return 0;
  const auto again = format::encode_port_set(*set);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) abort();
  bool expected = false;
  for (uint32_t port = first; port <= last; ++port) expected = expected || set->test(port);
  if (!meets || *meets != expected) abort();
  return 0;
}
