#include "apps/cmd_timeline.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "apps/layout.h"
#include "apps/timeline_access.h"
#include "apps/timeline_json.h"
#include "apps/timeline_table.h"
#include "ports/coverage.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

// Rows that are looked at for a filter that the store cannot apply itself; then we stop and say so.
constexpr size_t kLookedAtMost = 200'000;
constexpr size_t kFirstLook = 4'000;

struct Question {
  RowQuestion rows;
  bool timed = false;  ///< --since or --until was given
};

struct Answer {
  std::vector<ports::TimelineRow> rows;
  bool more = false;       ///< there are more that match
  bool cut_short = false;  ///< not all rows were looked at: there may be more that match
  std::vector<model::RecordedGap> gaps;
  ports::Coverage coverage;  ///< of the time asked about, where one was given
  int64_t oldest_us = 0;     ///< 0 = there is no timeline
  int64_t recorded_until_us = 0;
  size_t looked_at = 0;
  bool sees_all = true;  ///< else only the own sockets of the one who asks

  [[nodiscard]] bool needs_attention() const {
    return coverage.covered != ports::Covered::kAll || cut_short || !sees_all || oldest_us == 0;
  }
};

base::Error wrong(const std::string& message) {
  return {base::ErrorKind::kUsage, message + "\nSee `twinport timeline --help`."};
}

base::Result<void> read_times(const TimelineOptions& options, int64_t now_us, Question& out) {
  out.timed = !options.since.empty() || !options.until.empty();
  if (!out.timed) return {};
  model::TimeWindow window{std::numeric_limits<int64_t>::min(),
                           std::numeric_limits<int64_t>::max()};
  // Of an hour that the clock showed twice, all of both is meant.
  if (!options.since.empty()) {
    const auto since = ports::parse_time(options.since, now_us);
    if (!since) return std::unexpected(since.error());
    window.from_us = since->front().from_us;
  }
  if (!options.until.empty()) {
    const auto until = ports::parse_time(options.until, now_us);
    if (!until) return std::unexpected(until.error());
    window.until_us = until->back().until_us;
  }
  if (window.from_us > window.until_us) {
    return std::unexpected(wrong("--until lies before --since"));
  }
  out.rows.query.windows = {window};
  return {};
}

base::Result<Question> read_question(const TimelineOptions& options, Context& context) {
  Question out;
  auto rows = read_rows(options.rows, context);
  if (!rows) return std::unexpected(rows.error());
  out.rows = std::move(*rows);
  auto times = read_times(options, context.machine().clocks().wall_us, out);
  if (!times) return std::unexpected(times.error());
  return out;
}

// The store applies what it can; of the rest we look at more and more rows until there are enough.
base::Result<Answer> find(Question& question, size_t limit, ports::TimelineReader& timeline,
                          int64_t now_us) {
  Answer out;
  size_t ask = question.rows.leaves_open() ? std::max(kFirstLook, limit + 1) : limit + 1;
  for (;; ask = std::min(ask * 8, kLookedAtMost)) {
    question.rows.query.limit = ask;
    auto found = timeline.find(question.rows.query);
    if (!found) return std::unexpected(found.error());
    out.looked_at = found->rows.size();
    std::erase_if(found->rows, [&](const auto& row) { return !question.rows.matches(row); });
    const bool enough = found->rows.size() > limit;
    // A recorder that is asked gives fewer rows than it was asked for.
    if (!enough && found->more && ask < kLookedAtMost && out.looked_at == ask) continue;
    out.cut_short = !enough && found->more;
    out.more = enough || found->more;
    if (enough) found->rows.resize(limit);
    out.rows = std::move(found->rows);
    out.oldest_us = found->oldest_us;
    out.recorded_until_us = found->recorded_until_us;
    if (question.timed) {
      auto windows = question.rows.query.windows;
      // Who sets no end asks for what there is.
      if (windows[0].until_us == std::numeric_limits<int64_t>::max()) {
        windows[0].until_us = std::max(windows[0].from_us, out.recorded_until_us);
      }
      if (windows[0].from_us == std::numeric_limits<int64_t>::min()) {
        windows[0].from_us = std::min(windows[0].until_us, out.oldest_us);
      }
      out.coverage = ports::find_coverage(windows, *found, now_us);
    }
    out.gaps = std::move(found->gaps);
    return out;
  }
}

void print_gap(const model::RecordedGap& gap, Context& context) {
  context.out << wrap_text(gap_in_words(gap), context.text_width(), "      ", "      ");
}

