// TimelineNames: what rows of the timeline have in common, kept once: kinds, programs, processes.
// Part of the one writer; every call happens inside its transaction. After a transaction that
// failed, or that dropped rows of these tables, forget() must be called before anything else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "disk/sqlite.h"
#include "disk/timeline_layout.h"
#include "model/recorded_socket.h"

namespace disk {

class TimelineNames {
 public:
  explicit TimelineNames(Database& database);

  void forget();
  /// The id of this kind. `used_us`: when the row that asks for it closed, 0 = it is open.
  int64_t kind(const Kind& kind, int64_t used_us);
  /// Adds a process, or puts what is known now in the place of what was known; true = it is new.
  bool put_process(const model::RecordedProcess& process, int64_t used_us);
  /// A row that closed then names this process; 0 is nobody.
  void use_process(int64_t id, int64_t used_us);
  /// Writes the counts of processes of each program. Before the end of each transaction.
  void flush();

 private:
  struct Used {
    int64_t id = 0;
    int64_t used_us = 0;
  };
  // One of the last kinds that were asked for, at the place that its numbers give: a busy server's
  // rows are of few kinds, and to compare costs less than to make the key.
  struct RecentKind {
    Kind kind;
    Used* used = nullptr;  // in kinds_
  };
  void forget_recent_kinds();
  Used& used_kind(const Kind& kind, int64_t used_us);
  int64_t program(const model::RecordedProcess& process);

  std::unordered_map<std::string, Used> kinds_;
  std::vector<RecentKind> recent_kinds_ = std::vector<RecentKind>(512);
  std::unordered_map<std::string, int64_t> programs_;
  std::unordered_map<int64_t, int64_t> processes_;       // id → when last used
  std::unordered_map<int64_t, int64_t> program_counts_;  // id → change since the last flush
  std::string key_;
  Statement find_kind_;
  Statement add_kind_;
  Statement use_kind_;
  Statement find_program_;
  Statement add_program_;
  Statement count_program_;
  Statement find_process_;
  Statement put_process_;
  Statement use_process_;
};

/// `last_used_boot_us` in the file may lag behind the truth by this much: it is not worth a write
/// for each row. Whoever drops what is unused must allow for it.
inline constexpr int64_t kLastUsedSlackUs = int64_t{3600} * 1'000'000;

}  // namespace disk
