#include "ports/timeline_walk.h"

#include <vector>

namespace ports {
namespace {

// Rows of one question: a few dozen megabytes.
constexpr size_t kRowsAtOnce = 50'000;
// Stretches asked for are halved until the rows fit; below this the rows of one moment are taken
// however many they are.
constexpr int64_t kShortestUs = 1000;

}  // namespace

base::Result<TimelineAnswer> walk_timeline(TimelineReader& timeline, model::TimeWindow window,
                                           const std::function<void(const TimelineRow&)>& take) {
  TimelineQuery query;
  query.windows = {window};
  query.limit = 1;
  auto frame = timeline.find(query);
  if (!frame) return frame;

  std::vector<model::TimeWindow> waiting{window};  // last first
  while (!waiting.empty()) {
    const model::TimeWindow part = waiting.back();
    waiting.pop_back();
    const bool shortest = part.until_us - part.from_us <= kShortestUs;
    query.windows = {part};
    query.limit = shortest ? SIZE_MAX : kRowsAtOnce;
    const auto answer = timeline.find(query);
    if (!answer) return answer;
    if (answer->more) {
      const int64_t middle = part.from_us + (part.until_us - part.from_us) / 2;
      waiting.push_back({middle + 1, part.until_us});
      waiting.push_back({part.from_us, middle});
      continue;
    }
    for (const TimelineRow& row : answer->rows) {
      // Alive in several parts, it belongs to the one in which it opened.
      const bool begins_here = row.socket.opened_us >= part.from_us;
      if (begins_here || part.from_us == window.from_us) take(row);
    }
  }
  frame->rows.clear();
  frame->more = false;
  return frame;
}

}  // namespace ports
