// PortSet: any set of ports of one protocol, kept as sorted ranges that neither touch nor overlap.
// A plain value.
#pragma once

#include <span>
#include <vector>

#include "model/port.h"

namespace ports {

class PortSet {
 public:
  PortSet() = default;
  explicit PortSet(model::PortRange range) : ranges_{range} {}
  /// In any order, overlapping or not.
  explicit PortSet(std::vector<model::PortRange> ranges);
  static PortSet all() { return PortSet(model::PortRange{0, 65535}); }

  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] std::span<const model::PortRange> ranges() const { return ranges_; }
  bool operator==(const PortSet&) const = default;

  [[nodiscard]] PortSet complement() const;
  [[nodiscard]] PortSet united_with(const PortSet& other) const;
  [[nodiscard]] PortSet common_with(const PortSet& other) const;
  [[nodiscard]] PortSet without(const PortSet& other) const {
    return common_with(other.complement());
  }

 private:
  std::vector<model::PortRange> ranges_;
};

}  // namespace ports
