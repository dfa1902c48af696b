#include "apps/ephemeral_past.h"

#include <algorithm>
#include <map>
#include <utility>

#include "apps/timeline_access.h"
#include "ports/coverage.h"
#include "ports/time_query.h"
#include "ports/timeline_walk.h"

namespace apps {
namespace {

constexpr int64_t kUsualUs = int64_t{3600} * 1'000'000;
// A second or so.
constexpr size_t kRowsAtMost = 250'000;

base::Result<int64_t> since_of(const std::string& text, int64_t now_us) {
  if (text.empty()) return now_us - kUsualUs;
  const auto windows = ports::parse_time(text, now_us);
  if (!windows) return std::unexpected(windows.error());
  const int64_t since_us = windows->front().from_us;
  if (since_us >= now_us) {
    return base::fail(
        base::ErrorKind::kUsage,
        "--since " + text + " has not come yet; give a time that is over, such as -1h");
  }
  return since_us;
}

bool range_changed(const ports::TimelineAnswer& frame) {
  return std::ranges::any_of(frame.policies, [&](const model::RecordedPolicy& one) {
    return !(one.policy.ephemeral == frame.policies.front().policy.ephemeral);
  });
}

// The rows come before it is known how far back they reach, so they are kept; the meter needs
// little of each.
struct Kept {
  model::RecordedSocket socket;
  size_t owner = 0;  // one more than its place in `owners`, 0 = nobody
};

struct Rows {
  std::vector<Kept> rows;
  std::vector<model::RecordedProcess> owners;
  std::map<int64_t, size_t> places;

  void keep(const ports::TimelineRow& row) {
    Kept kept{row.socket, 0};
    if (row.owner) {
      size_t& place = places[row.owner->id];
      if (place == 0) {
        owners.push_back(*row.owner);
        place = owners.size();
      }
      kept.owner = place;
    }
    rows.push_back(std::move(kept));
  }
};

base::Result<EphemeralPast> measure(ports::TimelineReader& timeline, int64_t since_us,
                                    int64_t now_us, const ports::EphemeralUse& own, size_t top) {
  EphemeralPast out;
  Rows rows;
  // What closed just before still rests.
  ports::TimelineQuery query;
  query.windows = {{since_us - ports::kPortRestUs, now_us}};
  query.local_port = own.policy.ephemeral;
  const auto walked = ports::walk_newest(timeline, query, kRowsAtMost, [&](const auto& row) {
    if (row.socket.netns == own.netns && own.policy.hands_out(row.socket.local.port)) {
      rows.keep(row);
    }
  });
  if (!walked) return std::unexpected(walked.error());
  const ports::TimelineAnswer& frame = walked->frame;
  if (frame.oldest_us == 0) {
    out.why_none =
        "Nothing was ever recorded, so nothing is known of the past; see `twinport "
        "record`.";
    return out;
  }
  const model::TimeWindow window{std::max({since_us, frame.oldest_us, walked->from_us}),
                                 std::min(now_us, frame.recorded_until_us)};
  if (window.from_us >= window.until_us) {
    out.why_none = "Nothing was recorded since " + ports::local_time_text(since_us, 0) +
                   "; see `twinport status`.";
    return out;
  }
  out.cut_short = walked->cut_short && walked->from_us > since_us;
  out.range_changed = range_changed(frame);
  ports::EphemeralHistoryMeter meter(window, std::max(frame.oldest_us, walked->from_us),
                                     own.policy);
  for (const Kept& kept : rows.rows) {
    meter.add(kept.socket, kept.owner == 0 ? nullptr : &rows.owners[kept.owner - 1]);
  }
  for (const auto& part : ports::find_coverage({window}, frame, now_us).unrecorded) {
    meter.add_gap(part.window, part.lost, part.nothing);
  }
  out.history = meter.measure(top);
  return out;
}

}  // namespace

base::Result<EphemeralPast> read_ephemeral_past(const std::string& since,
                                                const ports::EphemeralUse& own, size_t top,
                                                Context& context) {
  const int64_t now_us = context.machine().clocks().wall_us;
  const auto since_us = since_of(since, now_us);
  if (!since_us) return std::unexpected(since_us.error());
  auto timeline = open_timeline(context);
  base::Result<EphemeralPast> past = std::unexpected(base::Error{});
  if (timeline) {
    past = measure(*timeline->reader, *since_us, now_us, own, top);
    if (past) past->sees_all = timeline->sees_all;
  } else {
    past = std::unexpected(timeline.error());
  }
  if (past) return past;
  const bool none = past.error().kind == base::ErrorKind::kNotFound;
  if (!since.empty() && !none) return past;
  // What is in use now can be told without it.
  EphemeralPast out;
  out.why_none = none ? "Nothing was ever recorded, so nothing is known of the past; see `twinport "
                        "record`."
                      : "The timeline could not be read: " + past.error().message;
  return out;
}

}  // namespace apps
