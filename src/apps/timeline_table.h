// Rows of the timeline as a table for people: what `timeline` and `watch` share.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "apps/style.h"
#include "apps/table.h"
#include "ports/timeline.h"

namespace apps {

/// OPENED, LASTED, WHAT, LOCAL, PEER, PID, PROCESS.
Table timeline_table();
/// `day` of local time, as "2026-11-22": rows of that day leave it out; "" = it is always written.
void add_row(Table& table, const ports::TimelineRow& row, const std::string& day);

/// "tcp listen", "udp bound", "tcp refused".
std::string row_kind_in_words(const model::RecordedSocket& socket);
/// "nginx", "nginx +3" with further holders, "nginx?" where it only made the socket, "(kernel)".
std::string row_holder_in_words(const ports::TimelineRow& row);

/// "2026-11-22", the local day.
std::string local_day(int64_t time_us);
/// "7 events were lost ...": what is missing, and from when to when.
std::string gap_in_words(const model::RecordedGap& gap);

}  // namespace apps
