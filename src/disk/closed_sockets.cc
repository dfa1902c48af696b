#include "disk/closed_sockets.h"

#include <algorithm>

namespace disk {
namespace {

// To begin and to end a statement costs more than the row that it inserts.
constexpr size_t kRowsAtOnce = 32;
constexpr size_t kColumns = 14;

std::string insert_rows(int level, size_t count) {
  std::string sql =
      // The whole transaction is given up when a row fails: no journal for the statement is needed.
      "INSERT OR FAIL INTO " + closed_table(level) +
      "(kind, local_port, remote_port, closed_boot_us, lasted_us, remote_address, cookie, "
      "owner, creator, also_held_by, bytes_sent, bytes_received, rtt_us, retransmits) VALUES";
  for (size_t row = 0; row < count; ++row) {
    sql += row == 0 ? "" : ", ";
    sql += "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  }
  return sql;
}

}  // namespace

ClosedSockets::ClosedSockets(Database& database) : database_(database) {
  for (int level = 0; level < kLevels; ++level) {
    insert_one_[level] = database.prepare(insert_rows(level, 1));
    insert_many_[level] = database.prepare(insert_rows(level, kRowsAtOnce));
    bound_one_[level].resize(kColumns);
    bound_many_[level].resize(kColumns * kRowsAtOnce);
  }
  write_segment_ = database.prepare(
      "INSERT INTO segment VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
      "ON CONFLICT(id) DO UPDATE SET rows = ?5, first_opened = ?6, last_opened = ?7, "
      "first_closed = ?8, last_closed = ?9");
  write_ports_ = database.prepare("INSERT OR REPLACE INTO segment_ports VALUES(?, ?)");
  last_closed_ =
      database.prepare("SELECT max(last_closed) FROM segment WHERE boot = ? AND level = ?");
}

void ClosedSockets::load() {
  next_segment_ = database_.integer("SELECT ifnull(max(id), 0) + 1 FROM segment");
  for (int level = 0; level < kLevels; ++level) {
    waiting_[level].clear();
    load(level);
  }
}

void ClosedSockets::load(int level) {
  tails_[level] = {};
  const std::string last_row = "SELECT ifnull(max(id), 0) + 1 FROM " + closed_table(level);
  next_row_[level] = database_.integer(last_row.c_str());
  Statement last = database_.prepare(
      "SELECT s.id, s.boot, s.first_row, s.rows, s.first_opened, s.last_opened, s.first_closed, "
      "s.last_closed, s.closed_floor, p.ports FROM segment s JOIN segment_ports p "
      "ON p.segment = s.id WHERE s.boot = (SELECT max(boot) FROM segment) AND s.level = ? "
      "ORDER BY s.last_closed DESC, s.id DESC LIMIT 1");
  last.bind(1, level);
  if (!last.step() || last.integer(3) >= kSegmentRows) return;
  // Rows of another boot may have come behind it; a segment's rows are neighbours.
  if (last.integer(2) + last.integer(3) != next_row_[level]) return;
  auto ports = format::decode_port_set(last.blob(9));
  if (!ports) throw Failure{ports.error()};
  Tail& tail = tails_[level];
  tail.segment = last.integer(0);
  tail.boot = static_cast<uint32_t>(last.integer(1));
  tail.first_row = last.integer(2);
  tail.rows = last.integer(3);
  tail.first_opened = last.integer(4);
  tail.last_opened = last.integer(5);
  tail.first_closed = last.integer(6);
  tail.last_closed = last.integer(7);
  tail.closed_floor = last.integer(8);
  tail.ports = *ports;
}

void ClosedSockets::begin(int level, uint32_t boot, int64_t closed_us) {
  Tail& tail = tails_[level];
  tail = {};
  tail.segment = next_segment_++;
  tail.boot = boot;
  tail.first_row = next_row_[level];
  last_closed_.bind(1, boot).bind(2, level);
  last_closed_.step();
  tail.last_closed = last_closed_.is_null(0) ? closed_us : last_closed_.integer(0);
  last_closed_.reset();
  tail.closed_floor = tail.last_closed - kLatenessUs;
}

// The tail that takes a row of this boot, closed then; a new one where the old one may not grow.
ClosedSockets::Tail& ClosedSockets::tail_for(int level, const model::RecordedSocket& socket,
                                             int64_t closed_us) {
  Tail& tail = tails_[level];
  const bool fits = tail.segment != 0 && tail.boot == socket.boot && tail.rows < kSegmentRows &&
                    (tail.rows == 0 || closed_us - tail.first_closed <= kSegmentSpanUs);
  if (!fits) {
    write(level);
    begin(level, socket.boot, closed_us);
  }
  return tail;
}

void ClosedSockets::append(const model::RecordedSocket& socket, int64_t kind) {
  const int64_t closed_us = socket.closed_boot_us.value_or(socket.opened_boot_us);
  const int64_t lasted_us = std::max<int64_t>(0, closed_us - socket.opened_boot_us);
  int level = level_of(lasted_us);
  Tail* tail = &tail_for(level, socket, closed_us);
  if (closed_us < tail->closed_floor && level + 1 < kLevels) {
    level = kLevels - 1;
    tail = &tail_for(level, socket, closed_us);
  }
  waiting_[level].push_back(
      {&socket, next_row_[level], kind, closed_us, lasted_us, encode_ids(socket.also_held_by)});
  if (waiting_[level].size() == kRowsAtOnce) insert_waiting(level);

  const int64_t opened_us = closed_us - lasted_us;
  const bool first = tail->rows == 0;
  tail->first_opened = first ? opened_us : std::min(tail->first_opened, opened_us);
  tail->last_opened = first ? opened_us : std::max(tail->last_opened, opened_us);
  tail->first_closed = first ? closed_us : std::min(tail->first_closed, closed_us);
  tail->last_closed = std::max(tail->last_closed, closed_us);
  tail->ports.set(socket.local.port);
  tail->ports.set(socket.remote.port);
  tail->changed = true;
  ++tail->rows;
  ++next_row_[level];
}

void ClosedSockets::insert_waiting(int level) {
  const bool all_at_once = waiting_[level].size() == kRowsAtOnce;
  Statement& insert = all_at_once ? insert_many_[level] : insert_one_[level];
  Bound& bound = all_at_once ? bound_many_[level] : bound_one_[level];
  size_t at = 0;
  // What was bound stays bound, and much of a row is as in the row before at the same place.
  const auto bind = [&](int64_t value) {
    if (!bound[at] || *bound[at] != value) insert.bind(static_cast<int>(at) + 1, value);
    bound[at++] = value;
  };
  for (const Row& row : waiting_[level]) {
    const model::RecordedSocket& socket = *row.socket;
    bind(row.kind);
    bind(socket.local.port);
    bind(socket.remote.port);
    bind(row.closed_us);
    bind(row.lasted_us);
    bound[at].reset();
    bind_address(insert, static_cast<int>(++at), socket.remote.address);
    bind(static_cast<int64_t>(socket.cookie));
    bind(socket.owner);
    bind(socket.creator);
    bound[at++].reset();
    row.also.empty() ? insert.bind_null(static_cast<int>(at))
                     : insert.bind_text(static_cast<int>(at), row.also);
    bind(static_cast<int64_t>(socket.totals.bytes_sent));
    bind(static_cast<int64_t>(socket.totals.bytes_received));
    bind(socket.totals.rtt_us);
    bind(socket.totals.retransmits);
    if (!all_at_once) {
      insert.run();
      at = 0;
    }
  }
  if (all_at_once) insert.run();
  // SQLite gives each row the number after the last: to be told a number, it would look for it.
  if (!waiting_[level].empty() && database_.last_row() != waiting_[level].back().id) {
    raise(base::ErrorKind::kCorrupt, "write to the timeline: row " +
                                         std::to_string(waiting_[level].back().id) + " of " +
                                         closed_table(level) + " was given the number " +
                                         std::to_string(database_.last_row()));
  }
  waiting_[level].clear();
}

void ClosedSockets::write(int level) {
  Tail& tail = tails_[level];
  if (!tail.changed) return;
  tail.changed = false;
  write_segment_.bind(1, tail.segment).bind(2, tail.boot).bind(3, level).bind(4, tail.first_row);
  write_segment_.bind(5, tail.rows).bind(6, tail.first_opened).bind(7, tail.last_opened);
  write_segment_.bind(8, tail.first_closed).bind(9, tail.last_closed).bind(10, tail.closed_floor);
  write_segment_.run();
  tail.ports.reset(0);  // "no port" is not looked for
  const auto ports = format::encode_port_set(tail.ports);
  write_ports_.bind(1, tail.segment).bind_blob(2, ports);
  write_ports_.run();
}

void ClosedSockets::flush() {
  for (int level = 0; level < kLevels; ++level) {
    insert_waiting(level);
    write(level);
  }
}

}  // namespace disk
