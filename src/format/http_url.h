// The address of a webhook, taken apart. A total function.
//
//   url = ( "http" | "https" ) "://" host [ ":" PORT ] [ "/" path [ "?" query ] ]
//   host = NAME | IPv4 | "[" IPv6 "]"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace format {

struct HttpUrl {
  bool secure = false;
  std::string host;  ///< without brackets
  uint16_t port = 0;
  std::string target;  ///< path and query, "/" at least
  /// As the Host header has it.
  [[nodiscard]] std::string authority() const;
};

/// kUsage where it is none, or holds what belongs in no request line: blanks, control characters,
/// user names and fragments.
base::Result<HttpUrl> parse_http_url(std::string_view text);

}  // namespace format
