// A webhook's delivery: the body, and a signature by which the other side knows that it is ours
// (docs/formats/alerts.md). Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_post.h"

namespace net {

/// HMAC-SHA-256 (RFC 2104) in 64 lower-case hexadecimal digits.
std::string hmac_sha256_hex(std::string_view key, std::string_view text);

/// The value of Twinport-Signature: "t=SECONDS,v1=HEX", HEX of "SECONDS.BODY".
std::string webhook_signature(std::string_view key, int64_t unix_s, std::string_view body);

}  // namespace net
