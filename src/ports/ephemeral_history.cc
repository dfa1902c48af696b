#include "ports/ephemeral_history.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "ports/port_facts.h"
#include "ports/timeline_match.h"

namespace ports {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max() / 2;

// What happens to a destination's ports at a moment.
struct Step {
  int64_t time_us = 0;
  int32_t open = 0;
  int32_t used = 0;
};

}  // namespace

bool EphemeralHistory::full_soon() const {
  return std::ranges::any_of(destinations, &DestinationHistory::full_soon);
}

EphemeralHistoryMeter::EphemeralHistoryMeter(model::TimeWindow window, int64_t known_from_us,
                                             const model::PortPolicy& policy)
    : window_(window),
      known_from_us_(known_from_us),
      policy_(policy),
      size_(ephemeral_size(policy)) {}

void EphemeralHistoryMeter::add(const model::RecordedSocket& socket,
                                const model::RecordedProcess* owner) {
  // An attempt has its port as long as nobody answers, which may be minutes; there is no time-wait
  // after it.
  const bool attempt = socket.role == model::SocketRole::kConnectFailed;
  if (!policy_.hands_out(socket.local.port) || (is_moment(socket.role) && !attempt)) return;
  const bool udp = socket.protocol == model::Protocol::kUdp && !attempt;
  const bool tcp_client = socket.protocol == model::Protocol::kTcp &&
                          (socket.role == model::SocketRole::kOutgoing || attempt) &&
                          socket.remote.port != 0;
  if (!udp && !tcp_client) return;
  const bool opened_here = socket.opened_us >= window_.from_us &&
                           socket.opened_us <= window_.until_us && !socket.opened_before;
  Life life{.opened_us = opened_here ? socket.opened_us : window_.from_us - 1,
            .closed_us = socket.closed_us.value_or(kNever),
            .port = socket.local.port,
            .rests = !attempt};
  if (opened_here) {
    std::string program;
    if (owner != nullptr) program = owner->exe.empty() ? owner->command : owner->exe;
    Burnt& burnt = burners_[{std::move(program), owner == nullptr ? std::string() : owner->user}];
    ++burnt.ports;
    burnt.short_lived += life.closed_us - life.opened_us <= kShortLifeUs ? 1 : 0;
  }
  if (udp) {
    if (opened_here) udp_.push_back(life);
    return;
  }
  const model::IpAddress local = socket.local.address.unmapped();
  const model::Endpoint remote{socket.remote.address.unmapped(), socket.remote.port};
  const auto [number, is_new] =
      numbers_.try_emplace(model::to_string(local) + " " + model::to_string(remote),
                           static_cast<uint32_t>(destinations_.size()));
  if (is_new) destinations_.push_back({local, remote, {}});
  life.destination = number->second;
  destinations_[life.destination].lives.push_back(life);
}

void EphemeralHistoryMeter::add_gap(model::TimeWindow gap, uint64_t lost, bool nothing) {
  gap.from_us = std::max(gap.from_us, window_.from_us);
  gap.until_us = std::min(gap.until_us, window_.until_us);
  if (gap.from_us > gap.until_us) return;
  events_lost_ += lost;
  if (nothing) dark_.push_back(gap);
}

int64_t EphemeralHistoryMeter::part_us() const {
  return std::max<int64_t>(1, (window_.until_us - window_.from_us) / int64_t{kUseParts});
}

// What closed in the dark is not known to rest, so use is known again a minute after it.
KnownParts EphemeralHistoryMeter::known_parts() const {
  std::vector<model::TimeWindow> dark = dark_;
  dark.push_back({std::numeric_limits<int64_t>::min() / 2, known_from_us_});
  KnownParts out;
  for (size_t i = 0; i < kUseParts; ++i) {
    const int64_t from_us = window_.from_us + static_cast<int64_t>(i) * part_us();
    out[i] = std::ranges::none_of(dark, [&](const model::TimeWindow& gap) {
      return from_us < gap.until_us + kPortRestUs && from_us + part_us() > gap.from_us;
    });
  }
  return out;
}

void EphemeralHistoryMeter::measure_use(std::vector<Life>& lives, DestinationHistory& out) const {
  std::ranges::sort(lives, {}, [](const Life& life) {
    return std::tuple(life.port, life.opened_us, life.closed_us);
  });
  std::vector<Step> steps;
  steps.reserve(lives.size() * 3);
  for (size_t i = 0; i < lives.size(); ++i) {
    // Used again, the port is in use anew: it did not rest on, whatever was seen of its closing.
    const bool again = i + 1 < lives.size() && lives[i + 1].port == lives[i].port;
    const int64_t next_us = again ? lives[i + 1].opened_us : kNever;
    const int64_t closed_us = std::min(lives[i].closed_us, next_us);
    const int64_t rest_us = lives[i].rests ? kPortRestUs : 0;
    const int64_t rested_us = std::min(closed_us + rest_us, next_us);
    const int64_t opened_us = std::max(lives[i].opened_us, window_.from_us);
    if (rested_us < window_.from_us) continue;
    const int32_t open = closed_us < opened_us ? 0 : 1;
    steps.push_back({opened_us, open, 1});
    steps.push_back({closed_us, -open, 0});
    steps.push_back({rested_us, 0, -1});
  }
  // What ends at a moment ends before what begins at it.
  std::ranges::sort(
      steps, {}, [](const Step& step) { return std::pair(step.time_us, step.open + step.used); });
  const auto part_of = [&](int64_t time_us) {
    const int64_t part = (time_us - window_.from_us) / part_us();
    return static_cast<size_t>(std::clamp<int64_t>(part, 0, int64_t{kUseParts} - 1));
  };
  const auto ports_of = [&](int64_t count) {
    return static_cast<uint32_t>(std::clamp<int64_t>(count, 0, size_));
  };
  int64_t open = 0;
  int64_t used = 0;
  size_t part = 0;
  for (const Step& step : steps) {
    if (step.time_us > window_.until_us) break;
    // What was in use when the last part ended is in use in all parts since.
    for (const size_t now = part_of(step.time_us); part < now;) out.use[++part] = ports_of(used);
    open += step.open;
    used += step.used;
    out.use[part] = std::max(out.use[part], ports_of(used));
    out.peak_open = std::max(out.peak_open, ports_of(open));
    if (ports_of(used) > out.peak) {
      out.peak = ports_of(used);
      out.peak_us = step.time_us;
    }
  }
  while (part + 1 < kUseParts) out.use[++part] = ports_of(used);
}

