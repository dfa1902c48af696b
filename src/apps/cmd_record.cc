#include "apps/cmd_record.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "apps/alert_desk.h"
#include "apps/inventory_json.h"
#include "apps/layout.h"
#include "apps/timeline_json.h"
#include "base/text.h"
#include "base/units.h"
#include "ports/recorder_link.h"
#include "ports/recording.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

// To wake up is most of what a quiet machine costs, and on a busy one it takes a processor from who
// makes the traffic. A ring of kLargeRing holds a storm of kLongRoundMs; while more than a quarter
// of the ring is full after that, rounds are short enough that it holds what comes meanwhile.
constexpr uint64_t kRoundMs = 10;
constexpr uint64_t kLongRoundMs = 40;
constexpr uint64_t kLargeRing = uint64_t{4} << 20U;
constexpr uint64_t kEventBytes = 128;  // of most events, with the ring's own eight
// How long those who watch wait for what has happened.
constexpr uint64_t kWatchedFlushMs = 500;
constexpr uint64_t kHalfBlindLookMs = 1'000;
constexpr int64_t kShortestLookMs = 100;
// A trouble that goes on is told again after this long.
constexpr uint64_t kRepeatNs = uint64_t{60} * 1'000'000'000;
constexpr uint64_t kSmallestRing = uint64_t{64} << 10U;
constexpr uint64_t kLargestRing = uint64_t{1} << 30U;

struct Settings {
  ports::RecordingOptions recording;
  std::optional<int64_t> run_for_ms;
  uint32_t ring_bytes = 0;
  bool no_alerts = false;
  std::optional<model::CollectorKind> collector;
};

base::Error wrong(const std::string& option, const std::string& text, const std::string& expected) {
  return {base::ErrorKind::kUsage, option + " does not take \"" + base::escape_for_terminal(text) +
                                       "\"; write " + expected + "\nSee `twinport record --help`."};
}

base::Result<Settings> read_settings(const RecordOptions& options) {
  Settings out;
  out.collector = options.collector;
  if (!options.run_for.empty()) {
    out.run_for_ms = base::parse_duration_ms(options.run_for);
    if (!out.run_for_ms) {
      return std::unexpected(wrong("--for", options.run_for, "a time such as 10s, 15m or 2h"));
    }
  }
  const auto keep_ms = base::parse_duration_ms(options.keep);
  if (!keep_ms || *keep_ms < 1000) {
    return std::unexpected(wrong("--keep", options.keep, "a time such as 12h, 30d or 8w"));
  }
  out.recording.retention.age_s = *keep_ms / 1000;
  const auto size = base::parse_size_bytes(options.max_size);
  if (!size || *size == 0) {
    return std::unexpected(wrong("--max-size", options.max_size, "a size such as 512MiB or 4GiB"));
  }
  out.recording.retention.size_bytes = *size;
  const auto ring = base::parse_size_bytes(options.ring);
  if (!ring || *ring < kSmallestRing || *ring > kLargestRing) {
    return std::unexpected(wrong("--ring", options.ring, "a size from 64KiB to 1GiB, e.g. 8MiB"));
  }
  out.ring_bytes = static_cast<uint32_t>(std::bit_ceil(*ring));
  const auto look_ms = base::parse_duration_ms(options.look_every);
  if (!look_ms || *look_ms < kShortestLookMs) {
    return std::unexpected(wrong("--look", options.look_every, "a time such as 1s, 1m or 10m"));
  }
  out.recording.look_ms = static_cast<uint64_t>(*look_ms);
  out.no_alerts = options.no_alerts;
  return out;
}

/// One run of the command.
class Run {
 public:
  Run(Settings settings, Context& context)
      : settings_(settings), context_(context), machine_(context.machine()) {}

  int operator()();

 private:
  base::Result<void> begin();
  void listen();
  void publish(const ports::TimelineBatch& batch, const ports::Recorder& recorder);
  [[nodiscard]] uint64_t round_ms() const;
  void rounds();
  [[nodiscard]] model::RecorderStatus status() const;
  void tell(const base::Error& trouble);
  void print_start();
  void print_end();
  void print_json();
  [[nodiscard]] bool needs_attention() const;
  [[nodiscard]] std::string lost_in_words() const;

