// Repair: makes a damaged repository one that works again, without a key: what can be saved is
// saved, what is lost is put on a list, and nothing is thrown away: damaged objects move to
// damaged/. What is lost is stored again by the next backup that meets it. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "repo/blob_store.h"

namespace repo {

struct RepairReport {
  std::vector<std::string> done;  ///< whole sentences, in order
  uint64_t lost_chunks = 0;       ///< that snapshots need
  uint64_t packs = 0;             ///< that were read
  uint64_t bytes = 0;
};

/// `dry_run`: says what it would do. It cannot tell then what would still be lost after it.
base::Result<RepairReport> repair(BlobStore& store, bool dry_run);

}  // namespace repo
