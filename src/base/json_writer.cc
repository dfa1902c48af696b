#include "base/json_writer.h"

#include <array>
#include <cassert>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace base {
namespace {

constexpr size_t kBlockBytes = size_t{64} << 10U;  // malloc keeps such blocks; larger ones it maps
constexpr size_t kShortString = 256;
constexpr size_t kLongestNumber = 20;  // "-9223372036854775808"
constexpr std::string_view kHexDigits = "0123456789abcdef";

bool needs_no_escape(char c) {
  const auto value = static_cast<unsigned char>(c);
  return value >= 0x20 && value < 0x7F && c != '"' && c != '\\';
}

/// Copies what needs no escape at the beginning of the text, and answers how much that is.
size_t copy_plain(std::string_view text, char* to) {
  size_t plain = 0;
  for (; plain < text.size() && needs_no_escape(text[plain]); ++plain) to[plain] = text[plain];
  return plain;
}

/// A backslash, "u" and four hexadecimal digits.
std::string escaped(unsigned value) {
  return {'\\',
          'u',
          kHexDigits[value >> 12U & 0xFU],
          kHexDigits[value >> 8U & 0xFU],
          kHexDigits[value >> 4U & 0xFU],
          kHexDigits[value & 0xFU]};
}

/// The same for any character: one past U+FFFF takes a surrogate pair (RFC 8259 section 7).
std::string escaped_character(uint32_t code_point) {
  if (code_point < 0x10000) return escaped(code_point);
  const uint32_t offset = code_point - 0x10000;
  return escaped(0xD800U + (offset >> 10U)) + escaped(0xDC00U + (offset & 0x3FFU));
}

}  // namespace

JsonWriter::JsonWriter(Sink sink)
    : sink_(std::move(sink)),
      buffer_(new char[kBlockBytes]),
      end_(buffer_.get()),
      limit_(buffer_.get() + kBlockBytes) {}

void JsonWriter::flush() {
  const auto size = static_cast<size_t>(end_ - buffer_.get());
  if (size > 0) sink_(std::string_view(buffer_.get(), size));
  end_ = buffer_.get();
}

void JsonWriter::append(std::string_view text) {
  if (text.size() > static_cast<size_t>(limit_ - end_)) flush();
  if (text.size() > kBlockBytes) return sink_(text);
  put(text);
}

JsonWriter& JsonWriter::string(std::string_view text) {
  begin_value(2 + kShortString);
  *end_++ = '"';
  const size_t plain = text.size() <= kShortString ? copy_plain(text, end_) : 0;
  end_ += plain;
  if (plain < text.size()) append_escaped(text.substr(plain));
  make_room(1);
  *end_++ = '"';
  return *this;
}

void JsonWriter::append_escaped(std::string_view text) {
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && needs_no_escape(text[plain])) ++plain;
    append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto value = static_cast<unsigned char>(text.front());
    size_t length = 1;
    if (value >= 0x80) {
      // A multi-byte character is taken whole when it is valid, else its first byte is escaped.
      length = 0;
      for (size_t tried = 2; tried <= 4 && tried <= text.size() && length == 0; ++tried) {
        if (is_valid_utf8(text.substr(0, tried))) length = tried;
      }
      uint32_t code_point = 0;
      if (length != 0 && is_deceptive_character(text.substr(0, length), code_point)) {
        append(escaped_character(code_point));
      } else if (length != 0) {
        append(text.substr(0, length));
      } else {
        append(escaped(0xDC00U + value));
        length = 1;
      }
    } else if (value == '"' || value == '\\') {
      const char both[] = {'\\', text.front()};
      append({both, sizeof both});
    } else if (value == '\n') {
      append("\\n");
    } else if (value == '\t') {
      append("\\t");
    } else {
      append(escaped(value));
    }
    text.remove_prefix(length);
  }
}

JsonWriter& JsonWriter::number(int64_t value) {
  begin_value(kLongestNumber);
  end_ = std::to_chars(end_, end_ + kLongestNumber, value).ptr;
  return *this;
}

JsonWriter& JsonWriter::number_unsigned(uint64_t value) {
  begin_value(kLongestNumber);
  end_ = std::to_chars(end_, end_ + kLongestNumber, value).ptr;
  return *this;
}

JsonWriter& JsonWriter::decimal(double value, int digits_after_point) {
  std::array<char, 64> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                          std::chars_format::fixed, digits_after_point);
  assert(error == std::errc{});
  return literal({digits.data(), end});
}

JsonWriter& JsonWriter::newline() {
  breaks_line_ = true;
  return *this;
}

JsonWriter& JsonWriter::elements(std::string_view text) {
  begin_value(0);
  append(text);
  return *this;
}

void JsonWriter::finish() {
  assert(depth_ == 0);
  append("\n");
  flush();
}

std::string json_elements(const std::function<void(JsonWriter&)>& write) {
  std::string text;
  JsonWriter writer([&](std::string_view block) { text += block; });
  write(writer);
  writer.flush();
  return text;
}

}  // namespace base
