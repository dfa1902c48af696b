#include "ports/port_guessing.h"

#include <algorithm>
#include <cmath>

namespace ports {
namespace {

constexpr double kEasyShare = 0.5;
constexpr uint32_t kParityShare = 20;  // one in so many may differ
constexpr double kRareLuck = 0.001;
constexpr double kManyExpected = 30;  // from here on the bell curve will do

/// Whether chance alone gives as many close pairs in hardly one of a thousand such measurements. A
/// close pair is so rare by chance (one in two thousand) that one more makes a large share of few
/// pairs; so few are reckoned exactly, by the binomial distribution.
bool is_more_than_luck(const PortSteps& steps) {
  const double expected = steps.chance * steps.pairs;
  if (expected >= kManyExpected) {
    return steps.close > expected + 3 * std::sqrt(expected * (1 - steps.chance));
  }
  double fewer = 0;
  double exactly = std::pow(1 - steps.chance, steps.pairs);
  for (uint32_t count = 0; count < steps.close && 1 - fewer >= kRareLuck; ++count) {
    fewer += exactly;
    exactly *= (steps.pairs - count) * steps.chance / ((count + 1) * (1 - steps.chance));
  }
  return 1 - fewer < kRareLuck;
}

}  // namespace

std::string_view guessing_name(Guessing guessing) {
  switch (guessing) {
    case Guessing::kTooFew:
      return "too-few";
    case Guessing::kRandom:
      return "random";
    case Guessing::kLeaning:
      return "leaning";
    case Guessing::kEasy:
      return "easy";
  }
  return {};
}

std::string_view port_pattern_name(PortPattern pattern) {
  switch (pattern) {
    case PortPattern::kTooFew:
      return "too-few";
    case PortPattern::kRandom:
      return "random";
    case PortPattern::kLeaning:
      return "leaning";
    case PortPattern::kPerDestination:
      return "per-destination";
    case PortPattern::kOneCounter:
      return "one-counter";
  }
  return {};
}

Guessing PortSteps::guessing() const {
  if (pairs < kGuessPairs) return Guessing::kTooFew;
  // In a range so small that chance alone gives half, half proves nothing.
  if (share() <= 2 * chance || !is_more_than_luck(*this)) return Guessing::kRandom;
  return share() >= kEasyShare ? Guessing::kEasy : Guessing::kLeaning;
}

PortPattern PortGuessing::pattern() const {
  const Guessing same = same_destination.guessing();
  const Guessing other = other_destination.guessing();
  if (other == Guessing::kEasy) return PortPattern::kOneCounter;
  if (same == Guessing::kEasy) return PortPattern::kPerDestination;
  if (same == Guessing::kLeaning || other == Guessing::kLeaning) return PortPattern::kLeaning;
  // Connections to ever new destinations tell nothing of how one destination's ports go on.
  return same == Guessing::kTooFew ? PortPattern::kTooFew : PortPattern::kRandom;
}

bool PortGuessing::one_parity() const {
  const uint32_t all = even + odd;
  return all >= kGuessPairs && std::min(even, odd) * kParityShare <= all;
}

bool follows_closely(uint16_t before, uint16_t port, uint32_t width) {
  if (width == 0) return false;
  const uint32_t step = (port + width - before % width) % width;
  return step >= 1 && step <= kGuessSteps;
}

double chance_to_follow(uint32_t size) {
  return size == 0 ? 0 : std::min(1.0, static_cast<double>(kGuessSteps) / size);
}

}  // namespace ports
