#include "base/text.h"

#include <algorithm>
#include <cstdint>

namespace base {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

struct Decoded {
  uint32_t code_point = 0;
  size_t length = 0;  // 0: not valid UTF-8 here
};

// RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
Decoded decode_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  size_t length = 0;
  uint32_t code_point = 0;
  uint32_t least = 0;
  if ((first & 0xE0U) == 0xC0) {
    length = 2, code_point = first & 0x1FU, least = 0x80;
  } else if ((first & 0xF0U) == 0xE0) {
    length = 3, code_point = first & 0x0FU, least = 0x800;
  } else if ((first & 0xF8U) == 0xF0) {
    length = 4, code_point = first & 0x07U, least = 0x10000;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    code_point = code_point << 6U | (byte(i) & 0x3FU);
  }
  if (code_point < least || code_point > 0x10FFFF) return {};
  if (code_point >= 0xD800 && code_point <= 0xDFFF) return {};
  return {code_point, length};
}

// Characters that change how a terminal shows their neighbours, or show nothing themselves.
bool is_deceptive(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF0 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF) || c == 0x061C;
}

bool is_wide(uint32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF && c != 0x303F) ||
         (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
         (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1F64F) ||
         (c >= 0x1F900 && c <= 0x1F9FF) || (c >= 0x20000 && c <= 0x3FFFD);
}

bool is_combining(uint32_t c) {
  return (c >= 0x0300 && c <= 0x036F) || (c >= 0x0483 && c <= 0x0489) ||
         (c >= 0x0591 && c <= 0x05BD) || (c >= 0x064B && c <= 0x065F) ||
         (c >= 0x1AB0 && c <= 0x1AFF) || (c >= 0x1DC0 && c <= 0x1DFF) ||
         (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE00 && c <= 0xFE0F) ||
         (c >= 0xFE20 && c <= 0xFE2F);
}

void append_hex_escapes(std::string& out, std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto value = static_cast<uint8_t>(c);
    out += "\\x";
    out += kDigits[value >> 4U];
    out += kDigits[value & 0xFU];
  }
}

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view take_until(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const std::string_view token = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return token;
}

std::string_view take_word(std::string_view& rest) {
  const size_t begin = rest.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(begin);
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const Decoded decoded = decode_utf8(text);
    if (decoded.length == 0) return false;
    text.remove_prefix(decoded.length);
  }
  return true;
}

std::string escape_for_terminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded decoded = decode_utf8(text);
    const std::string_view bytes = text.substr(0, decoded.length == 0 ? 1 : decoded.length);
    if (decoded.length == 1 && text.front() == '\\') {
      out += "\\\\";
    } else if (decoded.length == 1 && text.front() == '\n') {
      out += "\\n";
    } else if (decoded.length == 1 && text.front() == '\t') {
      out += "\\t";
    } else if (decoded.length == 0 || is_deceptive(decoded.code_point)) {
      append_hex_escapes(out, bytes);
    } else {
      out += bytes;
    }
    text.remove_prefix(bytes.size());
  }
  return out;
}

std::string escape_controls(std::string_view message) {
  std::string out;
  out.reserve(message.size());
  while (!message.empty()) {
    const Decoded decoded = decode_utf8(message);
    const std::string_view bytes = message.substr(0, decoded.length == 0 ? 1 : decoded.length);
    if (message.front() != '\n' && (decoded.length == 0 || is_deceptive(decoded.code_point))) {
      append_hex_escapes(out, bytes);
    } else {
      out += bytes;
    }
    message.remove_prefix(bytes.size());
  }
  return out;
}

bool is_deceptive_character(std::string_view character, uint32_t& code_point) {
  const Decoded decoded = decode_utf8(character);
  code_point = decoded.code_point;
  return is_deceptive(decoded.code_point);
}

size_t display_width(std::string_view text) {
  // Nearly all text is ASCII, each byte of which is one column.
  if (std::ranges::none_of(text, [](char c) { return static_cast<uint8_t>(c) >= 0x80; })) {
    return text.size();
  }
  size_t width = 0;
  while (!text.empty()) {
    const Decoded decoded = decode_utf8(text);
    text.remove_prefix(decoded.length == 0 ? 1 : decoded.length);
    if (is_combining(decoded.code_point)) continue;
    width += is_wide(decoded.code_point) ? 2 : 1;
  }
  return width;
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

bool contains_ignoring_case(std::string_view haystack, std::string_view needle) {
  return !std::ranges::search(haystack, needle, {}, lower, lower).empty() || needle.empty();
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

}  // namespace base
