#include "apps/cmd_status.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/inventory_json.h"
#include "apps/page.h"
#include "apps/timeline_access.h"
#include "apps/timeline_json.h"
#include "apps/timeline_table.h"
#include "base/units.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

// The newest gaps are told one by one; JSON has them all.
constexpr size_t kGapsShown = 6;

struct Status {
  std::optional<model::RecorderStatus> recorder;  ///< nothing: none answers
  std::string no_recorder;                        ///< why
  std::optional<ports::TimelineStatus> timeline;
  std::vector<model::RecordedGap> gaps;  ///< oldest first
  std::string no_timeline;               ///< why
  std::string place;                     ///< of the timeline

  [[nodiscard]] bool needs_attention() const {
    if (!recorder || !timeline) return true;
    const auto& totals = recorder->totals;
    return totals.lost.total() + totals.rows_dropped + recorder->unwritten_rows != 0 ||
           !recorder->collector.complete;
  }
};

Status read_status(Context& context) {
  Status out;
  auto link = connect_recorder(context);
  if (link) {
    if (auto recorder = (*link)->recorder()) {
      out.recorder = std::move(*recorder);
    } else {
      out.no_recorder = recorder.error().message;
    }
  } else {
    out.no_recorder = link.error().message;
  }
  auto timeline = open_timeline(context);
  if (!timeline) {
    out.no_timeline = timeline.error().message;
    return out;
  }
  auto status = timeline->reader->status();
  // Without a time asked about, every gap comes along.
  ports::TimelineQuery query;
  query.limit = 1;
  auto answer = timeline->reader->find(query);
  if (!status || !answer) {
    out.no_timeline = status ? answer.error().message : status.error().message;
    return out;
  }
  out.timeline = *status;
  out.place = timeline->place;
  out.gaps = std::move(answer->gaps);
  return out;
}

std::string recorder_in_words(const model::RecorderStatus& recorder, int64_t now_us) {
  return "A recorder is at work (pid " + std::to_string(recorder.pid) + ") since " +
         ports::local_time_text(recorder.begun_us, 0) + ", " +
         ports::duration_in_words((now_us - recorder.begun_us) / 1'000'000) + ".";
}

std::vector<std::string> losses_in_words(const model::RecordingTotals& totals) {
  std::vector<std::string> out;
  const auto add = [&](uint64_t count, const char* noun, const char* why) {
    if (count != 0) out.push_back(ports::counted(count, noun) + " " + why);
  };
  add(totals.lost.ring_full, "event", "because the ring was full (record with a larger --ring)");
  add(totals.lost.recursion_misses, "event", "that the kernel skipped");
  add(totals.lost.storage_full, "event", "for want of kernel memory");
  add(totals.rows_dropped, "row", "that could not be written (was the disk full?)");
  return out;
}

PageSection recorder_section(const model::RecorderStatus& recorder) {
  PageSection section{.title = "This recorder", .items = {}};
  const auto& totals = recorder.totals;
  section.point(ports::counted(totals.events, "event") + " taken, " +
                ports::counted(totals.sockets, "socket") + " ended, " +
                ports::grouped(recorder.sockets_open) + " open, " +
                ports::counted(totals.looks, "inventory", "inventories") + ".");
  const auto losses = losses_in_words(totals);
  if (losses.empty()) {
    section.point("Nothing was lost.");
  } else {
    section.point("Lost: " + ports::listed(losses) + ".", Tone::kWarning);
  }
  if (recorder.unwritten_rows != 0) {
    section.point(ports::counted(recorder.unwritten_rows, "row") +
                      " wait in memory, since the timeline cannot be written.",
                  Tone::kWarning);
  }
  if (!recorder.trouble.empty()) {
    section.point("Its last trouble: " + recorder.trouble, Tone::kWarning);
  }
  return section;
}

