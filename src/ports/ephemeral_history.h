// What the timeline tells of the ephemeral range: how its use toward each destination went, whether
// it will run out, how well the next source port can be guessed, and who uses the ports up. Pure:
// rows come in, in any order.
//
// How use is counted: a port counts from the opening of its connection to its closing, and then for
// another minute (TCP_TIMEWAIT_LEN) or until it is used again toward the same destination. Whoever
// closes first keeps the port at rest, and the timeline does not tell which side that was: so
// `peak` is the most that can have been in use, and `peak_open` the least.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/clock_history.h"
#include "model/inventory.h"
#include "model/recorded_socket.h"
#include "ports/port_guessing.h"
#include "ports/use_forecast.h"

namespace ports {

/// A connection that ended sooner than this took a port for next to nothing.
inline constexpr int64_t kShortLifeUs = 1'000'000;
/// A port rests as long after its connection; rows that ended so long before the window count.
inline constexpr int64_t kPortRestUs = 60'000'000;
/// A forecast that says the range is full within this time needs attention.
inline constexpr int64_t kFullSoon_s = 3600;
/// Of a hundred thousand destinations, the others are far from full.
inline constexpr size_t kFullest = 1000;

struct DestinationHistory {
  model::IpAddress local;
  model::Endpoint destination;
  uint32_t connections = 0;  ///< opened in the window
  uint32_t peak = 0;
  uint32_t peak_open = 0;
  int64_t peak_us = 0;  ///< wall, when `peak` was reached
  UseOverTime use{};    ///< the highest in each part, resting ports included
  Forecast forecast;
  PortSteps steps;

  /// Even the slow end of what the forecast gives is near.
  [[nodiscard]] bool full_soon() const {
    return forecast.full_in_s_most && *forecast.full_in_s_most <= kFullSoon_s;
  }
};

struct PortBurner {
  std::string program;  ///< file, or command where that is not known; "" = nobody could be named
  std::string user;
  uint32_t ports = 0;        ///< opened in the window, TCP and UDP
  uint32_t short_lived = 0;  ///< of them, those closed within kShortLifeUs
};

struct EphemeralHistory {
  model::TimeWindow window;
  model::PortRange range;
  uint32_t size = 0;         ///< ports in the range less the reserved ones
  uint32_t connections = 0;  ///< TCP, on ports of the range, opened in the window
  uint32_t udp_ports = 0;    ///< UDP ports of the range, opened in the window
  std::vector<DestinationHistory> destinations;  ///< highest peak first, the fullest only
  size_t destinations_total = 0;
  std::vector<PortBurner> burners;  ///< most ports first
  PortGuessing guessing;
  uint64_t events_lost = 0;    ///< in the window; the counts are too low by about so many
  int64_t not_recorded_s = 0;  ///< of the window

  [[nodiscard]] double window_s() const {
    return static_cast<double>(window.until_us - window.from_us) / 1'000'000;
  }
  [[nodiscard]] bool full_soon() const;
};

class EphemeralHistoryMeter {
 public:
  /// `known_from_us`: nothing older can be in the rows; a forecast takes no account of the minute
  /// after it, in which use only seems to grow.
  EphemeralHistoryMeter(model::TimeWindow window, int64_t known_from_us,
                        const model::PortPolicy& policy);

  /// A socket of our own namespace, and whose it was (nullptr: nobody can be named).
  void add(const model::RecordedSocket& socket, const model::RecordedProcess* owner);
  /// `nothing`: nothing at all is known of that time, rather than single events are missing.
  void add_gap(model::TimeWindow gap, uint64_t lost, bool nothing);

  /// The `most` fullest destinations are told of, or kFullest where that is more.
  [[nodiscard]] EphemeralHistory measure(size_t most = kFullest);

 private:
  struct Life {
    int64_t opened_us = 0;  ///< before the window: not known to have been opened in it
    int64_t closed_us = 0;
    uint32_t destination = 0;
    uint16_t port = 0;
    bool rests = true;  ///< may be in time-wait when it is closed
  };
  struct Destination {
    model::IpAddress local;
    model::Endpoint remote;
    std::vector<Life> lives;
  };
  struct Burnt {
    uint32_t ports = 0;
    uint32_t short_lived = 0;
  };

  [[nodiscard]] bool opened_inside(const Life& life) const {
    return life.opened_us >= window_.from_us;
  }
  [[nodiscard]] DestinationHistory measure(Destination& destination) const;
  void measure_use(std::vector<Life>& lives, DestinationHistory& out) const;
  void keep_fullest(std::vector<DestinationHistory>& destinations, size_t most) const;
  [[nodiscard]] PortGuessing measure_guessing() const;
  [[nodiscard]] int64_t part_us() const;
  [[nodiscard]] KnownParts known_parts() const;

  model::TimeWindow window_;
  int64_t known_from_us_;
  model::PortPolicy policy_;
  uint32_t size_ = 0;
  std::vector<Destination> destinations_;
  std::map<std::string, uint32_t> numbers_;  // of destinations
  std::vector<Life> udp_;
  std::map<std::pair<std::string, std::string>, Burnt> burners_;
  uint64_t events_lost_ = 0;
  std::vector<model::TimeWindow> dark_;
};

}  // namespace ports
