// PosixSource: backup::Source over this machine's file systems. One thread.
#pragma once

#include <map>
#include <string>

#include "backup/source.h"
#include "disk/posix_metadata.h"

namespace disk {

class PosixSource final : public backup::Source {
 public:
  base::Result<std::unique_ptr<backup::DirectoryReader>> open_parent(
      const std::string& path) override;
  model::Timestamp now() override;

  /// What directories and files of this source share.
  struct Shared {
    OwnerNames owners;
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> devices;  ///< as they were met
  };

 private:
  Shared shared_;
};

}  // namespace disk
