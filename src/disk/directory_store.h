// DirectoryStore: a BlobStore in a directory. An object is written beside the others, synced, and
// renamed into its place; barrier() syncs the directories. Large objects pass by the page cache
// where the file system can: a backup should not push out what the machine works with.
// Who is at work has a file in sessions/ under a lock of its open file description, which the
// kernel takes away with the process: whatever a dead owner leaves, anybody sees that it is dead.
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "base/fd.h"
#include "repo/blob_store.h"

namespace disk {

class DirectoryStore final : public repo::BlobStore {
 public:
  /// An existing directory.
  static base::Result<std::unique_ptr<DirectoryStore>> open(const std::string& path);
  /// Makes it and its parents where they are missing; one with foreign files in it is refused.
  static base::Result<std::unique_ptr<DirectoryStore>> create(const std::string& path);

  DirectoryStore(std::string path, base::Fd root);

  base::Result<void> put(const std::string& name, std::string_view bytes) override;
  base::Result<bool> put_if_absent(const std::string& name, std::string_view bytes) override;
  base::Result<std::string> get(const std::string& name, size_t largest) override;
  base::Result<void> get_range(const std::string& name, uint64_t offset,
                               std::span<char> out) override;
  base::Result<repo::BlobView> map(const std::string& name) override;
  base::Result<std::vector<repo::BlobInfo>> list(const std::string& folder) override;
  base::Result<void> remove(const std::string& name) override;
  base::Result<void> keep(const std::string& name) override;
  base::Result<void> barrier() override;
  base::Result<std::unique_ptr<repo::StoreSession>> open_session(repo::SessionKind kind) override;
  base::Result<std::vector<repo::SessionInfo>> sessions() override;
  base::Result<std::unique_ptr<repo::StoreLock>> try_lock(const std::string& name) override;
  base::Result<Leftovers> clear_leftovers() override;
  base::Result<void> reserve(uint64_t bytes) override;
  [[nodiscard]] std::string description() const override { return path_; }

 private:
  /// A file of incoming/ that is being written: locked as long as it is open, so that nobody takes
  /// it for what a dead writer left.
  struct Incoming {
    std::string name;
    base::Fd file;
  };
  base::Result<base::Fd> open_for_reading(const std::string& name) const;
  base::Result<Incoming> make_incoming(unsigned mode);
  /// Writes and syncs a file of incoming/.
  base::Result<Incoming> write_incoming(std::string_view bytes);
  /// An object came or went: its directory, and those above, which anybody may have made.
  void note_change(const std::string& name);
  base::Result<void> make_parent(const std::string& name);
  std::unexpected<base::Error> failed(const char* tried, const std::string& name,
                                      int error_number) const;

  const std::string path_;
  const base::Fd root_;
  const std::string writer_;  ///< names of our incoming files begin with it
  std::mutex mutex_;          ///< guards all below
  uint64_t next_incoming_ = 0;
  std::set<std::string> unsynced_;  ///< directories
};

}  // namespace disk
