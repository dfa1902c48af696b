// How well the next source port can be guessed, by what was seen of those before (RFC 6056).
//
// Who knows the source port of one connection tries the ports that follow. So of connections one
// after another, the share whose port lies at most kGuessSteps above that of the one before (around
// the end of the range) is held against what chance would give. It is counted three ways, since
// they help different people: toward the same destination (who runs that server, or sees one
// connection to it, guesses the next), from one destination to another (who gets this host to
// connect to *him* guesses its connections to others), and for UDP, one after another whatever the
// destination.
//
// Ports that a program asked for by number count like those that the kernel chose, since a row does
// not tell them apart: who guesses cares for the ports as they come, whoever chose them.
//
// What this cannot tell: a generator whose next port follows from those before by more than a small
// step looks random here. "No better than chance" is no proof that nobody can guess.
#pragma once

#include <cstdint>
#include <string_view>

namespace ports {

inline constexpr uint32_t kGuessSteps = 16;
/// Pairs of connections from which on anything is said of guessing.
inline constexpr uint32_t kGuessPairs = 30;

enum class Guessing : uint8_t {
  kTooFew,   ///< fewer than kGuessPairs pairs
  kRandom,   ///< no better than chance
  kLeaning,  ///< better than chance, by more than three standard deviations and at least twice
  kEasy,     ///< half of the ports or more follow closely on the one before
};
std::string_view guessing_name(Guessing guessing);  ///< "too-few", "random", "leaning", "easy"

/// Pairs of connections, one right after the other.
struct PortSteps {
  uint32_t pairs = 0;
  uint32_t close = 0;  ///< of them, those whose port follows closely
  double chance = 0;   ///< the share of close ones that chance gives

  [[nodiscard]] double share() const { return pairs == 0 ? 0 : static_cast<double>(close) / pairs; }
  [[nodiscard]] Guessing guessing() const;
};

/// The pattern that the source ports of TCP follow; RFC 6056 §3.3 numbers the algorithms.
enum class PortPattern : uint8_t {
  kTooFew,
  kRandom,          ///< no better than chance either way: simple randomisation (1, 2)
  kLeaning,         ///< better than chance: random steps (5), or several ways mixed
  kPerDestination,  ///< a counter for each destination: by hash (3) or double hash (4)
  kOneCounter,      ///< one counter for all: what RFC 6056 was written against
};
/// "too-few", "random", "leaning", "per-destination", "one-counter".
std::string_view port_pattern_name(PortPattern pattern);

struct PortGuessing {
  PortSteps same_destination{};
  PortSteps other_destination{};  ///< pairs whose two destinations differ
  PortSteps udp{};
  /// Of TCP connections, those whose port is an even number of steps above the range's first, and
  /// the others. Linux lets connect() take the former while there are any and bind() to port 0 the
  /// latter (__inet_hash_connect, inet_csk_find_open_port).
  uint32_t even = 0;
  uint32_t odd = 0;

  [[nodiscard]] PortPattern pattern() const;
  /// Nearly all (19 of 20) are even, or nearly all odd: who guesses need try only half of the
  /// ports.
  [[nodiscard]] bool one_parity() const;
};

/// Whether `port` follows closely on `before` in a range of `width` ports.
bool follows_closely(uint16_t before, uint16_t port, uint32_t width);
/// The share of close ones among `size` ports that are drawn at random.
double chance_to_follow(uint32_t size);

}  // namespace ports
