// Backup: from files to a snapshot. Walks the paths in order, cuts what is new or changed into
// chunks, and commits. What cannot be read is told and left out; it stops nothing. One thread walks
// and reads; the session's workers compress and seal.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backup/chunker.h"
#include "backup/selection.h"
#include "backup/source.h"
#include "backup/tree_reader.h"
#include "base/result.h"
#include "model/backup_tree.h"
#include "repo/chunk_reader.h"
#include "repo/repository.h"
#include "repo/writer_session.h"

namespace backup {

struct BackupRequest {
  std::vector<std::string> paths;  ///< absolute_path() made them
  Selection selection;
  std::vector<std::string> tags;
  std::string host;
  std::string user;
  std::string program;
  repo::WriterOptions writer;
  bool read_all = false;  ///< trust no earlier snapshot
  std::function<int64_t()> store_clock_s;
  /// Told of each thing that could not be read, or changed while it was.
  std::function<void(const std::string& path, const std::string& what)> on_problem;
};

struct BackupReport {
  model::ChunkId name;
  model::Snapshot snapshot;
  LeftOut left_out;
  uint64_t unchanged_files = 0;
  uint64_t stored_bytes = 0;
  bool had_parent = false;
};

base::Result<BackupReport> back_up(repo::Repository& repository, Source& source,
                                   const BackupRequest& request);

}  // namespace backup
