// The tables of the timeline. docs/formats/timeline.md explains every column; keep the two
// together.
#include "disk/timeline_layout.h"

namespace disk {
namespace {

constexpr const char* kTables = R"sql(
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  boot INTEGER NOT NULL,
  recorded_until_boot_us INTEGER NOT NULL,
  next_process INTEGER NOT NULL,
  closed_sockets INTEGER NOT NULL,
  processes INTEGER NOT NULL,
  reach_boot INTEGER NOT NULL,
  reach_boot_us INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 1, 0, 0, 0, 0);

CREATE TABLE boot (
  number INTEGER PRIMARY KEY,
  boot_id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE clock_step (
  boot INTEGER NOT NULL,
  since_boot_us INTEGER NOT NULL,
  wall_minus_boot_us INTEGER NOT NULL,
  PRIMARY KEY (boot, since_boot_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
  boot INTEGER NOT NULL,
  since_boot_us INTEGER NOT NULL,
  ephemeral_first INTEGER NOT NULL,
  ephemeral_last INTEGER NOT NULL,
  reserved TEXT NOT NULL,
  unprivileged_start INTEGER NOT NULL,
  PRIMARY KEY (boot, since_boot_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE gap (
  id INTEGER PRIMARY KEY,
  boot INTEGER NOT NULL,
  from_us INTEGER NOT NULL,
  until_us INTEGER NOT NULL,
  kind TEXT NOT NULL,
  lost INTEGER NOT NULL
) STRICT;

CREATE TABLE program (
  id INTEGER PRIMARY KEY,
  uid INTEGER NOT NULL,
  user TEXT NOT NULL,
  command TEXT NOT NULL,
  exe TEXT NOT NULL,
  unit TEXT NOT NULL,
  container TEXT NOT NULL,
  parent_command TEXT NOT NULL,
  processes INTEGER NOT NULL,
  UNIQUE (command, exe, unit, uid, container, parent_command, user)
) STRICT;

CREATE TABLE process (
  id INTEGER PRIMARY KEY,
  boot INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  start_time_ns INTEGER NOT NULL,
  program INTEGER NOT NULL,
  parent_pid INTEGER NOT NULL,
  last_used_boot_us INTEGER NOT NULL
) STRICT;

CREATE TABLE kind (
  id INTEGER PRIMARY KEY,
  boot INTEGER NOT NULL,
  netns INTEGER NOT NULL,
  interface INTEGER NOT NULL,
  protocol INTEGER NOT NULL,
  role INTEGER NOT NULL,
  proof INTEGER NOT NULL,
  opened_before INTEGER NOT NULL,
  close_unseen INTEGER NOT NULL,
  error INTEGER NOT NULL,
  local_address ANY NOT NULL,
  owner_reason TEXT NOT NULL,
  last_used_boot_us INTEGER NOT NULL,
  UNIQUE (local_address, boot, netns, protocol, role, proof, interface, opened_before,
          close_unseen, error, owner_reason)
) STRICT;

CREATE TABLE open_socket (
  cookie INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  local_port INTEGER NOT NULL,
  remote_port INTEGER NOT NULL,
  opened_boot_us INTEGER NOT NULL,
  remote_address ANY NOT NULL,
  owner INTEGER NOT NULL,
  creator INTEGER NOT NULL,
  also_held_by TEXT,
  bytes_sent INTEGER NOT NULL,
  bytes_received INTEGER NOT NULL,
  rtt_us INTEGER NOT NULL,
  retransmits INTEGER NOT NULL
) STRICT;
CREATE INDEX open_socket_local ON open_socket (local_port);
CREATE INDEX open_socket_remote ON open_socket (remote_port);

CREATE TABLE segment (
  id INTEGER PRIMARY KEY,
  boot INTEGER NOT NULL,
  level INTEGER NOT NULL,
  first_row INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  first_opened INTEGER NOT NULL,
  last_opened INTEGER NOT NULL,
  first_closed INTEGER NOT NULL,
  last_closed INTEGER NOT NULL,
  closed_floor INTEGER NOT NULL
) STRICT;
CREATE INDEX segment_by_closing ON segment (boot, level, last_closed);

CREATE TABLE segment_ports (
  segment INTEGER PRIMARY KEY,
  ports BLOB NOT NULL
) STRICT;
)sql";

// With the number last, SQLite makes a row where its columns are put, and need not copy them.
constexpr const char* kClosedColumns = R"sql( (
  kind INTEGER NOT NULL,
  local_port INTEGER NOT NULL,
  remote_port INTEGER NOT NULL,
  closed_boot_us INTEGER NOT NULL,
  lasted_us INTEGER NOT NULL,
  remote_address ANY NOT NULL,
  cookie INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  creator INTEGER NOT NULL,
  also_held_by TEXT,
  bytes_sent INTEGER NOT NULL,
  bytes_received INTEGER NOT NULL,
  rtt_us INTEGER NOT NULL,
  retransmits INTEGER NOT NULL,
  id INTEGER PRIMARY KEY
) STRICT;
)sql";

// Replaces every @ of the pattern by the column's name.
std::string expand(std::string_view pattern, std::string_view column) {
  std::string text;
  for (const char c : pattern) {
    if (c == '@') {
      text += column;
    } else {
      text += c;
    }
  }
  return text;
}

std::string address_text(std::string_view column) {
  std::string text = expand(
      "CASE typeof(@) WHEN 'integer' THEN (@ >> 24 & 255) || '.' || (@ >> 16 & 255) || '.' || "
      "(@ >> 8 & 255) || '.' || (@ & 255) ELSE lower(",
      column);
  for (int group = 0; group < 8; ++group) {
    if (group > 0) text += " || ':' || ";
    text += expand("substr(hex(@), " + std::to_string(1 + 4 * group) + ", 4)", column);
  }
  return text + ") END";
}

// A boot's first step is at 0, so there is always one before.
std::string wall_time(std::string_view boot_us) {
  const std::string moment(boot_us);
  return moment +
         " + (SELECT c.wall_minus_boot_us FROM clock_step c WHERE c.boot = k.boot AND "
         "c.since_boot_us <= " +
         moment + " ORDER BY c.since_boot_us DESC LIMIT 1)";
}

// CROSS JOIN keeps SQLite from collecting all rows before it hands out the first.
std::string sockets_view() {
  std::string rows;
  for (int level = 0; level < kLevels; ++level) {
    rows +=
        "SELECT cookie, kind, local_port, remote_port, closed_boot_us - lasted_us AS "
        "opened_boot_us, closed_boot_us, remote_address, owner, creator, also_held_by, bytes_sent, "
        "bytes_received, rtt_us, retransmits FROM " +
        closed_table(level) + " UNION ALL\n  ";
  }
  rows +=
      "SELECT cookie, kind, local_port, remote_port, opened_boot_us, NULL, remote_address, owner, "
      "creator, also_held_by, bytes_sent, bytes_received, rtt_us, retransmits FROM open_socket";
  return "CREATE VIEW sockets AS SELECT\n"
         "  k.boot AS boot, s.cookie AS cookie, k.netns AS netns, k.interface AS interface,\n"
         "  CASE k.protocol WHEN 6 THEN 'tcp' WHEN 17 THEN 'udp' WHEN 33 THEN 'dccp'\n"
         "    WHEN 132 THEN 'sctp' WHEN 136 THEN 'udplite' ELSE 'raw' END AS protocol,\n"
         "  CASE k.role WHEN 1 THEN 'listener' WHEN 2 THEN 'outgoing' WHEN 3 THEN 'incoming'\n"
         "    WHEN 4 THEN 'bound' WHEN 5 THEN 'connect-failed' WHEN 6 THEN 'bind-failed'\n"
         "    WHEN 7 THEN 'refused' END AS role,\n  " +
         address_text("k.local_address") +
         " AS local_address,\n  s.local_port AS local_port,\n"
         "  CASE WHEN s.remote_port <> 0 THEN " +
         address_text("s.remote_address") +
         " END AS remote_address,\n"
         "  nullif(s.remote_port, 0) AS remote_port,\n  " +
         wall_time("s.opened_boot_us") + " AS opened_us,\n  " + wall_time("s.closed_boot_us") +
         " AS closed_us,\n"
         "  s.opened_boot_us AS opened_boot_us, s.closed_boot_us AS closed_boot_us,\n"
         "  s.closed_boot_us - s.opened_boot_us AS lasted_us,\n"
         "  k.opened_before AS opened_before, k.close_unseen AS close_unseen, k.error AS error,\n"
         "  CASE k.proof WHEN 0 THEN 'none' WHEN 1 THEN 'acted' WHEN 2 THEN 'held'\n"
         "    WHEN 3 THEN 'inherited' END AS owner_proof,\n"
         "  k.owner_reason AS owner_reason,\n"
         "  p.pid AS pid, g.uid AS uid, g.user AS user, g.command AS command, g.exe AS exe,\n"
         "  g.unit AS unit, g.container AS container,\n"
         "  nullif(s.owner, 0) AS process, nullif(s.creator, 0) AS creator_process,\n"
         "  s.also_held_by AS also_held_by,\n"
         "  s.bytes_sent AS bytes_sent, s.bytes_received AS bytes_received,\n"
         "  s.rtt_us AS rtt_us, s.retransmits AS retransmits\n"
         "FROM (" +
         rows +
         ") s\n"
         "CROSS JOIN kind k ON k.id = s.kind\n"
         "LEFT JOIN process p ON p.id = s.owner\n"
         "LEFT JOIN program g ON g.id = p.program;\n";
}

constexpr const char* kOtherViews = R"sql(
CREATE VIEW processes AS SELECT
  p.id AS process, p.boot AS boot, p.pid AS pid, p.start_time_ns AS start_time_ns,
  g.uid AS uid, g.user AS user, g.command AS command, g.exe AS exe, g.unit AS unit,
  g.container AS container, p.parent_pid AS parent_pid, g.parent_command AS parent_command
FROM process p JOIN program g ON g.id = p.program;

CREATE VIEW gaps AS SELECT boot, from_us, until_us, kind, lost FROM gap;
)sql";

}  // namespace

std::string closed_table(int level) { return "closed_" + std::to_string(level); }

std::string timeline_schema() {
  std::string sql = kTables;
  for (int level = 0; level < kLevels; ++level) {
    sql += "CREATE TABLE " + closed_table(level) + kClosedColumns;
  }
  return sql + sockets_view() + kOtherViews;
}

}  // namespace disk
