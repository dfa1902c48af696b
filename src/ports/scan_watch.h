// ScanWatch: who tries closed ports of ours, one after another. Pure; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "model/recorded_socket.h"

namespace ports {

/// For hash tables of endpoints; the recorder asks for each connection.
struct EndpointHash {
  size_t operator()(const model::Endpoint& endpoint) const;
};

struct Scan {
  model::IpAddress from;
  size_t ports = 0;  ///< different ones that were tried within the window
  std::vector<uint16_t> examples;
  int64_t time_us = 0;  ///< wall, of the last
};

/// Addresses that are watched at once; of more, those that were first heard of earliest go.
inline constexpr size_t kScannersWatched = 4096;
/// Others that this host talks to, remembered to tell their late answers from a scan.
inline constexpr size_t kTalkedToKept = 65'536;

class ScanWatch {
 public:
  ScanWatch(uint32_t ports, int64_t window_us) : ports_(ports), window_us_(window_us) {}

  /// A connection that this host made. A segment that comes late from there finds the port closed,
  /// and is no scan.
  void talked_to(const model::Endpoint& remote);
  /// Somebody asked for a closed port. A scan, at the attempt that makes it one and at each that
  /// follows.
  std::optional<Scan> refused(const model::RecordedSocket& row);

 private:
  struct Attempt {
    int64_t time_us = 0;
    uint16_t port = 0;
  };
  struct Watched {
    std::deque<Attempt> attempts;
    std::map<uint16_t, uint32_t> tries;  // by port, of the attempts
  };
  Watched& watched(const std::string& address);

  uint32_t ports_;
  int64_t window_us_;
  std::map<std::string, Watched> watched_;  // by address
  std::deque<std::string> watched_order_;
  std::unordered_set<model::Endpoint, EndpointHash> talked_to_;
  std::deque<model::Endpoint> talked_order_;
};

}  // namespace ports
