// Numbers and texts one behind another, little-endian: what messages of ours are made of. Writing
// cannot fail; reading is total: past the first thing that is not there everything reads as zero or
// empty and ok() is false.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace format {

class ByteWriter {
 public:
  template <std::integral T>
  void number(T value) {
    static_assert(std::endian::native == std::endian::little);
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_.append(bytes, sizeof(T));
  }
  void boolean(bool value) { number<uint8_t>(value ? 1 : 0); }
  void text(std::string_view text) {
    number(static_cast<uint32_t>(text.size()));
    out_ += text;
  }
  void bytes(std::span<const uint8_t> bytes) {
    out_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  /// Unsigned LEB128.
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  void zigzag(int64_t value) {
    varint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }
  /// A varint length and the bytes.
  void short_text(std::string_view text) {
    varint(text.size());
    out_ += text;
  }
  void raw(std::string_view bytes) { out_ += bytes; }
  [[nodiscard]] std::string_view view() const { return out_; }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <std::integral T>
  T number() {
    T value{};
    const std::string_view bytes = raw(sizeof(T));
    if (bytes.size() == sizeof(T)) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  /// 0 or 1; anything else is an error.
  bool boolean() {
    const auto value = number<uint8_t>();
    if (value > 1) fail();
    return value == 1;
  }
  std::string_view text(size_t longest) {
    const auto size = number<uint32_t>();
    if (size > longest) fail();
    return raw(size);
  }
  std::string_view raw(size_t size) {
    if (!ok_ || size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  /// Unsigned LEB128 of at most ten bytes; what does not fit 64 bits is an error.
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = number<uint8_t>();
      const uint64_t digits = byte & 0x7f;
      if (shift == 63 && digits > 1) fail();
      value |= digits << shift;
      if ((byte & 0x80) == 0) return ok_ ? value : 0;
    }
    fail();
    return 0;
  }
  int64_t zigzag() {
    const uint64_t value = varint();
    return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }
  /// A varint that is at most `largest`.
  template <std::integral T>
  T varint_up_to(T largest) {
    const uint64_t value = varint();
    if (value > static_cast<uint64_t>(largest)) fail();
    return ok_ ? static_cast<T>(value) : T{};
  }
  /// A varint length and the bytes.
  std::string_view short_text(size_t longest) {
    const auto size = varint_up_to<size_t>(longest);
    return raw(size);
  }
  /// As count(), of a varint.
  size_t varint_count(size_t least_bytes) {
    return varint_up_to<size_t>(rest_.size() / least_bytes);
  }
  /// Bytes that must all be zero.
  void zeros(size_t size) {
    if (raw(size).find_first_not_of('\0') != std::string_view::npos) fail();
  }
  template <size_t kSize>
  std::array<uint8_t, kSize> array() {
    std::array<uint8_t, kSize> out{};
    const std::string_view bytes = raw(kSize);
    if (bytes.size() == kSize) std::memcpy(out.data(), bytes.data(), kSize);
    return out;
  }
  [[nodiscard]] size_t left() const { return rest_.size(); }
  /// How many things follow, of which each takes at least `least_bytes`: no more than the rest of
  /// the bytes could hold, so that nobody makes us reserve memory with a number alone.
  size_t count(size_t least_bytes) {
    const auto count = number<uint32_t>();
    if (count > rest_.size() / least_bytes) fail();
    return ok_ ? count : 0;
  }
  void fail() { ok_ = false; }
  [[nodiscard]] bool ok() const { return ok_; }
  /// Everything was read, and nothing was missing.
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace format
