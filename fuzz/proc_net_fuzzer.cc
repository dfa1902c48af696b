// /proc/net tables: only whole lines are taken, one socket a line at most, and a table that arrives
// in two parts gives what it gives in one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "format/proc_net.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const format::ProcNetContext context{.protocol = model::Protocol::kTcp, .netns = 1};
  std::vector<model::Socket> whole;
  const auto used = format::decode_proc_net(text, context, whole);
  if (!used) return 0;
  if (*used > size || (*used > 0 && text[*used - 1] != '\n')) abort();
  if (text.substr(*used).find('\n') != std::string_view::npos) abort();
  if (whole.size() > static_cast<size_t>(std::count(text.begin(), text.end(), '\n'))) abort();

  std::vector<model::Socket> parts;
  const auto first = format::decode_proc_net(text.substr(0, size / 2), context, parts);
  if (!first) abort();
  const auto second = format::decode_proc_net(text.substr(*first), context, parts);
  if (!second || *first + *second != *used || parts.size() != whole.size()) abort();
  return 0;
}