  Settings settings_;
  Context& context_;
  Machine& machine_;
  std::vector<std::string> notices_;
  std::unique_ptr<ports::TimelineWriter> store_;
  std::unique_ptr<ports::EventSource> events_;
  std::unique_ptr<ports::SocketSource> sockets_;
  std::optional<ports::Recording> recording_;
  std::unique_ptr<ports::RecorderAudience> audience_;  // none: nobody can ask
  std::optional<AlertDesk> desk_;
  ports::ClockReading begun_;
  ports::ClockReading ended_;
  std::string trouble_;  // of the last round that had any
  std::string told_;
  uint64_t told_ns_ = 0;
};

// The lock on the store comes first: a second recorder must not load anything into the kernel.
base::Result<void> Run::begin() {
  auto store = machine_.open_timeline_writer(context_.state_directory, notices_);
  if (!store) return std::unexpected(store.error());
  store_ = std::move(*store);
  for (const std::string& notice : notices_) context_.warn(notice);
  auto events = machine_.make_event_source(settings_.collector, settings_.ring_bytes);
  if (!events) return std::unexpected(events.error());
  events_ = std::move(*events);
  const bool without_bpf = events_->report().kind != model::CollectorKind::kBpf;
  // Looks need cookies, which /proc does not have.
  const bool chosen = settings_.collector && *settings_.collector != model::CollectorKind::kBpf;
  auto sockets = machine_.make_socket_source(
      chosen ? std::optional(model::CollectorKind::kSockDiag) : std::nullopt, {});
  if (!sockets) return std::unexpected(sockets.error());
  sockets_ = std::move(*sockets);
  // Where openings are not told of, looking is all there is.
  if (without_bpf) {
    settings_.recording.look_ms = std::min(settings_.recording.look_ms, kHalfBlindLookMs);
  }
  auto boot_id = machine_.boot_id();
  if (!boot_id) return std::unexpected(boot_id.error());
  begun_ = ended_ = machine_.clocks();
  recording_.emplace(ports::RecordingParts{.events = *events_,
                                           .sockets = *sockets_,
                                           .processes = machine_.processes(),
                                           .store = *store_,
                                           .clock = [this] { return machine_.clocks(); },
                                           .policy = [this] { return machine_.port_policy(); },
                                           .boot_id = *boot_id},
                     settings_.recording);
  recording_->on_batch([this](const ports::TimelineBatch& batch, const ports::Recorder& recorder) {
    publish(batch, recorder);
  });
  if (!settings_.no_alerts) {
    desk_.emplace(context_);
    recording_->on_look([this](model::Inventory inventory) { desk_->look(std::move(inventory)); });
  }
  return recording_->begin();
}

// Others can do without; recording cannot depend on them.
void Run::listen() {
  auto audience =
      machine_.start_recorder_server(context_.recorder_socket, context_.state_directory);
  if (!audience) {
    context_.warn(audience.error().message + "; `watch` and other users cannot ask this recorder");
    return;
  }
  audience_ = std::move(*audience);
  audience_->tell(status());
}

void Run::publish(const ports::TimelineBatch& batch, const ports::Recorder& recorder) {
  if (desk_) desk_->take(batch, recorder);
  if (!audience_) return;
  audience_->tell(status());
  if (audience_->is_watched()) audience_->publish(ports::watch_batch(batch, recorder));
}

model::RecorderStatus Run::status() const {
  model::RecorderStatus out;
  out.pid = machine_.own_pid();
  out.begun_us = begun_.wall_us;
  out.collector = events_->report();
  out.totals = recording_->totals();
  out.sockets_open = recording_->open_sockets();
  out.unwritten_rows = recording_->unwritten_rows();
  out.trouble = trouble_;
  return out;
}

uint64_t Run::round_ms() const {
  const bool has_room = settings_.ring_bytes >= kLargeRing &&
                        recording_->drained_events() * kEventBytes < settings_.ring_bytes / 4;
  return has_room ? kLongRoundMs : kRoundMs;
}

void Run::rounds() {
  const auto over = [&](uint64_t boot_ns) {
    return settings_.run_for_ms &&
           boot_ns - begun_.boot_ns >= static_cast<uint64_t>(*settings_.run_for_ms) * 1'000'000;
  };
  while (!over(machine_.clocks().boot_ns) && !machine_.wait(round_ms())) {
    if (audience_) {
      recording_->flush_every(audience_->is_watched() ? kWatchedFlushMs
                                                      : settings_.recording.flush_ms);
    }
    if (auto stepped = recording_->step(); !stepped) tell(stepped.error());
    if (desk_) desk_->step();
  }
}

