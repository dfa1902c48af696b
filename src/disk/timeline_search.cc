#include "disk/timeline_search.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/text.h"
#include "format/port_set.h"

namespace disk {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// A search without a limit may meet millions of processes; what was met long ago is asked again.
constexpr size_t kMostRemembered = size_t{1} << 16U;

constexpr size_t kMostRows = std::numeric_limits<size_t>::max() / 2;

int64_t saturating_add(int64_t left, int64_t right) {
  int64_t sum = 0;
  return __builtin_add_overflow(left, right, &sum) ? kNever : sum;
}

// The order of answers: newest boot, newest opening, and then anything that is always the same.
auto rank(const model::RecordedSocket& socket) {
  return std::tuple(socket.boot, socket.opened_boot_us, socket.closed_boot_us.value_or(kNever),
                    socket.cookie);
}

bool newer(const model::RecordedSocket& left, const model::RecordedSocket& right) {
  return rank(left) > rank(right);
}

}  // namespace

TimelineSearch::TimelineSearch(Database& database, const ports::TimelineQuery& query)
    : database_(database),
      query_(query),
      limit_(std::min(query.limit, kMostRows)),
      lookup_([this](int64_t id) { return process(id); }) {
  kind_ = database.prepare("SELECT " + kind_columns("k") + " FROM kind k WHERE k.id = ?");
  process_ = database.prepare(kProcessById);
  ports_ = database.prepare("SELECT ports FROM segment_ports WHERE segment = ?");
}

ports::TimelineAnswer TimelineSearch::run() {
  ports::TimelineAnswer answer;
  clocks_ = read_clocks(database_);
  const TimelineState state = read_state(database_);
  answer.oldest_us = wall_us(clocks_, state.reach_boot, state.reach);
  answer.recorded_until_us = wall_us(clocks_, state.boot, state.recorded_until);
  search_open();
  for (auto boot = clocks_.rbegin(); boot != clocks_.rend(); ++boot) {
    if (!full_beyond(boot->boot, kNever)) search_boot(*boot);
  }
  std::ranges::sort(found_, [](const Found& left, const Found& right) {
    return newer(left.socket, right.socket);
  });
  if (found_.size() > limit_) {
    answer.more = true;
    found_.resize(limit_);
  }
  answer.rows.reserve(found_.size());
  for (const auto& found : found_) answer.rows.push_back(row_of(found));
  add_gaps(answer);
  add_policies(answer);
  return answer;
}

// ---- which rows to look at ---------------------------------------------------------------------

void TimelineSearch::search_boot(const BootClock& boot) {
  const Windows windows = ports::boot_windows(query_, boot.clock);
  if (windows.empty()) return;
  std::vector<Segment> segments;
  for (int level = 0; level < kLevels; ++level) {
    find_segments(boot.boot, level, windows, segments);
  }
  std::ranges::sort(segments, std::greater{}, &Segment::last_opened);
  for (const auto& segment : segments) {
    if (full_beyond(boot.boot, segment.last_opened)) return;
    if (may_have_ports(segment)) search_segment(segment, boot.boot, windows);
  }
}

void TimelineSearch::find_segments(uint32_t boot, int level, const Windows& windows,
                                   std::vector<Segment>& found) {
  Statement find = database_.prepare(
      "SELECT id, first_row, rows, first_opened, last_opened, last_closed, closed_floor "
      "FROM segment WHERE boot = ? AND level = ? AND last_closed >= ? ORDER BY last_closed");
  const bool ordered = level + 1 < kLevels;
  std::set<int64_t> met;  // windows may lie close together
  for (const auto& window : windows) {
    const int64_t latest_close = saturating_add(window.until_us, longest_life_us(level));
    find.bind(1, boot).bind(2, level).bind(3, window.from_us);
    while (find.step()) {
      if (ordered && find.integer(6) > latest_close) {
        find.reset();
        break;
      }
      if (find.integer(3) > window.until_us || !met.insert(find.integer(0)).second) continue;
      found.push_back({.id = find.integer(0),
                       .level = level,
                       .first_row = find.integer(1),
                       .rows = find.integer(2),
                       .last_opened = find.integer(4)});
    }
  }
}

bool TimelineSearch::may_have_ports(const Segment& segment) {
  if (!query_.port && !query_.local_port && !query_.remote_port) return true;
  ports_.bind(1, segment.id);
  if (!ports_.step()) return true;
  const auto ports = ports_.blob(0);
  const auto meets = [&](model::PortRange range) {
    const auto answer = format::port_set_meets(ports, range);
    if (!answer) throw Failure{answer.error()};
    return *answer;
  };
  const bool may = (!query_.port || meets(*query_.port)) &&
                   (!query_.local_port || meets(*query_.local_port)) &&
                   (!query_.remote_port || *query_.remote_port == 0 ||
                    meets({*query_.remote_port, *query_.remote_port}));
  ports_.reset();
  return may;
}

