#include "ports/recording.h"

#include <algorithm>

#include "ports/merge.h"

namespace ports {
namespace {

// So many that they stay in the processor's caches between being decoded and being taken.
constexpr size_t kEventsAtOnce = 256;
// More events than any ring holds: one round takes all that was waiting when it began, and a
// machine that makes events faster than we take them cannot keep us from writing.
constexpr int kRoundsMax = 16'384;
// The kernel takes its time to tell how many events it skipped.
constexpr uint64_t kReadLossesMs = 100;
// Losses call for a look, which costs some ten milliseconds; where they go on and on, one a second
// is what can be afforded.
constexpr uint64_t kLookAfterLossMs = 1'000;
// Who got a socket from a process that ended is found by a look: not before that long after the
// last, and not more than one part of the time.
constexpr uint64_t kLookForHeirsMs = 2'000;
constexpr uint64_t kLooksPart = 50;
// Pieces of retention in one round.
constexpr int kRetainAtOnce = 4;

size_t rows_of(const TimelineBatch& batch) { return batch.opened.size() + batch.closed.size(); }

}  // namespace

bool Recording::is_due(uint64_t last_ns, uint64_t every_ms) const {
  return now_.boot_ns - last_ns >= every_ms * 1'000'000;
}

void Recording::note(base::Result<void> result) {
  if (!result && !trouble_) trouble_ = std::move(result.error());
}

base::Result<void> Recording::begin() {
  if (auto taken = take_up(); !taken) return taken;
  losses_read_ = now_;
  if (auto looked = look(); !looked) return looked;
  flushed_ns_ = retained_ns_ = now_.boot_ns;
  return write(true);
}

// Reads from the store where it stands.
base::Result<void> Recording::take_up() {
  now_ = parts_.clock();
  const auto boot_time_us = now_.wall_us - static_cast<int64_t>(now_.boot_ns / 1000);
  const auto boot = parts_.store.begin_boot(parts_.boot_id, boot_time_us);
  if (!boot) return std::unexpected(boot.error());
  auto open = parts_.store.open_sockets();
  if (!open) return std::unexpected(open.error());
  const bool anew = !anew_kind_.empty();
  recorder_.emplace(parts_.processes, *boot, now_, std::move(*open),
                    anew ? 0 : boot->recorded_until_us);
  if (parts_.events.report().kind != model::CollectorKind::kBpf) recorder_->set_half_blind();
  if (anew) recorder_->add_gap(anew_kind_, written_until_us_, now_.wall_us, anew_lost_);
  written_until_us_ = std::max(written_until_us_, boot->recorded_until_us);
  return {};
}

base::Result<void> Recording::drain(Writing writing) {
  now_ = parts_.clock();
  if (recorder_) recorder_->set_clock(now_);
  const uint64_t before = totals_.events;
  for (int round = 0; round < kRoundsMax; ++round) {
    events_.clear();
    const auto more = parts_.events.drain(events_, kEventsAtOnce);
    totals_.events += events_.size();
    if (recorder_) {
      for (const auto& event : events_) recorder_->take(event);
    } else {
      anew_lost_ += events_.size();
    }
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    // While the store cannot be written, it is tried again when it is due, and not all the time.
    if (writing == Writing::kWhenMuch && recorder_ && unwritten_.empty() &&
        recorder_->waiting_rows() >= options_.rows_at_once) {
      if (auto written = write(false); !written) return written;
    }
  }
  drained_events_ = totals_.events - before;
  return {};
}

base::Result<void> Recording::look() {
  note(drain(Writing::kNever));
  policy_ = parts_.policy();
  recorder_->begin_look();
  const ClockReading begun = parts_.clock();
  looked_ns_ = begun.boot_ns;
  look_wanted_ = false;
  auto inventory = take_inventory(parts_.sockets, parts_.processes, InventoryRequest{});
  if (!inventory) return std::unexpected(inventory.error());
  if (inventory->report.kind == model::CollectorKind::kProc) {
    return base::fail(base::ErrorKind::kUnsupported,
                      "record what is open: /proc alone does not tell one socket from another "
                      "(their cookies); it takes BPF or sock_diag (" +
                          inventory->report.why + ")");
  }
  note(drain(Writing::kNever));
  recorder_->resync(*inventory, begun);
  look_took_ms_ = (parts_.clock().boot_ns - begun.boot_ns) / 1'000'000;
  ++totals_.looks;
  if (observer_) observer_(std::move(*inventory));
  return {};
}

void Recording::note_losses() {
  const ClockReading since = std::exchange(losses_read_, now_);
  const model::LossCounters losses = parts_.events.losses();
  if (losses == totals_.lost) return;
  if (recorder_) {
    recorder_->lost({.ring_full = losses.ring_full - totals_.lost.ring_full,
                     .recursion_misses = losses.recursion_misses - totals_.lost.recursion_misses,
                     .storage_full = losses.storage_full - totals_.lost.storage_full},
                    since.wall_us, parts_.clock().wall_us);
  }
  totals_.lost = losses;
  look_wanted_ = true;  // what was lost is found again by looking, as far as it is still there
}

void Recording::drop_unwritten() {
  totals_.rows_dropped += unwritten_rows_;
  anew_lost_ += unwritten_rows_;
  unwritten_.clear();
  unwritten_rows_ = 0;
}

// What waits refers to processes and openings that the store will never have: nothing of it can be
// written later. The store, an inventory and a gap are what is certain.
void Recording::begin_anew(std::string kind) {
  drop_unwritten();
  anew_kind_ = std::move(kind);
  recorder_.reset();
}

base::Result<void> Recording::write(bool drained) {
  unwritten_.push_back(recorder_->flush(drained));
  unwritten_.back().policy = policy_;
  // Told before this batch is tried: what waits then is what could not be written.
  if (listener_) listener_(unwritten_.back(), *recorder_);
  unwritten_rows_ += rows_of(unwritten_.back());
  while (!unwritten_.empty()) {
    const TimelineBatch& batch = unwritten_.front();
    if (auto written = parts_.store.write(batch); !written) {
      ++totals_.writes_failed;
      if (written.error().kind == base::ErrorKind::kCorrupt) {
        begin_anew("store-damaged");
      } else if (unwritten_rows_ > options_.unwritten_rows_max) {
        begin_anew("not-written");
      }
      return written;
    }
    totals_.sockets += batch.closed.size();
    written_until_us_ = batch.recorded_until_us;
    unwritten_rows_ -= rows_of(batch);
    recorder_->reuse(std::move(unwritten_.front()));
    unwritten_.pop_front();
    anew_kind_.clear();
    anew_lost_ = 0;
  }
  return {};
}

base::Result<void> Recording::step() {
  trouble_.reset();
  note(drain(Writing::kWhenMuch));
  if (is_due(losses_read_.boot_ns, kReadLossesMs)) note_losses();
  if (recorder_) {
    const bool after_loss = look_wanted_ && is_due(looked_ns_, kLookAfterLossMs);
    const bool for_heirs =
        recorder_->wants_look() &&
        is_due(looked_ns_, std::max(kLookForHeirsMs, kLooksPart * look_took_ms_));
    if (after_loss || for_heirs || is_due(looked_ns_, options_.look_ms)) note(look());
  }
  if (is_due(flushed_ns_, options_.flush_ms)) {
    flushed_ns_ = now_.boot_ns;
    if (!recorder_) {
      auto taken = take_up();
      if (taken) taken = look();
      note(std::move(taken));
    }
    if (recorder_) note(write(true));
  }
  if (is_due(retained_ns_, options_.retain_ms)) {
    retained_ns_ = now_.boot_ns;
    retain_more_ = true;
  }
  for (int piece = 0; recorder_ && retain_more_ && piece < kRetainAtOnce; ++piece) {
    const auto more = parts_.store.retain(options_.retention, now_.wall_us);
    retain_more_ = more && *more;
    if (more) continue;
    if (more.error().kind == base::ErrorKind::kCorrupt) begin_anew("store-damaged");
    note(std::unexpected(more.error()));
  }
  if (trouble_) return std::unexpected(*trouble_);
  return {};
}

base::Result<void> Recording::finish() {
  trouble_.reset();
  note(drain(Writing::kNever));
  note_losses();
  if (recorder_) note(write(true));
  if (trouble_) return std::unexpected(*trouble_);
  return {};
}

}  // namespace ports
