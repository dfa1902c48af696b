#include "apps/cmd_watch.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "apps/layout.h"
#include "apps/past_page.h"
#include "apps/timeline_access.h"
#include "apps/timeline_json.h"
#include "apps/timeline_table.h"
#include "base/text.h"
#include "base/units.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

constexpr uint64_t kWaitMs = 200;

/// What a row tells: a life that begins or has ended, or a moment.
enum class Happening : unsigned char { kOpened, kClosed, kMoment };

Happening happening_of(const model::RecordedSocket& socket) {
  if (model::is_moment(socket.role)) return Happening::kMoment;
  return socket.closed_us ? Happening::kClosed : Happening::kOpened;
}

std::string_view name_of(Happening happening) {
  switch (happening) {
    case Happening::kOpened:
      return "opened";
    case Happening::kClosed:
      return "closed";
    case Happening::kMoment:
      return "moment";
  }
  return "";
}

int64_t time_of(const ports::TimelineRow& row) {
  return row.socket.closed_us.value_or(row.socket.opened_us);
}

std::string line_of(const ports::TimelineRow& row) {
  const model::RecordedSocket& socket = row.socket;
  const Happening happening = happening_of(socket);
  std::string time = ports::local_time_text(time_of(row), 3);
  // The day and the zone stay away: this is now.
  time = time.substr(11, 12);
  std::string out = time + (happening == Happening::kOpened   ? " + "
                            : happening == Happening::kClosed ? " - "
                                                              : " ! ");
  std::string what = row_kind_in_words(socket);
  what.resize(std::max<size_t>(what.size(), 11), ' ');
  out += what + "  " + model::to_string(socket.local);
  if (socket.remote.port != 0) {
    const bool incoming =
        socket.role == model::SocketRole::kIncoming || socket.role == model::SocketRole::kRefused;
    out += (incoming ? " < " : " > ") + model::to_string(socket.remote);
  }
  out += "  " + base::escape_for_terminal(row_holder_in_words(row));
  if (row.owner) out += " (" + std::to_string(row.owner->pid) + ")";
  if (happening != Happening::kOpened && !model::has_no_length(socket) && !socket.opened_before &&
      !socket.close_unseen) {
    out += ", " + lifetime_in_words(*socket.closed_boot_us - socket.opened_boot_us);
  }
  return out + "\n";
}

class Watch {
 public:
  Watch(RowQuestion question, Context& context)
      : question_(std::move(question)), context_(context), machine_(context.machine()) {}

  int operator()(std::optional<int64_t> run_for_ms);

 private:
  void show(model::WatchBatch& batch);
  void show(const ports::TimelineRow& row);
  void show_gap(const model::RecordedGap& gap);
  void show_skipped(uint64_t skipped);

  RowQuestion question_;
  Context& context_;
  Machine& machine_;
  bool attention_ = false;
};

void Watch::show(const ports::TimelineRow& row) {
  if (!context_.json) {
    context_.out << line_of(row);
    return;
  }
  base::JsonWriter json = context_.begin_json("watch");
  json.field("event", name_of(happening_of(row.socket)));
  json.key("row");
  begin_row(json, row);
  json.end_object();
  Context::end_json(json);
}

void Watch::show_gap(const model::RecordedGap& gap) {
  attention_ = true;
  if (!context_.json) {
    context_.out << wrap_text(gap_in_words(gap), context_.text_width(), "! ", "  ");
    return;
  }
  base::JsonWriter json = context_.begin_json("watch");
  json.field("event", "gap").key("gap");
  write_gap(json, gap);
  Context::end_json(json);
}

void Watch::show_skipped(uint64_t skipped) {
  attention_ = true;
  if (!context_.json) {
    context_.out << "! " << ports::counted(skipped, "row") << " came too fast to be shown.\n";
    return;
  }
  base::JsonWriter json = context_.begin_json("watch");
  json.field("event", "skipped").field("rows", skipped);
  Context::end_json(json);
}

void Watch::show(model::WatchBatch& batch) {
  if (batch.skipped != 0) show_skipped(batch.skipped);
  for (const auto& gap : batch.gaps) show_gap(gap);
  std::ranges::sort(batch.rows, {}, time_of);
  for (const auto& row : batch.rows) {
    if (question_.matches(row)) show(row);
  }
  context_.out.flush();
}

int Watch::operator()(std::optional<int64_t> run_for_ms) {
  static_cast<void>(machine_.wait(0));
  auto link = connect_recorder(context_);
  if (!link) return context_.fail(link.error());
  if (auto watched = (*link)->watch(question_.query); !watched) {
    return context_.fail(watched.error());
  }
  if (!context_.json) {
    context_.err << ((*link)->sees_all() ? "Watching; Ctrl-C ends it.\n"
                                         : "Watching your own sockets; Ctrl-C ends it.\n");
    context_.err.flush();
  }
  const uint64_t begun_ns = machine_.clocks().boot_ns;
  const auto over = [&] {
    return run_for_ms &&
           machine_.clocks().boot_ns - begun_ns >= static_cast<uint64_t>(*run_for_ms) * 1'000'000;
  };
  while (!over() && !machine_.wait(0) && !context_.out.closed()) {
    auto batch = (*link)->next(kWaitMs);
    if (!batch) {
      context_.warn(batch.error().message);
      return kAttention;
    }
    if (*batch) show(**batch);
  }
  return attention_ ? kAttention : kDone;
}

}  // namespace

int run_watch(const WatchOptions& options, Context& context) {
  std::optional<int64_t> run_for_ms;
  if (!options.run_for.empty()) {
    run_for_ms = base::parse_duration_ms(options.run_for);
    if (!run_for_ms) {
      return context.fail({base::ErrorKind::kUsage, "--for does not take \"" +
                                                        base::escape_for_terminal(options.run_for) +
                                                        "\"; write a time such as 10s, 15m or 2h"});
    }
  }
  auto question = read_rows(options.rows, context);
  if (!question) return context.fail(question.error());
  return Watch(std::move(*question), context)(run_for_ms);
}

}  // namespace apps
