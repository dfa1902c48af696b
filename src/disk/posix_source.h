// PosixSource: backup::Source over this machine's file systems. One thread.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "backup/source.h"
#include "disk/posix_metadata.h"

namespace disk {

class PosixSource final : public backup::Source {
 public:
  base::Result<std::unique_ptr<backup::DirectoryReader>> open_parent(
      const std::string& path) override;
  model::Timestamp now() override;

  /// That directory is never backed up, whatever path leads to it; one that is not there is
  /// nothing.
  void leave_out(const std::string& directory);

  /// What directories and files of this source share.
  struct Shared {
    OwnerNames owners;
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> devices;  ///< as they were met
    std::optional<std::pair<dev_t, ino_t>> left_out;
  };

 private:
  Shared shared_;
};

}  // namespace disk
