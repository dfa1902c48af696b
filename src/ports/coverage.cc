#include "ports/coverage.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "ports/time_query.h"
#include "ports/timeline_match.h"
#include "ports/words.h"

namespace ports {
namespace {

constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
constexpr int64_t kLast = std::numeric_limits<int64_t>::max();

bool means_nothing_recorded(std::string_view kind) {
  return kind == "not-recording" || kind == "not-written" || kind == "store-damaged";
}

// What `part` has in common with each window.
void add_inside(const std::vector<model::TimeWindow>& windows, const Unrecorded& part,
                std::vector<Unrecorded>& out) {
  for (const auto& window : windows) {
    Unrecorded inside = part;
    inside.window.from_us = std::max(window.from_us, part.window.from_us);
    inside.window.until_us = std::min(window.until_us, part.window.until_us);
    if (inside.window.from_us <= inside.window.until_us) out.push_back(std::move(inside));
  }
}

// Whether the stretches of which nothing is known leave none of the windows.
bool covers_all(const std::vector<model::TimeWindow>& windows,
                const std::vector<Unrecorded>& unrecorded) {
  std::vector<model::TimeWindow> dark;
  for (const auto& part : unrecorded) {
    if (part.nothing) dark.push_back(part.window);
  }
  dark = merged(std::move(dark));
  return std::ranges::all_of(windows, [&](const model::TimeWindow& window) {
    return std::ranges::any_of(dark, [&](const model::TimeWindow& part) {
      return part.from_us <= window.from_us && part.until_us >= window.until_us;
    });
  });
}

std::string why(const Unrecorded& part) {
  const std::string lost =
      part.lost == 0 ? "an unknown number of events" : counted(part.lost, "event");
  if (part.reason == "no-timeline") return "nothing was ever recorded on this machine";
  if (part.reason == "before-recording") {
    return "it is before the time to which the timeline reaches back";
  }
  if (part.reason == "not-written-yet") return "nothing was written after that";
  if (part.reason == "future") return "that time has not come yet";
  if (part.reason == "not-recording") return "no recorder was running";
  if (part.reason == "not-written") return "the recorder could not write (was the disk full?)";
  if (part.reason == "store-damaged") return "the timeline was damaged and begun afresh";
  if (part.reason == "ring-full") return lost + " were lost because the ring was full";
  if (part.reason == "recursion") return lost + " were skipped by the kernel";
  if (part.reason == "storage-full") return lost + " had no room in the kernel";
  if (part.reason == "clock-set") return "the clock was set, so times there are not certain";
  if (part.reason == "no-bpf") {
    return "the recorder worked without BPF, so what lived only for a moment was not seen";
  }
  return part.reason;
}

}  // namespace

std::string_view covered_name(Covered covered) {
  switch (covered) {
    case Covered::kAll:
      return "all";
    case Covered::kPart:
      return "part";
    case Covered::kNone:
      return "none";
  }
  return "";
}

Coverage find_coverage(const std::vector<model::TimeWindow>& windows, const TimelineAnswer& answer,
                       int64_t now_us) {
  auto asked = merged(windows);
  for (auto& window : asked) {
    // A second either side is asked about; of "now" one has not come yet, and nobody minds.
    if (window.from_us <= now_us) window.until_us = std::min(window.until_us, now_us);
  }
  Coverage out;
  const auto add = [&](int64_t from_us, int64_t until_us, std::string reason, uint64_t lost) {
    Unrecorded part{{from_us, until_us}, std::move(reason), lost};
    part.since_us = from_us;
    part.nothing = part.reason == "before-recording" || part.reason == "not-written-yet" ||
                   part.reason == "future" || means_nothing_recorded(part.reason);
    add_inside(asked, part, out.unrecorded);
  };
  add(kFirst, answer.oldest_us - 1, "before-recording", 0);
  for (const auto& gap : answer.gaps) {
    // What is before the reach is said once.
    add(std::max(gap.from_us, answer.oldest_us), gap.until_us, gap.kind, gap.lost);
  }
  const int64_t written_us = std::min(answer.recorded_until_us, now_us);
  add(written_us + 1, now_us, "not-written-yet", 0);
  add(now_us + 1, kLast, "future", 0);
  std::ranges::sort(out.unrecorded, {}, [](const Unrecorded& part) {
    return std::tuple(part.window.from_us, part.window.until_us, part.reason);
  });
  if (!out.unrecorded.empty()) {
    out.covered = covers_all(asked, out.unrecorded) ? Covered::kNone : Covered::kPart;
  }
  return out;
}

Coverage no_coverage(const std::vector<model::TimeWindow>& windows) {
  Coverage out;
  out.covered = Covered::kNone;
  for (const auto& window : merged(windows)) out.unrecorded.push_back({window, "no-timeline"});
  return out;
}

std::string unrecorded_in_words(const Unrecorded& part) {
  std::string out = between_in_words(part.window, 3) + ": " + why(part) + ".";
  out.front() = 'B';
  return out;
}

}  // namespace ports
