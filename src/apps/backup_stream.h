// backup --stdin and --from-command: what becomes the one file of a snapshot.
#pragma once

#include <memory>

#include "apps/cmd_repository.h"
#include "backup/stream_source.h"

namespace apps {

/// Null where the options ask for files. Starts nothing yet. kUsage: what was asked for does not go
/// together, or nothing was asked for.
base::Result<std::unique_ptr<backup::StreamSource>> open_backup_stream(
    const BackupOptions& options);

}  // namespace apps
