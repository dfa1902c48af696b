#include "ports/timeline_walk.h"

#include <algorithm>
#include <utility>
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

base::Result<NewestRows> walk_newest(TimelineReader& timeline, TimelineQuery query, size_t most,
                                     const std::function<void(const TimelineRow&)>& take) {
  const model::TimeWindow window = query.windows.front();
  NewestRows out;
  out.from_us = window.from_us;
  query.limit = kRowsAtOnce;
  size_t taken = 0;
  for (bool first = true;; first = false) {
    auto answer = timeline.find(query);
    if (!answer) return std::unexpected(answer.error());
    std::vector<TimelineRow> rows = std::move(answer->rows);
    const bool more = answer->more;
    if (first) {
      answer->rows.clear();
      answer->more = false;
      out.frame = std::move(*answer);
    }
    // Rows that opened at the last moment given may have been cut: they come with the next answer.
    const int64_t oldest_us = rows.empty() ? window.from_us : rows.back().socket.opened_us;
    const bool one_moment = rows.empty() || rows.front().socket.opened_us <= oldest_us;
    if (more && one_moment && rows.size() >= query.limit) {
      query.limit *= 2;
      continue;
    }
    for (const TimelineRow& row : rows) {
      // Those that were open before come at the end, when it is known since when.
      const bool complete = one_moment || row.socket.opened_us > oldest_us;
      if (!more || (complete && row.socket.opened_us >= window.from_us)) take(row);
    }
    taken += rows.size();
    if (!more) return out;
    // A recorder that is asked gives no more rows at once than it likes.
    const int64_t until_us = one_moment ? oldest_us - 1 : oldest_us;
    if (until_us < window.from_us || taken >= most) {
      out.from_us = std::max(window.from_us, until_us + 1);
      break;
    }
    query.windows = {{window.from_us, until_us}};
  }
  query.windows = {{out.from_us, out.from_us}};
  query.limit = SIZE_MAX;
  auto open = timeline.find(query);
  if (!open) return std::unexpected(open.error());
  for (const TimelineRow& row : open->rows) {
    if (row.socket.opened_us < out.from_us) take(row);
  }
  out.cut_short = out.from_us > window.from_us || open->more;
  return out;
}

}  // namespace ports
