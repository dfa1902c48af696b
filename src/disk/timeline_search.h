// TimelineSearch: answers one TimelineQuery inside a read transaction. Rows are found by level and
// segment (see disk/timeline_layout.h), newest opening first; what cannot be among the newest
// `limit` is not read.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "disk/sqlite.h"
#include "disk/timeline_layout.h"
#include "ports/timeline.h"
#include "ports/timeline_match.h"

namespace disk {

class TimelineSearch {
 public:
  TimelineSearch(Database& database, const ports::TimelineQuery& query);
  ports::TimelineAnswer run();

 private:
  struct Segment {
    int64_t id = 0;
    int level = 0;
    int64_t first_row = 0;
    int64_t rows = 0;
    int64_t last_opened = 0;
  };
  // A row that matches, with all that lies in the row itself.
  struct Found {
    uint32_t boot = 0;
    int64_t kind = 0;
    model::RecordedSocket socket;
  };
  using Windows = std::vector<model::TimeWindow>;

  void search_open();
  void search_boot(const BootClock& boot);
  void find_segments(uint32_t boot, int level, const Windows& windows, std::vector<Segment>& found);
  bool may_have_ports(const Segment& segment);
  void search_segment(const Segment& segment, uint32_t boot, const Windows& windows);
  Statement row_statement(const std::string& table, const std::string& bounds, bool closed);
  int bind_ports(Statement& statement) const;
  void take(const Statement& row, bool closed, uint32_t boot, const Windows& windows);
  void keep(Found&& found);
  /// No row of this boot opened at that time or before could still be among the newest.
  [[nodiscard]] bool full_beyond(uint32_t boot, int64_t opened_us) const;

  ports::TimelineRow row_of(const Found& found);
  const Kind& kind(int64_t id);
  const model::RecordedProcess* process(int64_t id);
  void add_gaps(ports::TimelineAnswer& answer);
  void add_policies(ports::TimelineAnswer& answer);

  Database& database_;
  const ports::TimelineQuery& query_;
  size_t limit_;
  ports::ProcessLookup lookup_;
  std::vector<BootClock> clocks_;
  std::vector<Found> found_;  // a heap, the oldest opening on top, at most limit + 1
  std::array<Statement, kLevels> rows_;
  Statement ports_;
  Statement kind_;
  Statement process_;
  std::unordered_map<int64_t, Kind> kinds_;
  std::unordered_map<int64_t, model::RecordedProcess> processes_;
};

}  // namespace disk
