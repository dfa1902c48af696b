// SqliteTimelineReader: looks into the timeline of a directory, while a recorder writes it or not.
// Every call is one short read transaction, so it sees whole batches and keeps nobody waiting. One
// thread each. The caller must be the user who records, or root: the files are readable by nobody
// else.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "disk/sqlite.h"
#include "disk/timeline_files.h"
#include "ports/timeline.h"

namespace disk {

class SqliteTimelineReader final : public ports::TimelineReader {
 public:
  /// kNotFound: nothing was ever recorded there. kUnsupported: a newer twinport wrote it. kCorrupt:
  /// damaged; the recorder sets it aside when it comes upon the damage.
  static base::Result<std::unique_ptr<SqliteTimelineReader>> open(const std::string& directory);

  base::Result<ports::TimelineAnswer> find(const ports::TimelineQuery& query) override;
  base::Result<ports::TimelineStatus> status() override;

 private:
  explicit SqliteTimelineReader(std::string directory) : files_(std::move(directory)) {}
  void open_file();

  TimelineFiles files_;
  Database database_;
};

}  // namespace disk
