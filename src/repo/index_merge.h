// Indexes anew: several merged into few, without what is gone and with what was moved. They are
// read in place, side by side, so that memory holds one new index at a time. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "repo/index_set.h"

namespace repo {

/// Where an entry is from now on; nothing = it is not named any more.
using PlaceOf = std::function<std::optional<ChunkPlace>(const ChunkPlace&)>;

/// `indexes` were loaded whole. Puts new indexes with all that `objects` name, as far as look-ups
/// come to it there and `place_of` keeps it; at most `entries_most` in each. Answers their names.
base::Result<std::vector<std::string>> merge_indexes(BlobStore& store, const IndexSet& indexes,
                                                     const std::vector<std::string>& objects,
                                                     const PlaceOf& place_of, size_t entries_most);

/// An index of whole packs.
base::Result<std::vector<std::string>> index_packs(BlobStore& store,
                                                   const std::vector<PackOutline>& packs);

}  // namespace repo
