#include "ports/port_guessing.h"

#include <random>

#include <gtest/gtest.h>

namespace ports {
namespace {

constexpr uint32_t kSize = 28'232;

PortSteps steps(auto next_port, uint32_t count) {
  PortSteps out;
  out.chance = chance_to_follow(kSize);
  uint16_t before = 40000;
  for (uint32_t i = 0; i < count; ++i) {
    const auto port = static_cast<uint16_t>(next_port(before));
    ++out.pairs;
    out.close += follows_closely(before, port, kSize) ? 1 : 0;
    before = port;
  }
  return out;
}

TEST(PortGuessing, CountsAFewStepsAheadAroundTheEndOfTheRange) {
  EXPECT_TRUE(follows_closely(40000, 40001, kSize));
  EXPECT_TRUE(follows_closely(40000, 40016, kSize));
  EXPECT_FALSE(follows_closely(40000, 40017, kSize));
  EXPECT_FALSE(follows_closely(40000, 40000, kSize));
  EXPECT_FALSE(follows_closely(40001, 40000, kSize));
  EXPECT_TRUE(follows_closely(60999, 32768, kSize));
  EXPECT_FALSE(follows_closely(1, 2, 0));
}

TEST(PortGuessing, RandomPortsAreNoBetterThanChance) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> port(32768, 60999);
  const auto found = steps([&](uint16_t) { return port(random); }, 3000);
  EXPECT_EQ(found.guessing(), Guessing::kRandom);
  EXPECT_NEAR(found.chance, 16.0 / kSize, 1e-9);
}

TEST(PortGuessing, ChanceIsHardlyEverTakenForMore) {
  std::mt19937 random(11);
  std::uniform_int_distribution<int> port(32768, 60999);
  for (const int count : {60, 200, 3000}) {
    int wrong = 0;
    for (int round = 0; round < 1000; ++round) {
      const auto found = steps([&](uint16_t) { return port(random); }, count);
      if (found.guessing() != Guessing::kRandom) ++wrong;
    }
    EXPECT_LE(wrong, 5) << count;
  }
}

TEST(PortGuessing, SomeInARowAreMoreThanChance) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> port(32768, 60999);
  int turn = 0;
  const auto found =
      steps([&](uint16_t before) { return ++turn % 10 == 0 ? before + 1 : port(random); }, 3000);
  EXPECT_EQ(found.guessing(), Guessing::kLeaning);
}

TEST(PortGuessing, AFewConnectionsProveNothing) {
  const auto next = [](uint16_t before) { return before + 2; };
  EXPECT_EQ(steps(next, kGuessPairs - 1).guessing(), Guessing::kTooFew);
  EXPECT_EQ(steps(next, kGuessPairs).guessing(), Guessing::kEasy);
}

TEST(PortGuessing, InATinyRangeHalfIsChance) {
  EXPECT_EQ((PortSteps{.pairs = 100, .close = 55, .chance = 0.5}).guessing(), Guessing::kRandom);
  EXPECT_EQ(chance_to_follow(10), 1);
  EXPECT_EQ(chance_to_follow(0), 0);
}

TEST(PortGuessing, NamesThePatternByBothWays) {
  const PortSteps few{.pairs = 5, .close = 5, .chance = 0.001};
  const PortSteps none{.pairs = 1000, .close = 1, .chance = 0.001};
  const PortSteps some{.pairs = 1000, .close = 100, .chance = 0.001};
  const PortSteps all{.pairs = 1000, .close = 990, .chance = 0.001};
  const auto pattern = [](const PortSteps& same, const PortSteps& other) {
    return PortGuessing{.same_destination = same, .other_destination = other}.pattern();
  };
  EXPECT_EQ(pattern(few, few), PortPattern::kTooFew);
  EXPECT_EQ(pattern(few, none), PortPattern::kTooFew);
  EXPECT_EQ(pattern(none, few), PortPattern::kRandom);
  EXPECT_EQ(pattern(some, none), PortPattern::kLeaning);
  EXPECT_EQ(pattern(all, none), PortPattern::kPerDestination);
  EXPECT_EQ(pattern(all, few), PortPattern::kPerDestination);
  EXPECT_EQ(pattern(few, all), PortPattern::kOneCounter);
  EXPECT_EQ(port_pattern_name(PortPattern::kOneCounter), "one-counter");
}

TEST(PortGuessing, OneParityIsHalfTheWork) {
  EXPECT_TRUE((PortGuessing{.even = 98, .odd = 2}).one_parity());
  EXPECT_TRUE((PortGuessing{.even = 0, .odd = 40}).one_parity());
  EXPECT_FALSE((PortGuessing{.even = 60, .odd = 40}).one_parity());
  EXPECT_FALSE((PortGuessing{.even = 20, .odd = 0}).one_parity());
}

}  // namespace
}  // namespace ports
