// How the timeline lies in its SQLite file; docs/formats/timeline.md describes it, docs/adr/0010
// says why. Writer, retention and search share what is here.
//
// A socket that ended is one row of closed_0 ... closed_5, by how long it lived. Rows are only ever
// appended, about in the order of their closing, and belong to segments of up to 1024 neighbours.
// A segment knows the times it spans and (in segment_ports) the ports that occur in it. So the
// sockets of one level that were open at T closed between T and T + the level's longest life, and
// of the segments there only those are read in which the port occurs.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "disk/sqlite.h"
#include "model/address.h"
#include "model/clock_history.h"
#include "model/recorded_socket.h"

namespace disk {

inline constexpr int64_t kTimelineFormat = 1;                ///< PRAGMA user_version
inline constexpr int64_t kTimelineApplication = 0x54575054;  ///< "TWPT"
/// Makes every table, index and view in an empty file.
std::string timeline_schema();
/// Fails with kUnsupported for a newer format, with kCorrupt for what is no timeline at all.
void check_timeline_version(const std::string& path, int64_t application, int64_t version);

inline constexpr int kLevels = 6;
inline constexpr int64_t kSegmentRows = 1024;
/// A segment ends after this much time too, so that old rows do not stay for the sake of a new one.
inline constexpr int64_t kSegmentSpanUs = int64_t{24} * 3600 * 1'000'000;
/// Rows may be written this much out of the order of closing and stay in the level of their length;
/// later ones go to the last level, which is searched without counting on order.
inline constexpr int64_t kLatenessUs = 10'000'000;

/// The longest life in a level: 1 s, 17 s, 4.5 min, 72 min, 19 h, any. Sixteenfold steps keep what
/// must be looked through within about sixteen times what is found, however long sockets live.
constexpr int64_t longest_life_us(int level) {
  return level + 1 == kLevels ? std::numeric_limits<int64_t>::max()
                              : (int64_t{1} << (20 + 4 * level)) - 1;
}
constexpr int level_of(int64_t lasted_us) {
  int level = 0;
  while (lasted_us > longest_life_us(level)) ++level;
  return level;
}
std::string closed_table(int level);  ///< "closed_0" ...

/// What many rows have in common, kept once in the table `kind`.
struct Kind {
  uint32_t boot = 0;
  uint32_t netns = 0;
  uint32_t interface = 0;
  model::Protocol protocol = model::Protocol::kTcp;
  model::SocketRole role = model::SocketRole::kBound;
  model::OwnerProof proof = model::OwnerProof::kNone;
  bool opened_before = false;
  bool close_unseen = false;
  uint16_t error = 0;
  model::IpAddress local;
  std::string owner_reason;

  bool operator==(const Kind&) const = default;
};
Kind kind_of(const model::RecordedSocket& socket);
/// Fills the fields of a socket that its kind holds; the local port stays.
void apply_kind(const Kind& kind, model::RecordedSocket& socket);

/// Columns of the table `kind` under this alias for a SELECT, and what a row has from there on.
std::string kind_columns(const std::string& alias);
Kind read_kind(const Statement& row, int first_column);

/// One process, by its id. read_process() binds and runs it; nothing: it is not there.
inline constexpr const char* kProcessById =
    "SELECT p.boot, p.pid, p.start_time_ns, p.parent_pid, g.uid, g.user, g.command, g.exe, "
    "g.unit, g.container, g.parent_command FROM process p JOIN program g ON g.id = p.program "
    "WHERE p.id = ?";
std::optional<model::RecordedProcess> read_process(Statement& by_id, int64_t id);

/// An address in a column: an IPv4 one is a signed 32-bit integer (what `>>` and `&` take apart in
/// SQL), an IPv6 one a blob of 16 bytes. The address must live until the statement has run.
void bind_address(Statement& statement, int parameter, const model::IpAddress& address);
model::IpAddress read_address(const Statement& statement, int column);

/// Ids of further holders: a JSON array of numbers, so that SQL can read it too; "" for none.
std::string encode_ids(const std::vector<int64_t>& ids);
std::vector<int64_t> decode_ids(std::string_view text);

/// The clock of every boot in the file, by boot number.
struct BootClock {
  uint32_t boot = 0;
  model::ClockHistory clock;
};
std::vector<BootClock> read_clocks(Database& database);

/// The only row of the table `state`.
struct TimelineState {
  int64_t boot = 0;            ///< of the last batch; 0 = nothing was written yet
  int64_t recorded_until = 0;  ///< on the clock of that boot
  int64_t next_process = 1;
  int64_t closed_sockets = 0;
  int64_t processes = 0;
  int64_t reach_boot = 0;  ///< rows that closed after `reach` of this boot are all there
  int64_t reach = 0;
};
TimelineState read_state(Database& database);

/// The wall time of a moment; 0 when the boot is not in the file.
int64_t wall_us(const std::vector<BootClock>& clocks, int64_t boot, int64_t boot_us);

}  // namespace disk
