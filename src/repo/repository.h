// Repository: an opened repository: its config and keys, its snapshots. Chunks are read through
// ChunkReader (chunk_reader.h) and written through WriterSession (writer_session.h). Any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/backup_tree.h"
#include "repo/blob_store.h"
#include "repo/keys.h"

namespace repo {

struct SnapshotObject {
  model::ChunkId name;
  model::Snapshot snapshot;
};

struct SnapshotList {
  std::vector<SnapshotObject> snapshots;  ///< oldest first
  std::vector<std::string> damaged;       ///< what could not be read, and why: whole sentences
};

class Repository {
 public:
  /// Makes a repository in a store that has none: config and one slot for each credential, each in
  /// two copies, and a barrier.
  static base::Result<void> create(BlobStore& store,
                                   const std::vector<const Credential*>& credentials, int64_t now_s,
                                   const model::ChunkSizes& sizes = {}, PassphraseCost cost = {});

  /// kNotFound: there is no repository. kPermission: no slot opens with this.
  static base::Result<std::unique_ptr<Repository>> open(BlobStore& store,
                                                        const Credential& credential);

  Repository(BlobStore& store, const model::RepositoryConfig& config, const SecretKey& key)
      : store_(store), config_(config), keys_(key) {}

  [[nodiscard]] BlobStore& store() const { return store_; }
  [[nodiscard]] const model::RepositoryConfig& config() const { return config_; }
  [[nodiscard]] const KeyRing& keys() const { return keys_; }

  [[nodiscard]] model::ChunkId chunk_id(model::ChunkKind kind, std::string_view content,
                                        const std::vector<model::ChunkId>& references) const;

  [[nodiscard]] base::Result<SnapshotList> snapshots() const;
  [[nodiscard]] base::Result<model::Snapshot> open_snapshot(std::string_view bytes) const;
  /// Seals and puts; `snapshot` gets what the repository knows. The caller sees to the barriers.
  base::Result<model::ChunkId> put_snapshot(model::Snapshot& snapshot);
  /// What backups of the same paths of the same host have in common.
  [[nodiscard]] std::array<uint8_t, 16> source_of(std::string_view host,
                                                  const std::vector<std::string>& paths) const;

 private:
  BlobStore& store_;
  model::RepositoryConfig config_;
  KeyRing keys_;
};

/// The config, from either copy. kNotFound: there is neither.
base::Result<std::string> read_config(BlobStore& store);

}  // namespace repo
