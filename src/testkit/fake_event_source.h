// FakeEventSource: an EventSource that plays back what a test puts in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "ports/event_source.h"

namespace testkit {

class FakeEventSource final : public ports::EventSource {
 public:
  base::Result<bool> drain(std::vector<model::Event>& into, size_t limit) override {
    for (; !waiting.empty() && limit > 0; --limit) {
      into.push_back(std::move(waiting.front()));
      waiting.pop_front();
    }
    if (auto failure = std::exchange(error, std::nullopt)) return std::unexpected(*failure);
    return !waiting.empty();
  }
  model::LossCounters losses() override { return lost; }
  [[nodiscard]] model::CollectorReport report() const override { return described; }

  std::deque<model::Event> waiting;
  model::LossCounters lost;
  model::CollectorReport described{
      .kind = model::CollectorKind::kBpf, .why = "", .blind_spots = {}};
  std::optional<base::Error> error;  ///< what drain() fails with, for once, after all events
};

}  // namespace testkit
