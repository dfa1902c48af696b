// The place that is restored to, behind an interface. Everything is made new, relative to an open
// directory that only we can enter until it is finished; nothing that is there is followed or
// written over. The real one is disk/posix_target_tree.h. Directories belong to one thread, a file
// to one at a time but for what is said.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/backup_tree.h"

namespace backup {

/// What of an entry could not be set here, each as a few words: "owner", "attribute user.x".
using Unset = std::vector<std::string>;

/// Where a file that was restored can be found again, to make another name for it.
struct LinkTarget {
  std::string path;  ///< relative to the target
  uint64_t device = 0;
  uint64_t inode = 0;
};

class TargetFile {
 public:
  TargetFile() = default;
  TargetFile(const TargetFile&) = delete;
  TargetFile& operator=(const TargetFile&) = delete;
  virtual ~TargetFile() = default;

  /// All of `bytes`; what is never written stays a hole. Any thread, and several at once. Here and
  /// in finish(), kUnsupported means that the target cannot hold this file; any other error is the
  /// target's, and ends the restore.
  virtual base::Result<void> write(uint64_t offset, std::string_view bytes) = 0;
  /// Gives it its size, then all that `entry` says of it.
  virtual base::Result<Unset> finish(const model::TreeEntry& entry) = 0;
  /// Takes its name away again: it could not be restored whole.
  virtual base::Result<void> discard() = 0;
};

class TargetDirectory {
 public:
  TargetDirectory() = default;
  TargetDirectory(const TargetDirectory&) = delete;
  TargetDirectory& operator=(const TargetDirectory&) = delete;
  virtual ~TargetDirectory() = default;

  virtual base::Result<std::unique_ptr<TargetFile>> make_file(const std::string& name) = 0;
  virtual base::Result<std::unique_ptr<TargetDirectory>> make_directory(
      const std::string& name) = 0;
  /// The same, but one that is there already will do: on the way to what is restored.
  virtual base::Result<std::unique_ptr<TargetDirectory>> enter(const std::string& name) = 0;
  /// A symbolic link, device, fifo or socket, with all that `entry` says of it.
  virtual base::Result<Unset> make_other(const std::string& name,
                                         const model::TreeEntry& entry) = 0;
  /// What was made here under that name, for later links.
  virtual base::Result<LinkTarget> link_target(const std::string& name,
                                               const std::string& path) = 0;
  /// Another name for the very file that `target` was.
  virtual base::Result<void> make_link(const std::string& name, const LinkTarget& target) = 0;
  /// Sets the flags of what link_target() told of, when no more links are to be made.
  virtual base::Result<void> set_flags(const LinkTarget& target, uint32_t flags) = 0;
  /// Gives itself all that `entry` says of it; nothing can be made in it afterwards.
  virtual base::Result<Unset> finish(const model::TreeEntry& entry) = 0;
  /// Returns once all that was made, here and below, is on the disk.
  virtual base::Result<void> sync() = 0;
};

}  // namespace backup
