// IndexSet: all indexes of a repository, packs that none of them names yet, and packs that gc has
// condemned. Look-ups may come from any thread; whoever adds does so alone.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "format/chunk_index.h"
#include "repo/blob_store.h"

namespace repo {

struct ChunkPlace {
  model::PackPlace pack;
  uint32_t offset = 0;
  uint32_t stored = 0;
  uint16_t ordinal = 0;
};

/// A pack's beginning and end: what is in it, without its segments.
struct PackOutline {
  model::PackPlace place;
  std::string header;  ///< as it stands in the pack
  std::vector<model::SegmentEntry> segments;
};

std::string pack_object(const model::ChunkId& name);

/// Reads header, directory and trailer of a pack of `size` bytes.
base::Result<PackOutline> read_pack_outline(BlobStore& store, const model::ChunkId& name,
                                            uint64_t size);

using IdSet = std::unordered_set<model::ChunkId, model::ChunkIdHash>;

/// Packs that one run of gc means to remove once nobody who began before knows better. One that was
/// torn has no packs: it was never acted upon.
struct Condemnation {
  std::string object;
  std::vector<model::ChunkId> packs;
};

/// How much of an index is looked at before it is believed.
enum class IndexTrust : uint8_t {
  kHeader,  ///< readers: what they are told wrong they find out when they open it
  kHash,    ///< who stores less, or removes, by what it says: all of it is read
  kPacks,   ///< each entry is compared with the directory of its pack as well
};

class IndexSet {
 public:
  /// Opens all indexes. One that cannot be opened, or fails what `trust` asks for, is left out and
  /// told in notices(): its packs are then unknown ones. What an index says of a pack that is not
  /// there, or has another size, counts for nothing: a writer stores such chunks again.
  static base::Result<IndexSet> load(BlobStore& store, IndexTrust trust = IndexTrust::kHeader);

  /// For writers: in a pack that stays. What is condemned may be gone at any time.
  [[nodiscard]] std::optional<ChunkPlace> find(const model::ChunkId& id) const;
  /// For readers: there rather than in a condemned one, and in that rather than nowhere.
  [[nodiscard]] std::optional<ChunkPlace> find_anywhere(const model::ChunkId& id) const;
  /// All of them, in the order in which readers should try them.
  [[nodiscard]] std::vector<ChunkPlace> find_all(const model::ChunkId& id) const;
  void add(const PackOutline& pack);

  /// All entries have numbers below numbers(); those of one id may be several.
  [[nodiscard]] uint64_t numbers() const { return first_added_ + added_places_.size(); }
  /// As find_anywhere().
  [[nodiscard]] std::optional<uint64_t> number(const model::ChunkId& id) const;
  [[nodiscard]] ChunkPlace place(uint64_t number) const;

  /// Packs of the store that no index names: of interrupted writers, or of present ones. Condemned
  /// ones are not among them.
  [[nodiscard]] const std::vector<BlobInfo>& unknown_packs() const { return unknown_packs_; }
  /// Packs that are there, with their sizes.
  [[nodiscard]] const std::unordered_map<model::ChunkId, uint64_t, model::ChunkIdHash>& packs()
      const {
    return pack_sizes_;
  }
  [[nodiscard]] const std::vector<Condemnation>& condemnations() const { return condemnations_; }
  [[nodiscard]] bool is_condemned(const model::ChunkId& pack) const {
    return condemned_.contains(pack);
  }
  /// What a session says of itself once it has loaded this: which condemnations it has seen.
  [[nodiscard]] std::string session_note() const;

  /// An index that was loaded, as it is in memory.
  struct LoadedIndex {
    std::string object;
    const format::ChunkIndex* index = nullptr;
    uint64_t first_number = 0;
  };
  [[nodiscard]] std::vector<LoadedIndex> indexes() const;

  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }
  /// Objects that were left out, but for those that could not be read: they may be well.
  [[nodiscard]] const std::vector<std::string>& damaged_indexes() const { return damaged_; }

 private:
  enum class PackState : uint8_t { kGone, kCondemned, kGood };
  struct Loaded {
    std::string object;
    BlobView view;
    format::ChunkIndex index;
    std::vector<PackState> packs;
    uint64_t first_number = 0;
    model::ChunkId first;  ///< ids that there may be
    model::ChunkId last;
  };
  struct Added {
    uint32_t pack = 0;  ///< in added_packs_
    uint32_t offset = 0;
    uint32_t stored = 0;
    uint16_t ordinal = 0;
  };
  /// Whether it is all of one moment: no index came or went meanwhile.
  static base::Result<bool> load_once(BlobStore& store, IndexTrust trust, IndexSet& set);
  base::Result<void> load_index(BlobStore& store, const std::string& object, IndexTrust trust);
  base::Result<void> load_condemnations(BlobStore& store);
  base::Result<void> note_packs(BlobStore& store);
  [[nodiscard]] std::optional<uint64_t> find_number(const model::ChunkId& id,
                                                    bool condemned_too) const;

  std::deque<Loaded> indexes_;
  std::vector<model::PackPlace> added_packs_;
  std::vector<Added> added_places_;
  std::unordered_map<model::ChunkId, uint32_t, model::ChunkIdHash> added_;  ///< in added_places_
  uint64_t first_added_ = 0;
  std::vector<Condemnation> condemnations_;
  IdSet condemned_;
  std::unordered_map<model::ChunkId, uint64_t, model::ChunkIdHash> pack_sizes_;
  std::vector<BlobInfo> unknown_packs_;
  std::vector<std::string> notices_;
  std::vector<std::string> damaged_;
};

/// Whether an index says what the directories of its packs say, and, if it is to be `whole`, all of
/// it: gc may spread what it knows of a pack over several. Packs that cannot be read are passed
/// over.
base::Result<void> compare_with_packs(BlobStore& store, const format::ChunkIndex& index,
                                      bool whole);

/// The name in "packs/HH/NAME", "indexes/NAME" and the like; nothing where it is not one.
std::optional<model::ChunkId> name_of_object(std::string_view object);

}  // namespace repo