DestinationHistory EphemeralHistoryMeter::measure(Destination& destination) const {
  DestinationHistory out;
  out.local = destination.local;
  out.destination = destination.remote;
  std::vector<Life>& lives = destination.lives;
  std::ranges::sort(lives, {},
                    [](const Life& life) { return std::pair(life.opened_us, life.port); });
  out.steps.chance = chance_to_follow(size_);
  const Life* before = nullptr;
  for (const Life& life : lives) {
    if (!opened_inside(life)) continue;
    ++out.connections;
    if (before != nullptr) {
      ++out.steps.pairs;
      out.steps.close += follows_closely(before->port, life.port, policy_.ephemeral.size()) ? 1 : 0;
    }
    before = &life;
  }
  measure_use(lives, out);
  return out;
}

void EphemeralHistoryMeter::keep_fullest(std::vector<DestinationHistory>& destinations,
                                         size_t most) const {
  std::ranges::sort(destinations, [](const auto& left, const auto& right) {
    if (left.peak != right.peak) return left.peak > right.peak;
    if (left.connections != right.connections) return left.connections > right.connections;
    return to_string(left.destination) < to_string(right.destination);
  });
  if (destinations.size() > most) destinations.resize(most);
  const KnownParts known = known_parts();
  for (DestinationHistory& one : destinations) {
    one.forecast = forecast_use(one.use, known, part_us(), size_ - std::min(size_, one.use.back()));
  }
}

PortGuessing EphemeralHistoryMeter::measure_guessing() const {
  PortGuessing out;
  const uint32_t width = policy_.ephemeral.size();
  out.same_destination.chance = out.other_destination.chance = out.udp.chance =
      chance_to_follow(size_);
  std::vector<Life> lives;
  for (const Destination& destination : destinations_) {
    std::ranges::copy_if(destination.lives, std::back_inserter(lives),
                         [&](const Life& life) { return opened_inside(life); });
  }
  const auto by_time = [](const Life& life) { return std::pair(life.opened_us, life.port); };
  std::ranges::sort(lives, {}, by_time);
  for (size_t i = 0; i < lives.size(); ++i) {
    ++((lives[i].port - policy_.ephemeral.first) % 2 == 0 ? out.even : out.odd);
    if (i == 0 || lives[i].destination == lives[i - 1].destination) continue;
    ++out.other_destination.pairs;
    out.other_destination.close += follows_closely(lives[i - 1].port, lives[i].port, width) ? 1 : 0;
  }
  std::vector<Life> udp = udp_;
  std::ranges::sort(udp, {}, by_time);
  for (size_t i = 1; i < udp.size(); ++i) {
    ++out.udp.pairs;
    out.udp.close += follows_closely(udp[i - 1].port, udp[i].port, width) ? 1 : 0;
  }
  return out;
}

EphemeralHistory EphemeralHistoryMeter::measure(size_t most) {
  EphemeralHistory out;
  out.window = window_;
  out.range = policy_.ephemeral;
  out.size = size_;
  out.udp_ports = static_cast<uint32_t>(udp_.size());
  out.events_lost = events_lost_;
  out.guessing = measure_guessing();
  for (Destination& destination : destinations_) {
    const DestinationHistory one = measure(destination);
    if (one.peak == 0) continue;  // it had rested before the window began
    out.connections += one.connections;
    out.guessing.same_destination.pairs += one.steps.pairs;
    out.guessing.same_destination.close += one.steps.close;
    out.destinations.push_back(one);
  }
  out.destinations_total = out.destinations.size();
  keep_fullest(out.destinations, std::max(most, kFullest));
  for (const auto& [who, burnt] : burners_) {
    out.burners.push_back({who.first, who.second, burnt.ports, burnt.short_lived});
  }
  std::ranges::sort(out.burners, [](const PortBurner& left, const PortBurner& right) {
    return std::tie(right.ports, left.program, left.user) <
           std::tie(left.ports, right.program, right.user);
  });
  int64_t dark_us = 0;
  for (const auto& gap : merged(dark_)) dark_us += gap.until_us - gap.from_us;
  out.not_recorded_s = dark_us / kSecondUs;
  return out;
}

}  // namespace ports
