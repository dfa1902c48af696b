#include "disk/timeline_names.h"

#include <bit>
#include <cstring>
#include <type_traits>

namespace disk {
namespace {

// Names that have not been asked for in so many others are looked up in the file again.
constexpr size_t kMostRemembered = size_t{1} << 16U;

template <class Number>
void append_number(std::string& key, Number value) {
  static_assert(std::is_trivially_copyable_v<Number>);
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  key.append(bytes, sizeof value);
}

void append_text(std::string& key, std::string_view text) {
  append_number(key, static_cast<uint32_t>(text.size()));
  key += text;
}

// What differs between the kinds of one server's sockets.
size_t place_of(const Kind& kind, size_t places) {
  uint64_t halves[2];
  static_assert(sizeof halves == sizeof kind.local.bytes);
  std::memcpy(halves, kind.local.bytes.data(), sizeof halves);
  uint64_t mixed = halves[0] ^ std::rotl(halves[1], 23) ^ uint64_t { kind.netns } << 32U;
  mixed ^= uint64_t{static_cast<uint8_t>(kind.role)} << 8U | static_cast<uint8_t>(kind.proof);
  mixed ^= uint64_t{static_cast<uint8_t>(kind.protocol)} << 16U;
  return (mixed * 0x9E3779B97F4A7C15U >> 32U) % places;
}

template <class Map>
bool make_room(Map& map) {
  if (map.size() < kMostRemembered) return false;
  map.clear();
  return true;
}

}  // namespace

TimelineNames::TimelineNames(Database& database) {
  find_kind_ = database.prepare(
      "SELECT id, last_used_boot_us FROM kind WHERE local_address = ? AND boot = ? AND netns = ? "
      "AND protocol = ? AND role = ? AND proof = ? AND interface = ? AND opened_before = ? AND "
      "close_unseen = ? AND error = ? AND owner_reason = ?");
  add_kind_ = database.prepare(
      "INSERT INTO kind(local_address, boot, netns, protocol, role, proof, interface, "
      "opened_before, close_unseen, error, owner_reason, last_used_boot_us) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id");
  use_kind_ = database.prepare(
      "UPDATE kind SET last_used_boot_us = max(last_used_boot_us, ?2) WHERE id = ?1");
  find_program_ = database.prepare(
      "SELECT id FROM program WHERE command = ? AND exe = ? AND unit = ? AND uid = ? AND "
      "container = ? AND parent_command = ? AND user = ?");
  add_program_ = database.prepare(
      "INSERT INTO program(command, exe, unit, uid, container, parent_command, user, processes) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, 0) RETURNING id");
  count_program_ = database.prepare("UPDATE program SET processes = processes + ?2 WHERE id = ?1");
  find_process_ = database.prepare("SELECT program FROM process WHERE id = ?");
  put_process_ = database.prepare(
      "INSERT INTO process VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(id) DO UPDATE SET "
      "boot = ?2, pid = ?3, start_time_ns = ?4, program = ?5, parent_pid = ?6, "
      "last_used_boot_us = max(last_used_boot_us, ?7)");
  use_process_ = database.prepare(
      "UPDATE process SET last_used_boot_us = max(last_used_boot_us, ?2) WHERE id = ?1");
}

void TimelineNames::forget() {
  kinds_.clear();
  forget_recent_kinds();
  programs_.clear();
  processes_.clear();
  program_counts_.clear();
}

void TimelineNames::forget_recent_kinds() {
  recent_kinds_.assign(recent_kinds_.size(), RecentKind{});
}

TimelineNames::Used& TimelineNames::used_kind(const Kind& kind, int64_t used_us) {
  RecentKind& recent = recent_kinds_[place_of(kind, recent_kinds_.size())];
  if (recent.used != nullptr && recent.kind == kind) return *recent.used;
  key_.clear();
  append_number(key_, kind.boot);
  append_number(key_, kind.netns);
  append_number(key_, kind.interface);
  append_number(key_, kind.protocol);
  append_number(key_, kind.role);
  append_number(key_, kind.proof);
  append_number(key_, kind.opened_before);
  append_number(key_, kind.close_unseen);
  append_number(key_, kind.error);
  append_number(key_, kind.local.family);
  append_number(key_, kind.local.bytes);
  key_ += kind.owner_reason;

  auto at = kinds_.find(key_);
  if (at == kinds_.end()) {
    const auto bind = [&](Statement& statement) {
      bind_address(statement, 1, kind.local);
      statement.bind(2, kind.boot).bind(3, kind.netns);
      statement.bind(4, static_cast<int64_t>(kind.protocol));
      statement.bind(5, static_cast<int64_t>(kind.role));
      statement.bind(6, static_cast<int64_t>(kind.proof)).bind(7, kind.interface);
      statement.bind(8, kind.opened_before ? 1 : 0).bind(9, kind.close_unseen ? 1 : 0);
      statement.bind(10, kind.error).bind_text(11, kind.owner_reason);
    };
    Used found;
    bind(find_kind_);
    if (find_kind_.step()) {
      found = {find_kind_.integer(0), find_kind_.integer(1)};
      find_kind_.reset();
    } else {
      bind(add_kind_);
      add_kind_.bind(12, used_us).step();
      found = {add_kind_.integer(0), used_us};
      add_kind_.run();
    }
    if (make_room(kinds_)) forget_recent_kinds();
    at = kinds_.emplace(key_, found).first;
  }
  recent = {kind, &at->second};
  return at->second;
}

int64_t TimelineNames::kind(const Kind& kind, int64_t used_us) {
  Used& used = used_kind(kind, used_us);
  if (used_us > used.used_us + kLastUsedSlackUs) {
    use_kind_.bind(1, used.id).bind(2, used_us).run();
    used.used_us = used_us;
  }
  return used.id;
}

int64_t TimelineNames::program(const model::RecordedProcess& process) {
  key_.clear();
  append_number(key_, process.uid);
  append_text(key_, process.user);
  append_text(key_, process.command);
  append_text(key_, process.exe);
  append_text(key_, process.unit);
  append_text(key_, process.container);
  append_text(key_, process.parent_command);
  if (const auto at = programs_.find(key_); at != programs_.end()) return at->second;

  const auto bind = [&](Statement& statement) {
    statement.bind_text(1, process.command).bind_text(2, process.exe).bind_text(3, process.unit);
    statement.bind(4, process.uid).bind_text(5, process.container);
    statement.bind_text(6, process.parent_command).bind_text(7, process.user);
  };
  int64_t id = 0;
  bind(find_program_);
  if (find_program_.step()) {
    id = find_program_.integer(0);
    find_program_.reset();
  } else {
    bind(add_program_);
    add_program_.step();
    id = add_program_.integer(0);
    add_program_.run();
  }
  make_room(programs_);
  programs_.emplace(key_, id);
  return id;
}

bool TimelineNames::put_process(const model::RecordedProcess& process, int64_t used_us) {
  const int64_t program_id = program(process);
  find_process_.bind(1, process.id);
  const bool known = find_process_.step();
  if (known) {
    --program_counts_[find_process_.integer(0)];
    find_process_.reset();
  }
  ++program_counts_[program_id];
  put_process_.bind(1, process.id).bind(2, process.boot).bind(3, process.pid);
  put_process_.bind(4, static_cast<int64_t>(process.start_time_ns)).bind(5, program_id);
  put_process_.bind(6, process.parent_pid).bind(7, used_us);
  put_process_.run();
  make_room(processes_);
  int64_t& last_used = processes_[process.id];
  last_used = std::max(last_used, used_us);
  return !known;
}

void TimelineNames::use_process(int64_t id, int64_t used_us) {
  if (id == 0) return;
  make_room(processes_);
  const auto [at, added] = processes_.try_emplace(id, used_us);
  if (!added && used_us <= at->second + kLastUsedSlackUs) return;
  use_process_.bind(1, id).bind(2, used_us).run();
  at->second = used_us;
}

void TimelineNames::flush() {
  for (const auto& [id, change] : program_counts_) {
    if (change != 0) count_program_.bind(1, id).bind(2, change).run();
  }
  program_counts_.clear();
}

}  // namespace disk
