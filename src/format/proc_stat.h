// Decoder of /proc/PID/stat (proc(5), fs/proc/array.c). Pure; any thread.
//
//   stat    = pid " (" command ") " state " " field *(" " field)
//   command = any bytes: blanks, newlines and parentheses too, so it ends at the last ")"
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace format {

struct ProcStat {
  int32_t pid = 0;
  std::string_view command;  ///< into the text that was parsed
  char state = '?';          ///< 'R', 'S', 'D', 'Z', ...
  int32_t parent_pid = 0;    ///< 0 = none that this /proc can show
  bool is_kernel_thread = false;
  uint64_t start_ticks = 0;  ///< since boot, in units of 1/sysconf(_SC_CLK_TCK) s
};

/// Nothing when the text does not follow the grammar up to the start time (field 22).
std::optional<ProcStat> parse_proc_stat(std::string_view text);

}  // namespace format
