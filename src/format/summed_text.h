// Text with a sum of itself as its last line, by which damage shows. Pure; any thread.
//
//   file = body "sum " MD5 of the body "\n"          body: lines
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace format {

bool is_md5_text(std::string_view text);

/// MD5 as text; handed in because hashing is not this layer's business.
using Md5OfText = std::function<std::string(std::string_view)>;

/// `body` ends with a line break.
std::string add_sum(std::string body, const Md5OfText& md5);

/// The body after its heading, which is a line of its own. Nothing when a single byte is not as
/// add_sum() wrote it, or it has another heading.
std::optional<std::string_view> check_sum(std::string_view text, std::string_view heading,
                                          const Md5OfText& md5);

}  // namespace format
