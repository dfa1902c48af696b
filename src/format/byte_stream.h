// Numbers and texts one behind another, little-endian: what messages of ours are made of. Writing
// cannot fail; reading is total: past the first thing that is not there everything reads as zero or
// empty and ok() is false.
#pragma once

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
