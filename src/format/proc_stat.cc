#include "format/proc_stat.h"

#include "base/text.h"

namespace format {
namespace {

constexpr uint32_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD, include/linux/sched.h

}  // namespace

std::optional<ProcStat> parse_proc_stat(std::string_view text) {
  const size_t open = text.find(" (");
  const size_t close = text.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) {
    return std::nullopt;
  }
  ProcStat out;
  const auto pid = base::parse_number<int32_t>(text.substr(0, open));
  if (!pid || *pid < 0) return std::nullopt;
  out.pid = *pid;
  out.command = text.substr(open + 2, close - open - 2);

  std::string_view rest = text.substr(close + 2);
  const std::string_view state = base::take_until(rest, ' ');
  if (state.size() != 1) return std::nullopt;
  out.state = state.front();

  for (int field = 4; field <= 22; ++field) {
    const std::string_view value = base::take_until(rest, ' ');
    if (field == 4) {
      const auto parent = base::parse_number<int32_t>(value);
      if (!parent || *parent < 0) return std::nullopt;
      out.parent_pid = *parent;
    } else if (field == 9) {
      const auto flags = base::parse_number<uint32_t>(value);
      if (!flags) return std::nullopt;
      out.is_kernel_thread = (*flags & kKernelThreadFlag) != 0;
    } else if (field == 22) {
      const auto ticks = base::parse_number<uint64_t>(base::trim(value));
      if (!ticks) return std::nullopt;
      out.start_ticks = *ticks;
    }
  }
  return out;
}

}  // namespace format
