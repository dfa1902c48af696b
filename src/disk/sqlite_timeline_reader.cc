#include "disk/sqlite_timeline_reader.h"

#include "disk/timeline_layout.h"
#include "disk/timeline_search.h"

namespace disk {
namespace {

using base::ErrorKind;

[[noreturn]] void raise_nothing_recorded(const TimelineFiles& files) {
  raise(ErrorKind::kNotFound, "look into the timeline " + files.database() +
                                  ": there is none, nothing has been recorded there; run "
                                  "`twinport record`, or name the right place with --state");
}

void check_version(Database& database, const TimelineFiles& files) {
  // A recorder that is just beginning, or that ended before it had made its tables.
  if (database.integer("SELECT count(*) FROM sqlite_schema") == 0) raise_nothing_recorded(files);
  check_timeline_version(files.database(), database.integer("PRAGMA application_id"),
                         database.integer("PRAGMA user_version"));
}

}  // namespace

base::Result<std::unique_ptr<SqliteTimelineReader>> SqliteTimelineReader::open(
    const std::string& directory) {
  std::unique_ptr<SqliteTimelineReader> reader(new SqliteTimelineReader(directory));
  const auto opened = guarded([&] { reader->open_file(); });
  if (!opened) return std::unexpected(opened.error());
  return reader;
}

void SqliteTimelineReader::open_file() {
  const auto shared = guarded([&] {
    database_ = Database::open(files_.database(), Database::Mode::kRead);
    check_version(database_, files_);
  });
  if (shared) return;
  const auto& error = shared.error();
  if (error.kind == ErrorKind::kNotFound) raise_nothing_recorded(files_);
  // A full disk has no room for the shared memory beside the file. Where no log is left, nobody
  // writes, and the file can be read as it is.
  if (error.kind == ErrorKind::kIo && files_.log_bytes() == 0) {
    const auto alone = guarded([&] {
      database_ = Database::open(files_.database(), Database::Mode::kReadUnchanging);
      check_version(database_, files_);
    });
    if (alone) return;
  }
  throw Failure{error};
}

base::Result<ports::TimelineAnswer> SqliteTimelineReader::find(const ports::TimelineQuery& query) {
  return guarded([&] {
    const Transaction transaction(database_, Transaction::Kind::kRead);
    return TimelineSearch(database_, query).run();
  });
}

base::Result<ports::TimelineStatus> SqliteTimelineReader::status() {
  return guarded([&] {
    const Transaction transaction(database_, Transaction::Kind::kRead);
    const TimelineState state = read_state(database_);
    const auto clocks = read_clocks(database_);
    ports::TimelineStatus status;
    status.oldest_us = wall_us(clocks, state.reach_boot, state.reach);
    status.recorded_until_us = wall_us(clocks, state.boot, state.recorded_until);
    status.open_sockets =
        static_cast<uint64_t>(database_.integer("SELECT count(*) FROM open_socket"));
    status.sockets = static_cast<uint64_t>(state.closed_sockets) + status.open_sockets;
    status.processes = static_cast<uint64_t>(state.processes);
    status.size_bytes = files_.size_bytes();
    status.events_lost =
        static_cast<uint64_t>(database_.integer("SELECT ifnull(sum(lost), 0) FROM gap"));
    return status;
  });
}

}  // namespace disk
