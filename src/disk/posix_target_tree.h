// A directory of the machine's own file systems, to restore into.
#pragma once

#include <memory>
#include <string>

#include "backup/target_tree.h"
#include "base/result.h"

namespace disk {

/// The directory `path`, which is made where it is missing and must else be empty: nothing that is
/// there is ever written over. `numeric_owners`: by number, whatever names say.
base::Result<std::unique_ptr<backup::TargetDirectory>> open_posix_target(const std::string& path,
                                                                         bool numeric_owners);

}  // namespace disk