// Conditions on ports come first, as they reject the most; bind_ports() counts on that.
Statement TimelineSearch::row_statement(const std::string& table, const std::string& bounds,
                                        bool closed) {
  std::string sql =
      "SELECT cookie, kind, local_port, remote_port, remote_address, owner, creator, "
      "also_held_by, bytes_sent, bytes_received, rtt_us, retransmits, ";
  sql += closed ? "closed_boot_us, lasted_us" : "opened_boot_us";
  sql += " FROM " + table + " WHERE ";
  if (query_.port) {
    sql += "(local_port BETWEEN ? AND ? OR remote_port BETWEEN ? AND ?) AND ";
  }
  if (query_.local_port) sql += "local_port BETWEEN ? AND ? AND ";
  if (query_.remote_port) sql += "remote_port = ? AND ";
  return database_.prepare(sql + bounds);
}

// Returns the number of the parameter behind them.
int TimelineSearch::bind_ports(Statement& statement) const {
  int parameter = 1;
  // Port 0 means "none" and is in no range.
  const auto bind_range = [&](model::PortRange range) {
    statement.bind(parameter++, std::max<int64_t>(range.first, 1));
    statement.bind(parameter++, range.last);
  };
  if (query_.port) {
    bind_range(*query_.port);
    bind_range(*query_.port);
  }
  if (query_.local_port) bind_range(*query_.local_port);
  if (query_.remote_port) statement.bind(parameter++, *query_.remote_port);
  return parameter;
}

void TimelineSearch::search_open() {
  Statement rows = row_statement("open_socket", "1", false);
  bind_ports(rows);
  std::unordered_map<uint32_t, Windows> windows;
  for (const auto& [boot, clock] : clocks_) windows[boot] = ports::boot_windows(query_, clock);
  while (rows.step()) {
    const uint32_t boot = kind(rows.integer(1)).boot;
    take(rows, false, boot, windows[boot]);
  }
}

void TimelineSearch::search_segment(const Segment& segment, uint32_t boot, const Windows& windows) {
  Statement& rows = rows_[segment.level];
  if (!rows.prepared()) {
    rows = row_statement(closed_table(segment.level),
                         "id >= ? AND id < ? AND closed_boot_us >= ? AND "
                         "closed_boot_us - lasted_us <= ?",
                         true);
  }
  const int next = bind_ports(rows);
  rows.bind(next, segment.first_row).bind(next + 1, segment.first_row + segment.rows);
  rows.bind(next + 2, windows.front().from_us).bind(next + 3, windows.back().until_us);
  while (rows.step()) take(rows, true, boot, windows);
}

// ---- rows that match ---------------------------------------------------------------------------

void TimelineSearch::take(const Statement& row, bool closed, uint32_t boot,
                          const Windows& windows) {
  Found found;
  found.boot = boot;
  found.kind = row.integer(1);
  model::RecordedSocket& socket = found.socket;
  socket.boot = boot;
  socket.cookie = static_cast<uint64_t>(row.integer(0));
  socket.opened_boot_us = row.integer(12);
  if (closed) {
    socket.closed_boot_us = row.integer(12);
    socket.opened_boot_us -= row.integer(13);
  }
  if (!ports::alive_in(windows, socket.opened_boot_us, socket.closed_boot_us.value_or(kNever))) {
    return;
  }
  if (found_.size() > limit_ && !newer(socket, found_.front().socket)) return;
  const Kind& its_kind = kind(found.kind);
  socket.local.port = static_cast<uint16_t>(row.integer(2));
  socket.local.address = its_kind.local;
  socket.protocol = its_kind.protocol;
  socket.remote.port = static_cast<uint16_t>(row.integer(3));
  socket.remote.address = read_address(row, 4);
  if (!ports::socket_matches(query_, socket)) return;
  socket.owner = row.integer(5);
  socket.creator = row.integer(6);
  if (!row.is_null(7)) socket.also_held_by = decode_ids(row.text(7));
  socket.totals.bytes_sent = static_cast<uint64_t>(row.integer(8));
  socket.totals.bytes_received = static_cast<uint64_t>(row.integer(9));
  socket.totals.rtt_us = static_cast<uint32_t>(row.integer(10));
  socket.totals.retransmits = static_cast<uint32_t>(row.integer(11));
  if (!ports::holders_match(query_, socket, lookup_)) return;
  keep(std::move(found));
}

void TimelineSearch::keep(Found&& found) {
  const auto older_on_top = [](const Found& left, const Found& right) {
    return newer(left.socket, right.socket);
  };
  found_.push_back(std::move(found));
  std::ranges::push_heap(found_, older_on_top);
  // One more than the limit tells that there is more.
  if (found_.size() <= limit_ + 1) return;
  std::ranges::pop_heap(found_, older_on_top);
  found_.pop_back();
}

