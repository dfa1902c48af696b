#include "format/passwd.h"

#include "base/text.h"

namespace format {

std::vector<PasswdEntry> parse_passwd(std::string_view text) {
  std::vector<PasswdEntry> out;
  while (!text.empty()) {
    std::string_view line = base::take_until(text, '\n');
    const std::string_view name = base::take_until(line, ':');
    if (name.empty() || name.front() == '#' || name.front() == '+' || name.front() == '-') continue;
    base::take_until(line, ':');
    const auto uid = base::parse_number<uint32_t>(base::take_until(line, ':'));
    // The gid tells a passwd line from a shorter one that happens to have a number third.
    const auto gid = base::parse_number<uint32_t>(base::take_until(line, ':'));
    if (uid && gid) out.push_back({*uid, name});
  }
  return out;
}

}  // namespace format
