// WriterSession: chunks in, packs, index and snapshot out, in the order that makes a crash leave
// garbage and never damage. One thread adds; segments are compressed and sealed by workers; memory
// is bounded. A session ends with commit(), or leaves packs behind that the next one takes up.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "repo/index_set.h"
#include "repo/repository.h"
#include "repo/segment.h"

namespace repo {

struct WriterOptions {
  unsigned workers = 2;
  int compression_level = 3;
};

class WriterSession {
 public:
  /// Shows itself in the store, loads the indexes, and takes up the packs that interrupted sessions
  /// left. What the session is told is stored stays so until it ends: docs/concurrency.md.
  static base::Result<std::unique_ptr<WriterSession>> begin(Repository& repository,
                                                            const WriterOptions& options = {});
  WriterSession(Repository& repository, IndexSet indexes, const WriterOptions& options);
  ~WriterSession();
  WriterSession(const WriterSession&) = delete;
  WriterSession& operator=(const WriterSession&) = delete;

  /// Stores a chunk, if it is not stored. An error of an earlier chunk may come here: the session
  /// is then of no further use.
  base::Result<model::ChunkId> add(model::ChunkKind kind, std::string_view content,
                                   std::vector<model::ChunkId> references = {});
  /// Whether a chunk is stored: what a parent snapshot cites must be asked for, each time.
  [[nodiscard]] bool has(const model::ChunkId& id) const;

  /// Packs → barrier → index → barrier → snapshot → barrier. Answers the snapshot's name. Where the
  /// session was taken for dead, every chunk of the snapshot is looked for again first.
  base::Result<model::ChunkId> commit(model::Snapshot& snapshot);

  /// What of the indexes was not believed, and why: whole sentences.
  [[nodiscard]] const std::vector<std::string>& notices() const { return indexes_.notices(); }

  [[nodiscard]] uint64_t added_bytes() const { return added_bytes_; }  ///< contents, uncompressed
  [[nodiscard]] uint64_t stored_bytes() const;                         ///< of packs

 private:
  struct Job {
    model::ChunkKind kind = model::ChunkKind::kData;
    OpenSegment segment;
  };
  struct OpenPack {
    std::string header;
    std::string bytes;
    std::vector<model::SegmentEntry> segments;
  };

  base::Result<void> take_up(const BlobInfo& object);
  OpenSegment& open_segment(model::ChunkKind kind) {
    return open_segments_[kind == model::ChunkKind::kData ? 0 : 1];
  }
  OpenPack& open_pack(model::ChunkKind kind) {
    return open_packs_[kind == model::ChunkKind::kData ? 0 : 1];
  }
  void dispatch(model::ChunkKind kind);
  void work();
  void append(model::ChunkKind kind, SealedSegment sealed);
  [[nodiscard]] size_t packs_at_once() const;
  base::Result<void> write_pack(OpenPack pack);
  void record(const PackOutline& outline);
  void set_error(const base::Error& error);
  base::Result<void> finish_packs();
  base::Result<void> write_index();
  base::Result<void> look_again(const model::ChunkId& roots);

  Repository& repository_;
  const IndexSet indexes_;
  const WriterOptions options_;
  model::Salt salt_{};
  SecretKey session_key_;
  std::array<std::string, 2> headers_;

  // Of the adding thread.
  std::array<OpenSegment, 2> open_segments_;
  size_t open_references_ = 0;  ///< of the open segment of trees; data has none
  std::unordered_set<model::ChunkId, model::ChunkIdHash> session_ids_;
  uint64_t added_bytes_ = 0;

  mutable std::mutex mutex_;  ///< guards all below
  std::condition_variable job_ready_;
  std::condition_variable job_taken_;
  std::condition_variable pack_written_;
  std::deque<Job> jobs_;
  size_t jobs_at_work_ = 0;
  size_t packs_at_writing_ = 0;
  bool ending_ = false;
  std::optional<base::Error> error_;
  uint64_t next_counter_ = 0;
  std::array<OpenPack, 2> open_packs_;
  std::vector<model::PackPlace> packs_;
  std::vector<model::IndexEntry> entries_;
  uint64_t stored_bytes_ = 0;

  std::unique_ptr<StoreSession> presence_;  ///< of the adding thread; goes after the workers
  std::vector<std::jthread> workers_;
};

}  // namespace repo
