// /proc/PID/stat: the command stays inside the text and between its parentheses.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/proc_stat.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto stat = format::parse_proc_stat(text);
  if (!stat) return 0;
  const char* command = stat->command.data();
  const char* end = command + stat->command.size();
  if (command < text.data() + 2 || end >= text.data() + text.size()) abort();
  if (command[-1] != '(' || *end != ')') abort();
  if (stat->pid < 0 || stat->parent_pid < 0) abort();
  return 0;
}
