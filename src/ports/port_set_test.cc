#include "ports/port_set.h"

#include <bitset>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ports {
namespace {

std::string text_of(const PortSet& set) {
  std::string out;
  for (const auto range : set.ranges()) out += model::to_string(range) + " ";
  return out;
}

TEST(PortSet, SortsAndJoinsRanges) {
  EXPECT_EQ(text_of(PortSet({{80, 80}, {22, 22}, {81, 90}, {85, 100}, {5, 3}})), "22 80-100 ");
  EXPECT_EQ(text_of(PortSet({{65535, 65535}, {65534, 65534}, {0, 0}})), "0 65534-65535 ");
}

TEST(PortSet, ComplementsAtTheEdges) {
  EXPECT_EQ(text_of(PortSet().complement()), "0-65535 ");
  EXPECT_EQ(text_of(PortSet::all().complement()), "");
  EXPECT_EQ(text_of(PortSet({0, 0}).complement()), "1-65535 ");
  EXPECT_EQ(text_of(PortSet({65535, 65535}).complement()), "0-65534 ");
  EXPECT_EQ(text_of(PortSet({{22, 22}, {80, 90}}).complement()), "0-21 23-79 91-65535 ");
}

TEST(PortSet, AgreesWithASetOfBits) {
  using Bits = std::bitset<65536>;
  std::mt19937 random(1744);
  const auto any_set = [&] {
    std::vector<model::PortRange> ranges(random() % 6);
    for (auto& range : ranges) {
      // Few distinct values, so that edges meet.
      range.first = static_cast<uint16_t>(random() % 12 * 5957);
      range.last = static_cast<uint16_t>(range.first + random() % 7000);
      if (range.last < range.first) range.last = 65535;
    }
    return PortSet(ranges);
  };
  const auto bits_of = [](const PortSet& set) {
    Bits bits;
    for (const auto range : set.ranges()) {
      for (uint32_t port = range.first; port <= range.last; ++port) bits.set(port);
    }
    return bits;
  };
  for (int round = 0; round < 50; ++round) {
    const PortSet left = any_set();
    const PortSet right = any_set();
    EXPECT_EQ(bits_of(left.complement()), ~bits_of(left));
    EXPECT_EQ(bits_of(left.united_with(right)), bits_of(left) | bits_of(right));
    EXPECT_EQ(bits_of(left.common_with(right)), bits_of(left) & bits_of(right));
    EXPECT_EQ(bits_of(left.without(right)), bits_of(left) & ~bits_of(right));
    // The same set has one spelling only.
    EXPECT_EQ(left.without(right).united_with(left.common_with(right)), left);
  }
}

}  // namespace
}  // namespace ports
