// PosixSource: backup::Source over this machine's file systems. One thread.
#pragma once

#include <map>
#include <string>

#include "backup/source.h"

namespace disk {

/// Names of users and groups, asked for once each. Numbers without a name give "".
class OwnerNames {
 public:
  const std::string& user(uint32_t uid);
  const std::string& group(uint32_t gid);

 private:
  std::map<uint32_t, std::string> users_;
  std::map<uint32_t, std::string> groups_;
};

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
