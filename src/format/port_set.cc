#include "format/port_set.h"

#include <optional>

namespace format {
namespace {

constexpr uint32_t kLastPort = 65535;

// Walks through the ports of an encoded set.
class PortSetReader {
 public:
  explicit PortSetReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  /// The next port, or nothing at the end or where the bytes are damaged.
  std::optional<uint16_t> next() {
    if (at_ == bytes_.size()) return std::nullopt;
    uint32_t number = 0;
    for (uint32_t shift = 0;; shift += 7) {
      if (at_ == bytes_.size() || shift > 14) return damage();
      const uint8_t byte = bytes_[at_++];
      number |= uint32_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) != 0) continue;
      if (byte == 0 && shift > 0) return damage();  // not the fewest bytes
      break;
    }
    if (!first_ && number == 0) return damage();
    port_ = first_ ? number : port_ + number;
    first_ = false;
    if (port_ > kLastPort) return damage();
    return static_cast<uint16_t>(port_);
  }

  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  std::nullopt_t damage() {
    damaged_ = true;
    return std::nullopt;
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  uint32_t port_ = 0;
  bool first_ = true;
  bool damaged_ = false;
};

std::unexpected<base::Error> refuse() {
  return base::fail(base::ErrorKind::kCorrupt,
                    "read a set of ports: its bytes are damaged; check the disk of the timeline");
}

}  // namespace

std::vector<uint8_t> encode_port_set(const PortSet& ports) {
  std::vector<uint8_t> bytes;
  uint32_t before = 0;
  // The standard's interface would test 65,536 bits one by one, for each segment written.
  for (size_t port = ports._Find_first(); port < ports.size(); port = ports._Find_next(port)) {
    auto number = static_cast<uint32_t>(port) - before;
    before = static_cast<uint32_t>(port);
    for (; number >= 0x80; number >>= 7U) {
      bytes.push_back(static_cast<uint8_t>(number | 0x80U));
    }
    bytes.push_back(static_cast<uint8_t>(number));
  }
  return bytes;
}

base::Result<PortSet> decode_port_set(std::span<const uint8_t> bytes) {
  PortSet ports;
  PortSetReader reader(bytes);
  while (const auto port = reader.next()) ports.set(*port);
  if (reader.damaged()) return refuse();
  return ports;
}

base::Result<bool> port_set_meets(std::span<const uint8_t> bytes, model::PortRange range) {
  PortSetReader reader(bytes);
  while (const auto port = reader.next()) {
    if (*port >= range.first) return *port <= range.last;
  }
  if (reader.damaged()) return refuse();
  return false;
}

}  // namespace format
