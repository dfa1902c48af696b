#include "disk/sqlite_timeline_writer.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

#include "ports/timeline_match.h"

namespace disk {
namespace {

using base::ErrorKind;

// The log begins again from its start once it is taken over into the database and nobody reads in
// it. Readers that come one after the other without a pause can put that off for ever; from this
// size on we wait for them, and not long.
constexpr uint64_t kLongLogBytes = uint64_t{32} << 20U;
constexpr uint64_t kLogStepBytes = uint64_t{16} << 20U;
constexpr int kWaitForReadersMs = 50;

// What two recorders, or two readings, may differ by without the clock having been set.
constexpr int64_t kSameClockUs = 1000;

std::string policy_text(const model::PortPolicy& policy) {
  std::string reserved;
  for (const auto& range : policy.reserved) {
    if (!reserved.empty()) reserved += ',';
    reserved += to_string(range);
  }
  return reserved;
}

std::string policy_key(const model::PortPolicy& policy, int64_t boot) {
  return std::to_string(boot) + ' ' + to_string(policy.ephemeral) + ' ' +
         std::to_string(policy.unprivileged_start) + ' ' + policy_text(policy);
}

model::RecordedSocket read_open_socket(const Statement& row) {
  model::RecordedSocket socket;
  socket.cookie = static_cast<uint64_t>(row.integer(0));
  socket.local.port = static_cast<uint16_t>(row.integer(1));
  socket.remote.port = static_cast<uint16_t>(row.integer(2));
  socket.opened_boot_us = row.integer(3);
  socket.remote.address = read_address(row, 4);
  socket.owner = row.integer(5);
  socket.creator = row.integer(6);
  socket.also_held_by = decode_ids(row.text(7));
  socket.totals.bytes_sent = static_cast<uint64_t>(row.integer(8));
  socket.totals.bytes_received = static_cast<uint64_t>(row.integer(9));
  socket.totals.rtt_us = static_cast<uint32_t>(row.integer(10));
  socket.totals.retransmits = static_cast<uint32_t>(row.integer(11));
  apply_kind(read_kind(row, 12), socket);
  return socket;
}

}  // namespace

// ---- opening -----------------------------------------------------------------------------------

template <class Work>
auto SqliteTimelineWriter::attempt(Work&& work) -> decltype(guarded(work)) {
  auto result = guarded(work);
  if (!result) {
    loaded_ = false;
    if (result.error().kind == ErrorKind::kCorrupt) set_aside(result.error());
  }
  return result;
}

void SqliteTimelineWriter::set_aside(base::Error& error) {
  retention_.reset();
  names_.reset();
  closed_.reset();
  put_open_ = {};
  end_open_ = {};
  database_.close();
  const auto moved = guarded([&] { return files_.set_aside(now_us_); });
  if (!moved) {
    error.kind = moved.error().kind;
    error.message += "; it could not be set aside: " + moved.error().message;
    return;
  }
  error.message += "; the damaged timeline was set aside as " + *moved +
                   " and recording goes on with a fresh one";
  notices_.push_back(error.message);
}

base::Result<std::unique_ptr<SqliteTimelineWriter>> SqliteTimelineWriter::open(
    const std::string& directory, int64_t now_us) {
  std::unique_ptr<SqliteTimelineWriter> writer(new SqliteTimelineWriter(directory, now_us));
  const auto opened = guarded([&] {
    writer->files_.prepare_directory();
    writer->lock_ = writer->files_.lock();
    writer->open_or_replace();
  });
  if (!opened) return std::unexpected(opened.error());
  return writer;
}

void SqliteTimelineWriter::open_or_replace() {
  const auto opened = attempt([&] { open_file(); });
  if (opened) return;
  if (opened.error().kind != ErrorKind::kCorrupt) throw Failure{opened.error()};
  open_file();
}

void SqliteTimelineWriter::open_file() {
  if (!files_.exists()) files_.create();
  database_ = Database::open(files_.database(), Database::Mode::kWrite);
  const bool empty = database_.integer("SELECT count(*) FROM sqlite_schema") == 0;
  if (!empty) {
    check_timeline_version(files_.database(), database_.integer("PRAGMA application_id"),
                           database_.integer("PRAGMA user_version"));
  } else {
    // Lets pages be given back when the size limit is lowered; must precede the first table.
    database_.execute("PRAGMA auto_vacuum = INCREMENTAL");
  }
  database_.execute("PRAGMA journal_mode = WAL");
  database_.execute("PRAGMA synchronous = FULL");
  database_.execute("PRAGMA journal_size_limit = 4194304");
  // Debian's SQLite overwrites what is deleted with zeros, which retention would pay for twice.
  database_.execute("PRAGMA secure_delete = OFF");
  if (empty) make_tables();
  closed_ = std::make_unique<ClosedSockets>(database_);
  names_ = std::make_unique<TimelineNames>(database_);
  retention_ = std::make_unique<TimelineRetention>(database_, files_);
  put_open_ = database_.prepare(
      "INSERT OR REPLACE INTO open_socket(cookie, kind, local_port, remote_port, opened_boot_us, "
      "remote_address, owner, creator, also_held_by, bytes_sent, bytes_received, rtt_us, "
      "retransmits) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  end_open_ = database_.prepare("DELETE FROM open_socket WHERE cookie = ?");
  load();
}

void SqliteTimelineWriter::make_tables() {
  Transaction transaction(database_, Transaction::Kind::kWrite);
  database_.execute(timeline_schema().c_str());
  const std::string numbers = "PRAGMA application_id = " + std::to_string(kTimelineApplication) +
                              "; PRAGMA user_version = " + std::to_string(kTimelineFormat);
  database_.execute(numbers.c_str());
  transaction.commit();
}

void SqliteTimelineWriter::load() {
  state_ = read_state(database_);
  clocks_ = read_clocks(database_);
  closed_->load();
  names_->forget();
  last_gaps_.clear();
  open_.clear();
  Statement open =
      database_.prepare("SELECT o.cookie, k.boot FROM open_socket o JOIN kind k ON k.id = o.kind");
  while (open.step()) {
    open_[static_cast<uint64_t>(open.integer(0))] = static_cast<uint32_t>(open.integer(1));
  }
  last_policy_.clear();
  Statement policy = database_.prepare(
      "SELECT boot || ' ' || ephemeral_first || '-' || ephemeral_last || ' ' || "
      "unprivileged_start || ' ' || reserved FROM policy ORDER BY boot DESC, since_boot_us DESC "
      "LIMIT 1");
  if (policy.step()) last_policy_ = policy.text(0);
  loaded_ = true;
}

void SqliteTimelineWriter::be_ready() {
  if (!database_.is_open()) {
    raise(ErrorKind::kIo,
          "write to the timeline: the damaged one was set aside, and the fresh "
          "one is begun by begin_boot(), which was not called");
  }
  if (!loaded_) load();
}

base::Result<ports::TimelineWriter::Boot> SqliteTimelineWriter::begin_boot(
    const std::string& boot_id, int64_t boot_time_us) {
  const auto work = [&]() -> Boot {
    if (!database_.is_open()) open_or_replace();
    be_ready();
    Boot boot{.number = 0,
              .next_process_id = state_.next_process,
              .recorded_until_boot_us = state_.recorded_until,
              .recorded_until_us = wall_us(clocks_, state_.boot, state_.recorded_until)};
    Statement find = database_.prepare("SELECT number FROM boot WHERE boot_id = ?");
    find.bind_text(1, boot_id);
    if (find.step()) {
      boot.number = static_cast<uint32_t>(find.integer(0));
      return boot;
    }
    Transaction transaction(database_, Transaction::Kind::kWrite);
    boot.number = static_cast<uint32_t>(
        database_.integer("SELECT max((SELECT ifnull(max(number), 0) FROM boot), "
                          "(SELECT boot FROM state)) + 1"));
    database_.prepare("INSERT INTO boot VALUES(?, ?)")
        .bind(1, boot.number)
        .bind_text(2, boot_id)
        .run();
    database_.prepare("INSERT INTO clock_step VALUES(?, 0, ?)")
        .bind(1, boot.number)
        .bind(2, boot_time_us)
        .run();
    transaction.commit();
    clock_of(boot.number).add({0, boot_time_us});
    return boot;
  };
  auto begun = attempt(work);
  if (!begun && begun.error().kind == ErrorKind::kCorrupt) begun = attempt(work);
  return begun;
}

base::Result<ports::LeftOpen> SqliteTimelineWriter::open_sockets() {
  return attempt([&] {
    be_ready();
    ports::LeftOpen left;
    std::set<int64_t> ids;
    Statement rows = database_.prepare(
        "SELECT o.cookie, o.local_port, o.remote_port, o.opened_boot_us, o.remote_address, "
        "o.owner, o.creator, o.also_held_by, o.bytes_sent, o.bytes_received, o.rtt_us, "
        "o.retransmits, " +
        kind_columns("k") + " FROM open_socket o JOIN kind k ON k.id = o.kind ORDER BY o.cookie");
    while (rows.step()) {
      left.sockets.push_back(read_open_socket(rows));
      auto& socket = left.sockets.back();
      socket.opened_us = wall_us(clocks_, socket.boot, socket.opened_boot_us);
      ids.insert({socket.owner, socket.creator});
      ids.insert(socket.also_held_by.begin(), socket.also_held_by.end());
    }
    Statement find = database_.prepare(kProcessById);
    for (const int64_t id : ids) {
      if (auto process = read_process(find, id)) left.processes.push_back(std::move(*process));
    }
    return left;
  });
}

// ---- writing -----------------------------------------------------------------------------------

base::Result<void> SqliteTimelineWriter::write(const ports::TimelineBatch& batch) {
  now_us_ = std::max(now_us_, batch.recorded_until_us);
  auto written = attempt([&] {
    be_ready();
    if (std::ranges::find(clocks_, batch.boot, &BootClock::boot) == clocks_.end()) {
      raise(ErrorKind::kUsage, "write to the timeline: boot " + std::to_string(batch.boot) +
                                   " was not begun in this file");
    }
    Transaction transaction(database_, Transaction::Kind::kWrite);
    apply(batch);
    transaction.commit();
  });
  // The batch is written by now; if this fails, the next write meets the same trouble and says so.
  if (written) std::ignore = guarded([&] { shorten_log(); });
  return written;
}

void SqliteTimelineWriter::shorten_log() {
  const uint64_t log = files_.log_bytes();
  if (log < kLongLogBytes) patience_bytes_ = kLongLogBytes;
  if (log < patience_bytes_) return;
  patience_bytes_ = log + kLogStepBytes;
  const int64_t usual_ms = database_.integer("PRAGMA busy_timeout");
  database_.execute(("PRAGMA busy_timeout = " + std::to_string(kWaitForReadersMs)).c_str());
  // It says in a row of its answer, not by failing, when readers were still at work.
  database_.execute("PRAGMA wal_checkpoint(RESTART)");
  database_.execute(("PRAGMA busy_timeout = " + std::to_string(usual_ms)).c_str());
}

void SqliteTimelineWriter::apply(const ports::TimelineBatch& batch) {
  put_clock_steps(batch);
  put_policy(batch);
  for (const auto& process : batch.processes) {
    if (names_->put_process(process, batch.recorded_until_boot_us)) ++state_.processes;
    state_.next_process = std::max(state_.next_process, process.id + 1);
  }
  for (const auto& socket : batch.closed) end(socket);
  for (const auto& socket : batch.opened) put_open(socket);
  for (const auto& gap : batch.gaps) put_gap(gap);
  closed_->flush();
  names_->flush();
  put_state(batch);
}

model::ClockHistory& SqliteTimelineWriter::clock_of(uint32_t boot) {
  const auto at = std::ranges::find(clocks_, boot, &BootClock::boot);
  if (at != clocks_.end()) return at->clock;
  return clocks_.emplace_back(boot, model::ClockHistory{}).clock;
}

void SqliteTimelineWriter::put_clock_steps(const ports::TimelineBatch& batch) {
  for (const auto& step : batch.clock_steps) {
    auto& clock = clock_of(batch.boot);
    const bool same = !clock.steps().empty() && std::abs(clock.steps().back().wall_minus_boot_us -
                                                         step.wall_minus_boot_us) < kSameClockUs;
    if (same) continue;
    clock.add(step);
    database_.prepare("DELETE FROM clock_step WHERE boot = ? AND since_boot_us >= ?")
        .bind(1, batch.boot)
        .bind(2, step.since_boot_us)
        .run();
    database_.prepare("INSERT INTO clock_step VALUES(?, ?, ?)")
        .bind(1, batch.boot)
        .bind(2, step.since_boot_us)
        .bind(3, step.wall_minus_boot_us)
        .run();
  }
}

void SqliteTimelineWriter::put_policy(const ports::TimelineBatch& batch) {
  if (!batch.policy.known) return;
  std::string key = policy_key(batch.policy, batch.boot);
  if (key == last_policy_) return;
  // Of a boot's first policy nobody knows since when it held; of a later one, that it changed.
  const bool first = !last_policy_.starts_with(std::to_string(batch.boot) + ' ');
  const std::string reserved = policy_text(batch.policy);
  database_.prepare("INSERT OR REPLACE INTO policy VALUES(?, ?, ?, ?, ?, ?)")
      .bind(1, batch.boot)
      .bind(2, first ? 0 : batch.recorded_until_boot_us)
      .bind(3, batch.policy.ephemeral.first)
      .bind(4, batch.policy.ephemeral.last)
      .bind_text(5, reserved)
      .bind(6, batch.policy.unprivileged_start)
      .run();
  last_policy_ = std::move(key);
}

void SqliteTimelineWriter::end(const model::RecordedSocket& socket) {
  const int64_t closed_us = socket.closed_boot_us.value_or(socket.opened_boot_us);
  closed_->append(socket, names_->kind(kind_of(socket), closed_us));
  names_->use_process(socket.owner, closed_us);
  names_->use_process(socket.creator, closed_us);
  for (const int64_t id : socket.also_held_by) names_->use_process(id, closed_us);
  ++state_.closed_sockets;
  if (!ends_what_was_open(socket.role)) return;
  const auto at = open_.find(socket.cookie);
  if (at == open_.end() || at->second != socket.boot) return;
  open_.erase(at);
  end_open_.bind(1, static_cast<int64_t>(socket.cookie)).run();
}

void SqliteTimelineWriter::put_open(const model::RecordedSocket& socket) {
  const std::string also = encode_ids(socket.also_held_by);
  put_open_.bind(1, static_cast<int64_t>(socket.cookie));
  put_open_.bind(2, names_->kind(kind_of(socket), 0));
  put_open_.bind(3, socket.local.port).bind(4, socket.remote.port);
  put_open_.bind(5, socket.opened_boot_us);
  bind_address(put_open_, 6, socket.remote.address);
  put_open_.bind(7, socket.owner).bind(8, socket.creator);
  also.empty() ? put_open_.bind_null(9) : put_open_.bind_text(9, also);
  put_open_.bind(10, static_cast<int64_t>(socket.totals.bytes_sent));
  put_open_.bind(11, static_cast<int64_t>(socket.totals.bytes_received));
  put_open_.bind(12, socket.totals.rtt_us).bind(13, socket.totals.retransmits);
  put_open_.run();
  open_[socket.cookie] = socket.boot;
}

void SqliteTimelineWriter::put_gap(const model::RecordedGap& gap) {
  const auto [at, added] = last_gaps_.try_emplace(gap.kind);
  LastGap& last = at->second;
  if (added) {
    Statement find = database_.prepare(
        "SELECT id, boot, from_us, until_us, lost FROM gap WHERE kind = ? ORDER BY id DESC LIMIT "
        "1");
    if (find.bind_text(1, gap.kind).step()) {
      last.id = find.integer(0);
      last.gap.kind = gap.kind;
      last.gap.boot = static_cast<uint32_t>(find.integer(1));
      last.gap.from_us = find.integer(2);
      last.gap.until_us = find.integer(3);
      last.gap.lost = static_cast<uint64_t>(find.integer(4));
    }
  }
  if (last.id != 0 && ports::goes_on(last.gap, gap)) {
    last.gap.until_us = std::max(last.gap.until_us, gap.until_us);
    last.gap.lost += gap.lost;
    database_.prepare("UPDATE gap SET until_us = ?, lost = lost + ? WHERE id = ?")
        .bind(1, last.gap.until_us)
        .bind(2, static_cast<int64_t>(gap.lost))
        .bind(3, last.id)
        .run();
    return;
  }
  Statement add = database_.prepare(
      "INSERT INTO gap(boot, from_us, until_us, kind, lost) VALUES(?, ?, ?, ?, ?) RETURNING id");
  add.bind(1, gap.boot).bind(2, gap.from_us).bind(3, gap.until_us).bind_text(4, gap.kind);
  add.bind(5, static_cast<int64_t>(gap.lost)).step();
  last = {add.integer(0), gap};
  add.run();
}

void SqliteTimelineWriter::put_state(const ports::TimelineBatch& batch) {
  if (state_.boot == 0) {
    // What closed before the first recorder began is not there.
    state_.reach_boot = batch.boot;
    state_.reach = batch.clock_steps.empty() ? batch.recorded_until_boot_us
                                             : batch.clock_steps.front().since_boot_us;
  }
  state_.boot = batch.boot;
  state_.recorded_until = batch.recorded_until_boot_us;
  database_
      .prepare(
          "UPDATE state SET boot = ?, recorded_until_boot_us = ?, next_process = ?, "
          "closed_sockets = ?, processes = ?, reach_boot = ?, reach_boot_us = ?")
      .bind(1, state_.boot)
      .bind(2, state_.recorded_until)
      .bind(3, state_.next_process)
      .bind(4, state_.closed_sockets)
      .bind(5, state_.processes)
      .bind(6, state_.reach_boot)
      .bind(7, state_.reach)
      .run();
}

base::Result<bool> SqliteTimelineWriter::retain(const ports::RetentionPolicy& policy,
                                                int64_t now_us) {
  return attempt([&] {
    be_ready();
    const auto outcome = retention_->work(policy, now_us, clocks_, state_);
    if (outcome.changed) {
      closed_->load();
      names_->forget();
      last_gaps_.clear();
    }
    return outcome.more;
  });
}

}  // namespace disk
