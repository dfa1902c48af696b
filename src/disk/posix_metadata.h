// Metadata of files as Linux keeps it, both ways, over descriptors or over names in an open
// directory. Any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backup/source.h"
#include "backup/target_tree.h"
#include "base/result.h"
#include "model/backup_tree.h"

namespace disk {

/// Names of users and groups, asked for once each. One thread.
class OwnerNames {
 public:
  /// "" where the number has no name.
  const std::string& user(uint32_t uid);
  const std::string& group(uint32_t gid);
  /// The number that the name has here, or else `number`.
  uint32_t uid(const std::string& name, uint32_t number);
  uint32_t gid(const std::string& name, uint32_t number);

 private:
  std::map<uint32_t, std::string> users_;
  std::map<uint32_t, std::string> groups_;
  std::map<std::string, int64_t> uids_;
  std::map<std::string, int64_t> gids_;
};

/// "/proc/self/fd/DIRECTORY/NAME", for the calls that take no directory.
std::string path_in(int directory_fd, const std::string& name);

/// Attributes by name; none where the file system keeps none. What cannot be read is added to
/// `unread`.
std::vector<model::Attribute> read_attributes(int fd, backup::Unread& unread);
std::vector<model::Attribute> read_attributes_of_link(const std::string& path,
                                                      backup::Unread& unread);

/// Those that a restore can set; 0 where the file system keeps none.
uint32_t read_flags(int fd);
/// Those of `flags` that read_flags() reads; others stay as they are.
bool set_flags(int fd, uint32_t flags);

/// Sets owner, mode, attributes, times and flags of an open file or directory.
backup::Unset apply_metadata(int fd, const model::TreeEntry& entry, uint32_t uid, uint32_t gid);
/// The same of a thing that cannot be opened; a symbolic link has no mode of its own.
backup::Unset apply_metadata_at(int directory_fd, const std::string& name,
                                const model::TreeEntry& entry, uint32_t uid, uint32_t gid);

}  // namespace disk
