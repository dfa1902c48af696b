// Messages on the recorder's socket: whatever is taken is written again as the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/recorder_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto request = format::read_request(body)) {
    if (format::write_request(*request).substr(format::kMessageHeadBytes) != body) abort();
    if (format::read_reply(body)) abort();
  }
  if (const auto reply = format::read_reply(body)) {
    if (format::write_reply(*reply).substr(format::kMessageHeadBytes) != body) abort();
  }
  return 0;
}