void Run::tell(const base::Error& trouble) {
  const uint64_t now_ns = machine_.clocks().boot_ns;
  trouble_ = trouble.message;
  if (trouble.message == told_ && now_ns - told_ns_ < kRepeatNs) return;
  told_ = trouble.message;
  told_ns_ = now_ns;
  context_.warn(trouble.message + "; recording goes on");
}

bool Run::needs_attention() const {
  const ports::RecordingTotals& totals = recording_->totals();
  const bool fell_back =
      !settings_.collector && events_->report().kind != model::CollectorKind::kBpf;
  return totals.lost.total() + totals.rows_dropped + totals.writes_failed != 0 ||
         !notices_.empty() || fell_back;
}

void Run::print_start() {
  if (context_.json) return;
  const model::CollectorReport report = events_->report();
  std::string text = "Recording into " + base::escape_for_terminal(context_.state_directory) +
                     "; " + ports::counted(recording_->open_sockets(), "socket") +
                     (recording_->open_sockets() == 1 ? " is" : " are") + " open already. " +
                     report.why;
  if (!settings_.run_for_ms) text += " Ctrl-C ends it.";
  const unsigned width = context_.text_width();
  context_.out << wrap_text(text, width);
  for (const std::string& spot : report.blind_spots) {
    context_.out << wrap_text(spot, width, "  - ", "    ");
  }
  context_.out.flush();
}

std::string Run::lost_in_words() const {
  const ports::RecordingTotals& totals = recording_->totals();
  std::vector<std::string> parts;
  const auto add = [&](uint64_t count, std::string_view why) {
    if (count != 0) parts.push_back(ports::counted(count, "event") + " " + std::string(why));
  };
  add(totals.lost.ring_full, "because the ring was full (try a larger --ring)");
  add(totals.lost.recursion_misses, "that the kernel skipped");
  add(totals.lost.storage_full, "for want of kernel memory");
  if (totals.rows_dropped != 0) {
    parts.push_back(ports::counted(totals.rows_dropped, "row") + " that could not be written");
  }
  if (parts.empty()) return "Nothing was lost.";
  return "Lost: " + ports::listed(parts) + ".";
}

void Run::print_end() {
  const ports::RecordingTotals& totals = recording_->totals();
  const uint64_t seconds = (ended_.boot_ns - begun_.boot_ns) / 1'000'000'000;
  std::string text = "Recorded " + ports::counted(totals.events, "event") + " in " +
                     ports::duration_in_words(static_cast<int64_t>(seconds)) + ": " +
                     ports::counted(totals.sockets, "socket") + " ended, " +
                     ports::grouped(recording_->open_sockets()) +
                     (recording_->open_sockets() == 1 ? " is" : " are") + " open. " +
                     lost_in_words();
  if (desk_ && desk_->told() > 0) {
    text += " " + ports::counted(desk_->told(), "alert") + (desk_->told() == 1 ? " was" : " were") +
            " told; `twinport alerts` lists them.";
  }
  context_.out << wrap_text(text, context_.text_width());
}

void Run::print_json() {
  base::JsonWriter json = context_.begin_json("record");
  json.field("state", context_.state_directory);
  json.field("begun", ports::rfc3339(begun_.wall_us))
      .field("ended", ports::rfc3339(ended_.wall_us));
  json.field("needs_attention", needs_attention()).newline();
  write_collector(json, events_->report());
  write_totals(json, recording_->totals());
  json.field("sockets_open", uint64_t{recording_->open_sockets()});
  json.field("alerts", desk_ ? desk_->told() : uint64_t{0});
  json.key("notices").begin_array();
  for (const std::string& notice : notices_) json.string(notice);
  json.end_array();
  Context::end_json(json);
}

int Run::operator()() {
  // From here on a signal ends the run with its last batch written, also while it begins.
  static_cast<void>(machine_.wait(0));
  machine_.work_in_background();
  if (auto begun = begin(); !begun) return context_.fail(begun.error());
  listen();
  print_start();
  rounds();
  const auto finished = recording_->finish();
  audience_.reset();
  if (desk_) desk_->finish();
  ended_ = machine_.clocks();
  if (!finished) context_.fail(finished.error());
  if (context_.json) {
    print_json();
  } else {
    print_end();
  }
  if (!finished) return kFailed;
  return needs_attention() ? kAttention : kDone;
}

}  // namespace

int run_record(const RecordOptions& options, Context& context) {
  const auto settings = read_settings(options);
  if (!settings) return context.fail(settings.error());
  return Run(*settings, context)();
}

}  // namespace apps
