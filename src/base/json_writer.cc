#include "base/json_writer.h"

#include <array>
#include <cassert>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace base {
namespace {

constexpr size_t kBlockBytes = 128U << 10U;
constexpr std::string_view kHexDigits = "0123456789abcdef";

bool needs_no_escape(char c) {
  const auto value = static_cast<unsigned char>(c);
  return value >= 0x20 && value < 0x7F && c != '"' && c != '\\';
}

void append_unicode_escape(std::string& out, unsigned value) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4)
    out += kHexDigits[value >> static_cast<unsigned>(shift) & 0xFU];
}

}  // namespace

JsonWriter::JsonWriter(Sink sink) : sink_(std::move(sink)) { buffer_.reserve(kBlockBytes + 4096); }

void JsonWriter::flush_if_full() {
  if (buffer_.size() < kBlockBytes) return;
  sink_(buffer_);
  buffer_.clear();
}

void JsonWriter::comma() {
  if (std::exchange(after_key_, false)) return;
  if (has_item_.empty()) return;
  if (has_item_.back()) buffer_ += ',';
  has_item_.back() = true;
}

JsonWriter& JsonWriter::begin_object() {
  comma();
  buffer_ += '{';
  has_item_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  assert(!has_item_.empty() && !after_key_);
  has_item_.pop_back();
  buffer_ += '}';
  flush_if_full();
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  comma();
  buffer_ += '[';
  has_item_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  assert(!has_item_.empty() && !after_key_);
  has_item_.pop_back();
  buffer_ += ']';
  flush_if_full();
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  comma();
  buffer_ += '"';
  buffer_ += name;
  buffer_ += "\":";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  comma();
  buffer_ += '"';
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && needs_no_escape(text[plain])) ++plain;
    buffer_ += text.substr(0, plain);
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
      if (length != 0) {
        buffer_ += text.substr(0, length);
      } else {
        append_unicode_escape(buffer_, 0xDC00U + value);
        length = 1;
      }
    } else if (value == '"' || value == '\\') {
      buffer_ += '\\';
      buffer_ += text.front();
    } else if (value == '\n') {
      buffer_ += "\\n";
    } else if (value == '\t') {
      buffer_ += "\\t";
    } else {
      append_unicode_escape(buffer_, value);
    }
    text.remove_prefix(length);
  }
  buffer_ += '"';
  return *this;
}

JsonWriter& JsonWriter::number(int64_t value) {
  comma();
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  buffer_.append(digits.data(), end);
  return *this;
}

JsonWriter& JsonWriter::number_unsigned(uint64_t value) {
  comma();
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  buffer_.append(digits.data(), end);
  return *this;
}

JsonWriter& JsonWriter::decimal(double value, int digits_after_point) {
  comma();
  std::array<char, 64> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                          std::chars_format::fixed, digits_after_point);
  assert(error == std::errc{});
  buffer_.append(digits.data(), end);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  comma();
  buffer_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  comma();
  buffer_ += "null";
  return *this;
}

JsonWriter& JsonWriter::newline() {
  buffer_ += '\n';
  return *this;
}

void JsonWriter::finish() {
  assert(has_item_.empty() && !after_key_);
  buffer_ += '\n';
  sink_(buffer_);
  buffer_.clear();
}

}  // namespace base
