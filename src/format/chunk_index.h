// An index: where chunks are, ascending by id, read in place. Layout: docs/formats/repository.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/repository.h"

namespace format {

inline constexpr size_t kIndexEntrySize = 48;

/// `entries` need not be sorted; of an id that is in several packs, the first one's stays.
std::string encode_chunk_index(const std::vector<model::PackPlace>& packs,
                               std::vector<model::IndexEntry> entries);

/// A view of an index in memory that must outlive it. Opening looks at the header alone, however
/// large the index; a look-up touches a few pages. Any thread.
class ChunkIndex {
 public:
  static base::Result<ChunkIndex> open(std::string_view bytes);

  /// Damage cannot make this fail: what it finds is proven by opening the chunk, and what it does
  /// not find is stored again.
  [[nodiscard]] std::optional<model::IndexEntry> find(const model::ChunkId& id) const;
  /// The same, as a number for entry().
  [[nodiscard]] std::optional<size_t> find_number(const model::ChunkId& id) const;

  [[nodiscard]] size_t pack_count() const { return pack_count_; }
  [[nodiscard]] size_t size() const { return entry_count_; }
  [[nodiscard]] model::PackPlace pack(size_t number) const;
  [[nodiscard]] model::IndexEntry entry(size_t number) const;

  /// Reads all of it: whether hash, order and places are as written.
  [[nodiscard]] base::Result<void> check() const;

 private:
  [[nodiscard]] std::string_view id_at(size_t number) const {
    return entries_.substr(number * kIndexEntrySize, 32);
  }

  std::string_view body_;
  std::string_view hash_;
  std::string_view packs_;
  std::string_view entries_;
  size_t pack_count_ = 0;
  size_t entry_count_ = 0;
};

}  // namespace format
