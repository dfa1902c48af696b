// What a backup keeps of files and directories, and of itself. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/chunk_id.h"
#include "model/repository.h"

namespace model {

struct Timestamp {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

enum class FileType : uint8_t {
  kFile = 1,
  kDirectory,
  kSymlink,
  kCharacterDevice,
  kBlockDevice,
  kFifo,
  kSocket,
};

struct Attribute {
  std::string name;
  std::string value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

struct Hole {
  uint64_t offset = 0;
  uint64_t length = 0;
  friend bool operator==(const Hole&, const Hole&) = default;
};

/// A data chunk and its length, or a list of pieces and how much data they have.
struct Piece {
  ChunkId id;
  uint64_t length = 0;
  friend bool operator==(const Piece&, const Piece&) = default;
};

struct TreeEntry {
  std::string name;  ///< bytes; of a root the absolute path
  FileType type = FileType::kFile;
  uint32_t mode = 0;  ///< the lowest 12 bits
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string user;  ///< "" = the number had no name
  std::string group;
  Timestamp modified;
  Timestamp changed;
  uint64_t inode = 0;
  uint32_t device = 0;  ///< counted as the backup met them
  uint32_t links = 1;
  uint32_t flags = 0;  ///< FS_IOC_GETFLAGS
  std::vector<Attribute> attributes;
  uint64_t size = 0;              ///< of a file
  std::vector<Hole> holes;        ///< of a file, ascending
  bool indirect = false;          ///< `pieces` are lists of pieces
  std::vector<Piece> pieces;      ///< of a file
  std::vector<ChunkId> listings;  ///< of a directory
  std::string target;             ///< of a symbolic link
  uint32_t major = 0;             ///< of a device
  uint32_t minor = 0;

  friend bool operator==(const TreeEntry&, const TreeEntry&) = default;
};

struct Snapshot {
  // In clear.
  RepositoryId repository{};
  int64_t created_s = 0;
  std::array<uint8_t, 16> source{};
  ChunkId roots;
  // Sealed.
  std::string host;
  std::string user;
  std::string program;
  Timestamp started;
  Timestamp finished;
  std::vector<std::string> tags;
  uint64_t files = 0;
  uint64_t directories = 0;
  uint64_t others = 0;
  uint64_t data_bytes = 0;
  uint64_t added_bytes = 0;
  uint64_t incomplete = 0;

  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

}  // namespace model