PageSection timeline_section(const ports::TimelineStatus& timeline, const std::string& place) {
  PageSection section{.title = "The timeline", .items = {}};
  section.point(
      "Reaches from " + ports::local_time_text(timeline.oldest_us, 0) + " to " +
      ports::local_time_text(timeline.recorded_until_us, 0) + ", " +
      ports::duration_in_words((timeline.recorded_until_us - timeline.oldest_us) / 1'000'000) +
      ".");
  section.point(ports::counted(timeline.sockets, "socket") + ", " +
                ports::grouped(timeline.open_sockets) + " of them open when last heard of, of " +
                ports::counted(timeline.processes, "process", "processes") + "; " +
                base::size_in_words(timeline.size_bytes) + " in " + place + ".");
  return section;
}

PageSection gaps_section(const Status& status) {
  PageSection section{.title = "Not recorded", .items = {}};
  const auto& gaps = status.gaps;
  for (size_t i = 0; i < std::min(kGapsShown, gaps.size()); ++i) {
    section.point(gap_in_words(gaps[gaps.size() - 1 - i]));
  }
  if (gaps.size() > kGapsShown) {
    section.point("And " + ports::counted(gaps.size() - kGapsShown, "earlier gap") +
                  "; --json lists all.");
  }
  return section;
}

void print_page(const Status& status, Context& context) {
  Page page;
  page.lead.push_back({PageItemKind::kParagraph, "",
                       status.recorder
                           ? recorder_in_words(*status.recorder, context.machine().clocks().wall_us)
                           : "No recorder is at work.",
                       status.recorder ? Tone::kStrong : Tone::kWarning});
  if (!status.recorder) {
    page.lead.push_back(
        {PageItemKind::kParagraph, "", "Because: " + status.no_recorder + ".", Tone::kPlain});
  } else {
    page.sections.push_back(recorder_section(*status.recorder));
  }
  if (status.timeline) {
    page.sections.push_back(timeline_section(*status.timeline, status.place));
    page.sections.push_back(gaps_section(status));
  } else {
    PageSection section{.title = "The timeline", .items = {}};
    section.point("Cannot be read: " + status.no_timeline);
    page.sections.push_back(std::move(section));
  }
  if (status.recorder) {
    PageSection section{.title = "Not seen", .items = {}};
    for (const auto& spot : status.recorder->collector.blind_spots) section.point(spot);
    page.sections.push_back(std::move(section));
  }
  context.out << page_as_text(page, context.style, context.text_width());
}

void write_recorder(base::JsonWriter& json, const model::RecorderStatus& recorder) {
  json.begin_object().field("pid", recorder.pid);
  json.field("begun", ports::rfc3339(recorder.begun_us));
  write_collector(json, recorder.collector);
  write_totals(json, recorder.totals);
  json.field("sockets_open", recorder.sockets_open);
  json.field("unwritten_rows", recorder.unwritten_rows);
  write_text(json, "trouble", recorder.trouble);
  json.end_object();
}

void print_json(const Status& status, Context& context) {
  base::JsonWriter json = context.begin_json("status");
  json.field("needs_attention", status.needs_attention());
  json.field("running", status.recorder.has_value()).newline();
  json.key("recorder");
  if (status.recorder) {
    write_recorder(json, *status.recorder);
  } else {
    json.null();
  }
  write_text(json, "no_recorder", status.no_recorder);
  json.newline().key("timeline");
  if (status.timeline) {
    const auto& timeline = *status.timeline;
    json.begin_object();
    json.field("reaches_back_to", ports::rfc3339(timeline.oldest_us));
    json.field("recorded_until", ports::rfc3339(timeline.recorded_until_us));
    json.field("sockets", timeline.sockets).field("open_sockets", timeline.open_sockets);
    json.field("processes", timeline.processes).field("size_bytes", timeline.size_bytes);
    json.field("events_lost", timeline.events_lost).end_object();
  } else {
    json.null();
  }
  write_text(json, "no_timeline", status.no_timeline);
  json.key("gaps").begin_array();
  for (const auto& gap : status.gaps) write_gap(json, gap);
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_status(Context& context) {
  const Status status = read_status(context);
  if (context.json) {
    print_json(status, context);
  } else {
    print_page(status, context);
  }
  return status.needs_attention() ? kAttention : kDone;
}

}  // namespace apps
