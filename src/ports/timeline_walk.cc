#include "ports/timeline_walk.h"

#include <vector>

namespace ports {
namespace {

// Rows of one question at first: a few dozen megabytes.
constexpr size_t kRowsAtOnce = 50'000;
// Stretches asked for are halved until the rows fit; below this the rows of one moment are taken
// however many they are.
constexpr int64_t kShortestUs = 1000;

/// Whether so many rows are alive at the first moment of the stretch already.
base::Result<bool> is_crowded(TimelineReader& timeline, model::TimeWindow part, size_t rows) {
  TimelineQuery query;
  query.windows = {{part.from_us, part.from_us}};
  query.limit = rows;
  const auto answer = timeline.find(query);
  if (!answer) return std::unexpected(answer.error());
  return answer->more;
}

}  // namespace

base::Result<TimelineAnswer> walk_timeline(TimelineReader& timeline, model::TimeWindow window,
                                           const std::function<void(const TimelineRow&)>& take) {
  TimelineQuery query;
  query.windows = {window};
  query.limit = 1;
  auto frame = timeline.find(query);
  if (!frame) return frame;

  size_t rows_at_once = kRowsAtOnce;
  std::vector<model::TimeWindow> waiting{window};  // last first
  while (!waiting.empty()) {
    const model::TimeWindow part = waiting.back();
    waiting.pop_back();
    const bool shortest = part.until_us - part.from_us <= kShortestUs;
    query.windows = {part};
    query.limit = shortest ? SIZE_MAX : rows_at_once;
    const auto answer = timeline.find(query);
    if (!answer) return answer;
    if (answer->more) {
      // Sockets that live long are in every stretch, so halving it does not make them fewer.
      const auto crowded = is_crowded(timeline, part, rows_at_once / 2);
      if (!crowded) return std::unexpected(crowded.error());
      if (*crowded) {
        rows_at_once *= 2;
        waiting.push_back(part);
        continue;
      }
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
