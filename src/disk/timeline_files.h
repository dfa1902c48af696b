// TimelineFiles: the files of a timeline in its directory, and what keeps two recorders apart.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"

namespace disk {

class TimelineFiles {
 public:
  explicit TimelineFiles(std::string directory) : directory_(std::move(directory)) {}

  [[nodiscard]] std::string database() const { return directory_ + "/timeline.db"; }
  [[nodiscard]] std::string log() const { return database() + "-wal"; }
  [[nodiscard]] bool exists() const;
  /// Of the write-ahead log; 0 when the last recorder ended in peace.
  [[nodiscard]] uint64_t log_bytes() const;
  /// Database and log.
  [[nodiscard]] uint64_t size_bytes() const;

  // The rest is for the one writer; failures are thrown (see disk/sqlite.h).

  /// Makes the directory, and refuses one that other users could put files into.
  void prepare_directory() const;
  /// Held as long as the Fd lives. A second recorder on the same directory fails here.
  [[nodiscard]] base::Fd lock() const;
  /// An empty file that only we can read. SQLite gives its log the same mode.
  void create() const;
  /// Moves a damaged database out of the way, under a name with the time in it, and returns that
  /// name. Of those that were set aside before only the newest is kept, so that a failing disk is
  /// not filled up too.
  [[nodiscard]] std::string set_aside(int64_t now_us) const;

 private:
  std::string directory_;
};

}  // namespace disk
