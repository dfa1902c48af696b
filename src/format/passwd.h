// Decoder of /etc/passwd (passwd(5)). Pure; any thread.
//
//   file = *(line "\n")      line = name ":" password ":" uid ":" gid ":" gecos ":" home ":" shell
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace format {

struct PasswdEntry {
  uint32_t uid = 0;
  std::string_view name;  ///< into the text that was parsed
};

/// The entries in file order; the C library lets the first of two with the same uid win. Lines that
/// do not follow the grammar (comments, NIS "+" lines, bad numbers) are skipped.
std::vector<PasswdEntry> parse_passwd(std::string_view text);

}  // namespace format