bool TimelineSearch::full_beyond(uint32_t boot, int64_t opened_us) const {
  if (found_.size() <= limit_) return false;
  const auto& oldest = found_.front().socket;
  return std::tuple(boot, opened_us) < std::tuple(oldest.boot, oldest.opened_boot_us);
}

ports::TimelineRow TimelineSearch::row_of(const Found& found) {
  ports::TimelineRow row;
  row.socket = found.socket;
  apply_kind(kind(found.kind), row.socket);
  row.socket.opened_us = wall_us(clocks_, found.boot, row.socket.opened_boot_us);
  if (row.socket.closed_boot_us) {
    row.socket.closed_us = wall_us(clocks_, found.boot, *row.socket.closed_boot_us);
  }
  if (const auto* owner = process(row.socket.owner)) row.owner = *owner;
  if (const auto* creator = process(row.socket.creator)) row.creator = *creator;
  for (const int64_t id : row.socket.also_held_by) {
    if (const auto* holder = process(id)) row.also_held_by.push_back(*holder);
  }
  return row;
}

const Kind& TimelineSearch::kind(int64_t id) {
  if (const auto at = kinds_.find(id); at != kinds_.end()) return at->second;
  if (kinds_.size() >= kMostRemembered) kinds_.clear();
  kind_.bind(1, id);
  if (!kind_.step()) {
    raise(base::ErrorKind::kCorrupt,
          "read the timeline: a row refers to a kind that is not there; the file is damaged, and "
          "the recorder sets it aside when it notices");
  }
  const auto at = kinds_.emplace(id, read_kind(kind_, 0)).first;
  kind_.reset();
  return at->second;
}

const model::RecordedProcess* TimelineSearch::process(int64_t id) {
  if (id == 0) return nullptr;
  if (const auto at = processes_.find(id); at != processes_.end()) {
    return at->second.id == 0 ? nullptr : &at->second;
  }
  if (processes_.size() >= kMostRemembered) processes_.clear();
  model::RecordedProcess& process = processes_[id];
  auto found = read_process(process_, id);
  if (!found) return nullptr;
  process = std::move(*found);
  return &process;
}

// ---- what else was going on --------------------------------------------------------------------

void TimelineSearch::add_gaps(ports::TimelineAnswer& answer) {
  Windows windows = ports::merged(query_.windows);
  if (query_.windows.empty()) windows = {{std::numeric_limits<int64_t>::min(), kNever}};
  Statement rows = database_.prepare(
      "SELECT boot, from_us, until_us, kind, lost FROM gap ORDER BY from_us, until_us, kind");
  while (rows.step()) {
    if (!ports::alive_in(windows, rows.integer(1), rows.integer(2))) continue;
    model::RecordedGap gap;
    gap.boot = static_cast<uint32_t>(rows.integer(0));
    gap.from_us = rows.integer(1);
    gap.until_us = rows.integer(2);
    gap.kind = rows.text(3);
    gap.lost = static_cast<uint64_t>(rows.integer(4));
    answer.gaps.push_back(std::move(gap));
  }
}

void TimelineSearch::add_policies(ports::TimelineAnswer& answer) {
  struct Row {
    ports::RecordedPolicy policy;
    int64_t since_boot_us = 0;
  };
  std::vector<Row> all;
  Statement rows = database_.prepare(
      "SELECT boot, since_boot_us, ephemeral_first, ephemeral_last, reserved, unprivileged_start "
      "FROM policy ORDER BY boot, since_boot_us");
  while (rows.step()) {
    Row row;
    row.policy.boot = static_cast<uint32_t>(rows.integer(0));
    row.since_boot_us = rows.integer(1);
    row.policy.since_us = wall_us(clocks_, row.policy.boot, row.since_boot_us);
    auto& policy = row.policy.policy;
    policy.ephemeral = {static_cast<uint16_t>(rows.integer(2)),
                        static_cast<uint16_t>(rows.integer(3))};
    for (std::string_view list = rows.text(4); !list.empty();) {
      if (const auto range = model::parse_port_range(base::take_until(list, ','))) {
        policy.reserved.push_back(*range);
      }
    }
    policy.unprivileged_start = static_cast<uint16_t>(rows.integer(5));
    policy.known = true;
    all.push_back(std::move(row));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    const auto& [policy, since] = all[i];
    const bool last = i + 1 == all.size() || all[i + 1].policy.boot != policy.boot;
    const int64_t until = last ? kNever : all[i + 1].since_boot_us - 1;
    const auto clock = std::ranges::find(clocks_, policy.boot, &BootClock::boot);
    if (clock == clocks_.end()) continue;
    if (ports::alive_in(ports::boot_windows(query_, clock->clock), since, until)) {
      answer.policies.push_back(policy);
    }
  }
}

}  // namespace disk
