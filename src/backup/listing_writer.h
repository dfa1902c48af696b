// Gathers the entries of a directory and stores them as listings. Whatever a file system says of an
// entry, what is stored can be read again: an entry that the format cannot hold is a problem of
// that entry, and not of its neighbours.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/tree_listing.h"
#include "model/backup_tree.h"
#include "repo/writer_session.h"

namespace backup {

/// Told of an entry that is left out, and why.
using OnUnfit = std::function<void(const model::TreeEntry& entry, const std::string& why)>;

/// Encodes `entries`, which ascend by name, without those that cannot be kept.
base::Result<format::TreeContent> encode_what_fits(std::vector<model::TreeEntry>& entries,
                                                   format::ListingKind kind,
                                                   const OnUnfit& on_unfit);

class ListingWriter {
 public:
  ListingWriter(repo::WriterSession& session, OnUnfit on_unfit)
      : session_(session), on_unfit_(std::move(on_unfit)) {}

  base::Result<void> add(model::TreeEntry entry);
  base::Result<std::vector<model::ChunkId>> finish();

 private:
  base::Result<void> flush();

  repo::WriterSession& session_;
  const OnUnfit on_unfit_;
  std::vector<model::TreeEntry> entries_;
  size_t references_ = 0;
  size_t bytes_ = 0;
  std::vector<model::ChunkId> ids_;
};

}  // namespace backup
