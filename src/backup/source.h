// What a backup reads: directories and files behind a narrow interface, so that files which vanish
// or change at the worst moment can be made by a test. The real one is disk/posix_source.h.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/backup_tree.h"

namespace backup {

/// The size of what comes as a stream: it ends where read() says so.
inline constexpr uint64_t kUnknownSize = std::numeric_limits<uint64_t>::max();

/// What of a file's attributes could not be read, each as a few words that say why.
using Unread = std::vector<std::string>;

/// An open file.
class FileReader {
 public:
  FileReader() = default;
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  virtual ~FileReader() = default;

  /// Attributes as they are now, with flags and extended attributes, without content.
  virtual base::Result<model::TreeEntry> look() = 0;
  /// What the last look() could not read; it is not in the entry.
  virtual Unread unread() { return {}; }
  /// The stamps and size as they are now, for whether something changed meanwhile.
  virtual base::Result<model::TreeEntry> stat() = 0;
  /// Where nothing is allocated, within `size`: ascending, none touches another.
  virtual std::vector<model::Hole> holes(uint64_t size) = 0;
  /// Up to `out.size()` bytes from `offset` on; 0 at the end.
  virtual base::Result<size_t> read(uint64_t offset, std::span<char> out) = 0;
};

/// What a backup makes of a directory.
enum class DirectoryUse : unsigned char {
  kEnter,
  kKeepEmpty,  ///< of a file system that the kernel makes up, as /proc: a place to mount on again
  kLeaveOut,   ///< the repository's own
};

/// An open directory.
class DirectoryReader {
 public:
  DirectoryReader() = default;
  DirectoryReader(const DirectoryReader&) = delete;
  DirectoryReader& operator=(const DirectoryReader&) = delete;
  virtual ~DirectoryReader() = default;

  /// Names but "." and "..", in any order.
  virtual base::Result<std::vector<std::string>> names() = 0;
  /// What stat tells: no flags, no extended attributes, no target, no content.
  virtual base::Result<model::TreeEntry> stat(const std::string& name) = 0;
  /// Adds to what stat told of something that is neither file nor directory: extended attributes,
  /// a link's target.
  virtual base::Result<void> complete(model::TreeEntry& entry) = 0;
  /// What the last look() or complete() could not read; it is not in the entry.
  virtual Unread unread() { return {}; }
  /// Refuses (kNotFound) what is no regular file any more; never follows a link.
  virtual base::Result<std::unique_ptr<FileReader>> open_file(const std::string& name) = 0;
  virtual base::Result<std::unique_ptr<DirectoryReader>> open_directory(
      const std::string& name) = 0;
  /// This directory's own attributes, with flags and extended attributes.
  virtual base::Result<model::TreeEntry> look() = 0;
  virtual DirectoryUse use() = 0;
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  /// The directory that an absolute path's last part is in; links before it are followed.
  virtual base::Result<std::unique_ptr<DirectoryReader>> open_parent(const std::string& path) = 0;
  /// The clock that stamps files.
  virtual model::Timestamp now() = 0;
};

}  // namespace backup
