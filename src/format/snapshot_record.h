// A snapshot: what stands in clear and what is sealed. Layout: docs/formats/repository.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/backup_tree.h"

namespace format {

inline constexpr size_t kSnapshotLargest = 1U << 20;

struct SnapshotParts {
  model::Snapshot clear;  ///< only what stands in clear
  model::Salt salt{};
  std::string_view binding;  ///< the clear bytes
  std::string_view sealed;
};

std::string encode_snapshot_clear(const model::Snapshot& snapshot, const model::Salt& salt);
std::string encode_snapshot_payload(const model::Snapshot& snapshot);

base::Result<SnapshotParts> decode_snapshot_clear(std::string_view bytes);
/// Fills what was sealed into `snapshot`.
base::Result<void> decode_snapshot_payload(std::string_view payload, model::Snapshot& snapshot);

}  // namespace format
