#include "ports/scan_watch.h"

#include <array>
#include <cstring>
#include <utility>

namespace ports {
namespace {

// Attempts of one address that are kept; a faster scanner is found long before.
constexpr size_t kAttemptsKept = 8192;
constexpr size_t kExamples = 5;

}  // namespace

size_t EndpointHash::operator()(const model::Endpoint& endpoint) const {
  std::array<uint64_t, 2> words{};
  std::memcpy(words.data(), endpoint.address.bytes.data(), sizeof words);
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15U;
  uint64_t hash = (words[0] ^ endpoint.port) * kOdd;
  hash = (hash ^ hash >> 32U ^ words[1]) * kOdd;
  return static_cast<size_t>(hash ^ hash >> 32U);
}

void ScanWatch::talked_to(const model::Endpoint& remote) {
  const model::Endpoint plain{remote.address.unmapped(), remote.port};
  if (!talked_to_.insert(plain).second) return;
  talked_order_.push_back(plain);
  if (talked_order_.size() <= kTalkedToKept) return;
  talked_to_.erase(talked_order_.front());
  talked_order_.pop_front();
}

ScanWatch::Watched& ScanWatch::watched(const std::string& address) {
  const auto [at, is_new] = watched_.try_emplace(address);
  if (is_new) {
    watched_order_.push_back(address);
    if (watched_order_.size() > kScannersWatched) {
      watched_.erase(watched_order_.front());
      watched_order_.pop_front();
    }
  }
  return at->second;
}

std::optional<Scan> ScanWatch::refused(const model::RecordedSocket& row) {
  const model::IpAddress from = row.remote.address.unmapped();
  if (talked_to_.contains({from, row.remote.port})) return std::nullopt;
  Watched& one = watched(to_string(from));
  one.attempts.push_back({row.opened_us, row.local.port});
  ++one.tries[row.local.port];
  while (one.attempts.size() > kAttemptsKept ||
         one.attempts.front().time_us < row.opened_us - window_us_) {
    const auto tries = one.tries.find(one.attempts.front().port);
    if (--tries->second == 0) one.tries.erase(tries);
    one.attempts.pop_front();
  }
  if (one.tries.size() < ports_) return std::nullopt;
  Scan out{.from = from, .ports = one.tries.size(), .examples = {}, .time_us = row.opened_us};
  for (auto at = one.tries.begin(); at != one.tries.end() && out.examples.size() < kExamples;
       ++at) {
    out.examples.push_back(at->first);
  }
  return out;
}

}  // namespace ports
