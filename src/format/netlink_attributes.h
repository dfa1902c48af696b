// NetlinkAttributes: a walk over the attributes of a netlink message. Bounds are checked; a length
// that contradicts the space left ends the walk and is remembered. Pure; any thread.
//
//   attributes = *(u16 length, u16 type, value, padding to 4 bytes)    length counts its own head
#pragma once

#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace format {

using Bytes = std::span<const std::byte>;

struct NetlinkAttribute {
  uint16_t type = 0;  ///< without the flags for nesting and byte order
  Bytes value;

  /// The numbers of nf_tables are big-endian; a value of another size is 0.
  [[nodiscard]] uint32_t number() const {
    if (value.size() != sizeof(uint32_t)) return 0;
    uint32_t out = 0;
    for (const std::byte byte : value) out = out << 8U | std::to_integer<uint32_t>(byte);
    return out;
  }
  /// Text, with or without a NUL at its end.
  [[nodiscard]] std::string_view text() const {
    const std::string_view all = bytes_as_text();
    return all.substr(0, all.find('\0'));
  }
  [[nodiscard]] std::string_view bytes_as_text() const {
    return {reinterpret_cast<const char*>(value.data()), value.size()};
  }
};

class NetlinkAttributes {
 public:
  /// `broken` is set, never cleared, when a length is impossible.
  NetlinkAttributes(Bytes bytes, bool& broken) : rest_(bytes), broken_(broken) {}

  /// False at the end and at the first impossible length.
  bool next(NetlinkAttribute& out) {
    if (rest_.size() < sizeof(nlattr)) {
      broken_ = broken_ || !rest_.empty();
      return false;
    }
    nlattr head{};
    std::memcpy(&head, rest_.data(), sizeof(head));
    if (head.nla_len < sizeof(nlattr) || head.nla_len > rest_.size()) {
      broken_ = true;
      rest_ = {};
      return false;
    }
    out.type = head.nla_type & NLA_TYPE_MASK;
    out.value = rest_.subspan(sizeof(nlattr), head.nla_len - sizeof(nlattr));
    rest_ = rest_.subspan(std::min<size_t>((head.nla_len + 3U) & ~3U, rest_.size()));
    return true;
  }

 private:
  Bytes rest_;
  bool& broken_;
};

}  // namespace format