// Gaps stand where they belong: under the first row that was opened after them. A script gets rows
// alone.
void print_rows(const Answer& answer, bool no_header, Context& context) {
  const int64_t now_us = context.machine().clocks().wall_us;
  Table table = timeline_table();
  size_t gap = no_header ? 0 : answer.gaps.size();  // those behind it are told, newest first
  const auto newer_than = [&](int64_t opened_us) {
    return gap > 0 && answer.gaps[gap - 1].from_us >= opened_us;
  };
  while (answer.rows.empty() ? gap > 0 : newer_than(answer.rows.front().socket.opened_us)) {
    print_gap(answer.gaps[--gap], context);
  }
  const std::string day = context.width == 0 ? "" : local_day(now_us);
  for (size_t i = 0; i < answer.rows.size(); ++i) {
    add_row(table, answer.rows[i], day);
    const bool last = i + 1 == answer.rows.size();
    if (last && answer.more) break;  // what comes next is not known
    while (last ? gap > 0 : newer_than(answer.rows[i + 1].socket.opened_us)) {
      table.note(gap_in_words(answer.gaps[--gap]));
    }
  }
  if (!answer.rows.empty()) table.print(context.out, context.style, context.width, !no_header);
}

std::string ending(const Answer& answer) {
  std::string out;
  if (answer.rows.empty()) out = "No socket that was recorded matches. ";
  if (!answer.sees_all) out += "Only your own sockets are shown; root sees all. ";
  if (answer.cut_short) {
    out += "The newest " + ports::grouped(answer.looked_at) +
           " rows were looked at; for older ones give --until. ";
  } else if (answer.more) {
    out += "These are the newest " + ports::grouped(answer.rows.size()) +
           "; --limit shows more, --until older ones. ";
  }
  if (answer.oldest_us == 0) return out + "Nothing was ever recorded; see `twinport record`.";
  return out + "The timeline reaches from " + ports::local_time_text(answer.oldest_us, 0) + " to " +
         ports::local_time_text(answer.recorded_until_us, 0) + ".";
}

void print_json(const Question& question, const Answer& answer, const TimelineOptions& options,
                Context& context) {
  base::JsonWriter json = context.begin_json("timeline");
  json.field("filter", options.rows.filter).field("needs_attention", answer.needs_attention());
  const bool known = answer.oldest_us != 0;
  json.key("reaches_back_to");
  known ? json.string(ports::rfc3339(answer.oldest_us)) : json.null();
  json.key("recorded_until");
  known ? json.string(ports::rfc3339(answer.recorded_until_us)) : json.null();
  json.key("recorded");
  question.timed ? json.string(ports::covered_name(answer.coverage.covered)) : json.null();
  json.field("sees_all", answer.sees_all);
  json.field("more", answer.more).field("cut_short", answer.cut_short).newline();
  json.key("gaps").begin_array();
  for (const auto& gap : answer.gaps) write_gap(json, gap);
  json.end_array().newline();
  json.key("rows").begin_array();
  for (const auto& row : answer.rows) {
    json.newline();
    begin_row(json, row);
    json.end_object();
  }
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_timeline(const TimelineOptions& options, Context& context) {
  if (options.limit == 0 || options.limit > kLookedAtMost) {
    return context.fail(wrong("--limit takes a number from 1 to " + ports::grouped(kLookedAtMost)));
  }
  auto question = read_question(options, context);
  if (!question) return context.fail(question.error());
  base::Result<Answer> answer;
  auto timeline = open_timeline(context);
  if (timeline) {
    answer = find(*question, options.limit, *timeline->reader, context.machine().clocks().wall_us);
    if (answer) answer->sees_all = timeline->sees_all;
  } else if (timeline.error().kind != base::ErrorKind::kNotFound) {
    answer = std::unexpected(timeline.error());
  }
  if (!answer) return context.fail(answer.error());
  if (context.json) {
    print_json(*question, *answer, options, context);
  } else {
    print_rows(*answer, options.no_header, context);
    context.out.flush();
    // Like every word about a table, so that the rows alone go down a pipe.
    context.err << wrap_text(ending(*answer), context.text_width());
    for (const auto& part : answer->coverage.unrecorded) {
      context.err << wrap_text(ports::unrecorded_in_words(part), context.text_width(), "  - ",
                               "    ");
    }
  }
  return answer->needs_attention() ? kAttention : kDone;
}

}  // namespace apps
