#include "repo/gc.h"

#include <algorithm>

#include "base/blake3.h"
#include "format/id_list.h"
#include "format/pack.h"
#include "format/repository_config.h"
#include "repo/gc_view.h"
#include "repo/index_merge.h"
#include "repo/pack_rewriter.h"
#include "repo/repository.h"

namespace repo {
namespace {

class Collector {
 public:
  Collector(BlobStore& store, const GcOptions& options) : store_(store), options_(options) {}

  base::Result<GcReport> run();

 private:
  base::Result<void> settle_earlier();
  void choose();
  base::Result<void> free_dead();
  base::Result<void> secure_unknown();
  base::Result<void> rewrite();
  base::Result<void> renew_indexes(const PackRewriter& rewriter);
  std::vector<std::string> stale_indexes(const PackRewriter& rewriter) const;

  base::Result<void> put(const std::string& object, const std::string& bytes);
  base::Result<void> remove_packs(const Condemnation& condemnation);
  base::Result<void> condemn(std::vector<model::ChunkId> packs, Condemnation& out);
  base::Result<void> carry_out(const Condemnation& condemnation);
  base::Result<bool> only_marked_snapshots() const;
  void wait_for(const Condemnation& condemnation);
  [[nodiscard]] bool stays(const model::ChunkId& pack) const;

  BlobStore& store_;
  const GcOptions& options_;
  GcReport report_;
  GcView view_;
  IdSet gone_;       ///< condemned by this run, and whether removed or not, named no more
  IdSet acquitted_;  ///< condemned by an earlier run, and needed
  std::vector<model::ChunkId> dead_;
  std::vector<LivePack> to_rewrite_;
  std::vector<PackOutline> unknown_live_;
  std::vector<std::string> new_indexes_;
};

/// There is room for what is small even on a full disk: the reserve goes for it.
base::Result<void> Collector::put(const std::string& object, const std::string& bytes) {
  if (auto written = store_.put(object, bytes); written) return written;
  if (auto given = store_.reserve(0); !given) return given;
  return store_.put(object, bytes);
}

base::Result<void> Collector::remove_packs(const Condemnation& condemnation) {
  for (const model::ChunkId& pack : condemnation.packs) {
    const auto size = view_.indexes.packs().find(pack);
    if (size == view_.indexes.packs().end()) continue;
    if (auto removed = store_.remove(pack_object(pack)); !removed) return removed;
    ++report_.removed_packs;
    report_.removed_bytes += size->second;
  }
  if (auto synced = store_.barrier(); !synced) return synced;
  return store_.remove(condemnation.object);
}

void Collector::wait_for(const Condemnation& condemnation) {
  for (const model::ChunkId& pack : condemnation.packs) {
    const auto size = view_.indexes.packs().find(pack);
    if (size == view_.indexes.packs().end()) continue;
    ++report_.waiting_packs;
    report_.waiting_bytes += size->second;
  }
}

/// Carries out what earlier runs condemned, as far as it is ripe and nobody needs it: rule 10.
base::Result<void> Collector::settle_earlier() {
  for (const Condemnation& condemnation : view_.indexes.condemnations()) {
    std::vector<model::ChunkId> rest;
    for (const model::ChunkId& pack : condemnation.packs) {
      if (view_.marks.is_live(pack)) {
        acquitted_.insert(pack);
      } else if (view_.indexes.packs().contains(pack)) {
        rest.push_back(pack);
      }
    }
    const bool needed = rest.size() < condemnation.packs.size() &&
                        std::ranges::any_of(
                            condemnation.packs,
                            [&](const model::ChunkId& pack) { return acquitted_.contains(pack); });
    if (needed) {
      Condemnation without;
      if (!rest.empty() && !options_.dry_run) {
        if (auto put = condemn(rest, without); !put) return put;
      }
      wait_for({.object = {}, .packs = rest});
      if (options_.dry_run) continue;
      if (auto removed = store_.remove(condemnation.object); !removed) return removed;
    } else if (!options_.dry_run &&
               (condemnation.packs.empty() || is_ripe(condemnation.object, view_.sessions))) {
      if (auto removed = remove_packs(condemnation); !removed) return removed;
    } else {
      wait_for(condemnation);
    }
  }
  report_.acquitted_packs = acquitted_.size();
  return {};
}

bool Collector::stays(const model::ChunkId& pack) const {
  return view_.indexes.packs().contains(pack) && !gone_.contains(pack) &&
         (!view_.indexes.is_condemned(pack) || acquitted_.contains(pack));
}

void Collector::choose() {
  IdSet unknown;
  for (const BlobInfo& object : view_.indexes.unknown_packs())
    unknown.insert(*name_of_object(object.name));
  for (const auto& [name, size] : view_.indexes.packs()) {
    ++report_.packs;
    report_.bytes += size;
    if (view_.indexes.is_condemned(name)) continue;
    const auto live = view_.marks.packs.find(name);
    if (live == view_.marks.packs.end()) {
      // Somebody at work may have written it just now.
      if (unknown.contains(name) && !view_.sessions.empty()) continue;
      dead_.push_back(name);
      ++report_.dead_packs;
      report_.dead_bytes += size;
      continue;
    }
    const uint64_t around =
        format::kPackHeaderSize + format::kPackTrailerSize + live->second.place.directory_size;
    const uint64_t alive = live->second.bytes + around;
    if (unknown.contains(name) || alive >= size) continue;
    if ((size - alive) * 100 < size * options_.dead_percent) continue;
    to_rewrite_.push_back(live->second);
    ++report_.rewritten_packs;
    report_.rewritten_dead_bytes += size - alive;
  }
}

base::Result<void> Collector::condemn(std::vector<model::ChunkId> packs, Condemnation& out) {
  const std::string bytes = format::encode_id_list(format::IdListKind::kCondemned, packs);
  out.object = "condemned/" + model::to_hex(base::as_text(base::blake3(bytes)));
  out.packs = std::move(packs);
  gone_.insert(out.packs.begin(), out.packs.end());
  if (auto written = put(out.object, bytes); !written) return written;
  return store_.barrier();
}

/// Whether no snapshot is there that was not marked.
base::Result<bool> Collector::only_marked_snapshots() const {
  const auto now = store_.list("snapshots");
  if (!now) return std::unexpected(now.error());
  return std::ranges::all_of(*now, [&](const BlobInfo& object) {
    return std::ranges::find(view_.snapshots, object.name, &StoredSnapshot::object) !=
           view_.snapshots.end();
  });
}

/// Of this run: rules 8, 9 and 10, in this order.
base::Result<void> Collector::carry_out(const Condemnation& condemnation) {
  const auto sessions = store_.sessions();
  if (!sessions) return std::unexpected(sessions.error());
  const auto settled = only_marked_snapshots();
  if (!settled) return std::unexpected(settled.error());
  if (is_ripe(condemnation.object, *sessions) && *settled) return remove_packs(condemnation);
  wait_for(condemnation);
  return {};
}

base::Result<void> Collector::free_dead() {
  if (dead_.empty()) return {};
  Condemnation condemnation;
  if (auto put = condemn(dead_, condemnation); !put) return put;
  return carry_out(condemnation);
}

/// Packs that no index names and somebody needs: they are written again, so that they survive, and
/// named.
base::Result<void> Collector::secure_unknown() {
  for (const BlobInfo& object : view_.indexes.unknown_packs()) {
    const model::ChunkId name = *name_of_object(object.name);
    if (!view_.marks.is_live(name)) continue;
    std::string bytes(object.size, '\0');
    if (auto read = store_.get_range(object.name, 0, bytes); !read) return read;
    if (base::blake3(bytes) != name.bytes) {
      return base::fail(base::ErrorKind::kCorrupt,
                        object.name +
                            " is damaged and needed; nothing was removed. See `twinport "
                            "repo check --read-data`, then `twinport repo repair`");
    }
    auto outline = read_pack_outline(store_, name, object.size);
    if (!outline) return std::unexpected(outline.error());
    if (auto written = store_.put(object.name, bytes); !written) return written;
    unknown_live_.push_back(std::move(*outline));
  }
  if (unknown_live_.empty()) return {};
  if (auto synced = store_.barrier(); !synced) return synced;
  auto indexed = index_packs(store_, unknown_live_);
  if (!indexed) return std::unexpected(indexed.error());
  new_indexes_ = std::move(*indexed);
  return store_.barrier();
}

base::Result<void> Collector::rewrite() {
  const auto config_bytes = read_config(store_);
  if (!config_bytes) return std::unexpected(config_bytes.error());
  const auto config = format::decode_config(*config_bytes);
  if (!config) return std::unexpected(config.error());
  // Packs of one session are neighbours, so that what is left of them shares new ones.
  std::vector<std::pair<std::string, const LivePack*>> by_header;
  for (const LivePack& pack : to_rewrite_) {
    std::string header(format::kPackHeaderSize, '\0');
    if (auto read = store_.get_range(pack_object(pack.place.name), 0, header); !read) return read;
    by_header.emplace_back(std::move(header), &pack);
  }
  std::ranges::sort(by_header, {}, [](const auto& pack) {
    return std::tuple(pack.first, pack.second->place.name);
  });
  PackRewriter rewriter(store_, config->sizes.pack);
  base::Result<void> made;
  for (const auto& [header, pack] : by_header) {
    if (const auto done = rewriter.rewrite(*pack); !done) made = std::unexpected(done.error());
    if (!made) break;
  }
  if (made) made = rewriter.finish();
  if (!made) {
    // What was made of it takes room and is good for nothing; but somebody may have seen it.
    Condemnation useless;
    std::vector<model::ChunkId> names;
    for (const model::PackPlace& pack : rewriter.new_packs()) names.push_back(pack.name);
    if (!names.empty() && condemn(std::move(names), useless)) static_cast<void>(carry_out(useless));
    return made;
  }
  // What an interrupted run left under the same name may be condemned by now; it would not stay.
  for (const model::PackPlace& pack : rewriter.new_packs()) {
    if (view_.indexes.is_condemned(pack.name) || gone_.contains(pack.name)) return {};
  }
  if (!rewriter.new_packs().empty()) {
    if (auto synced = store_.barrier(); !synced) return synced;
  }
  return renew_indexes(rewriter);
}

/// Indexes that name what is gone or moved, those that are damaged, and small ones where they are
/// many.
std::vector<std::string> Collector::stale_indexes(const PackRewriter& rewriter) const {
  std::vector<std::string> stale;
  std::vector<std::string> small;
  for (const IndexSet::LoadedIndex& one : view_.indexes.indexes()) {
    bool is_stale = false;
    for (size_t i = 0; i < one.index->pack_count() && !is_stale; ++i) {
      const model::ChunkId pack = one.index->pack(i).name;
      is_stale = !stays(pack) || rewriter.was_rewritten(pack);
    }
    if (is_stale) {
      stale.push_back(one.object);
    } else if (one.index->size() < options_.small_index_entries) {
      small.push_back(one.object);
    }
  }
  if (small.size() > options_.small_indexes_most || (!stale.empty() && small.size() > 1))
    stale.insert(stale.end(), small.begin(), small.end());
  return stale;
}

base::Result<void> Collector::renew_indexes(const PackRewriter& rewriter) {
  std::vector<std::string> stale = stale_indexes(rewriter);
  const auto place_of = [&](const ChunkPlace& place) -> std::optional<ChunkPlace> {
    if (!rewriter.was_rewritten(place.pack.name))
      return stays(place.pack.name) ? std::optional(place) : std::nullopt;
    const auto moved = rewriter.find(place.pack.name, place.offset);
    if (!moved) return std::nullopt;
    ChunkPlace out = place;
    out.pack = rewriter.new_packs()[moved->pack];
    out.offset = moved->offset;
    return out;
  };
  if (!stale.empty()) {
    auto merged =
        merge_indexes(store_, view_.indexes, stale, place_of, options_.index_entries_most);
    if (!merged) return std::unexpected(merged.error());
    new_indexes_.insert(new_indexes_.end(), merged->begin(), merged->end());
    if (auto synced = store_.barrier(); !synced) return synced;
  }
  Condemnation condemnation;
  if (!rewriter.old_packs().empty()) {
    if (auto put = condemn(rewriter.old_packs(), condemnation); !put) return put;
  }
  // Damaged ones said nothing that the others and the packs do not say.
  const auto& damaged = view_.indexes.damaged_indexes();
  stale.insert(stale.end(), damaged.begin(), damaged.end());
  for (const std::string& object : stale) {
    if (std::ranges::find(new_indexes_, object) != new_indexes_.end()) continue;
    if (auto removed = store_.remove(object); !removed) return removed;
  }
  if (!stale.empty()) {
    if (auto synced = store_.barrier(); !synced) return synced;
  }
  return condemnation.packs.empty() ? base::Result<void>() : carry_out(condemnation);
}

base::Result<GcReport> Collector::run() {
  if (!options_.dry_run) {
    auto leftovers = store_.clear_leftovers();
    if (!leftovers) return std::unexpected(leftovers.error());
    report_.leftovers = *leftovers;
  }
  auto view = look_for_gc(store_);
  if (!view) return std::unexpected(view.error());
  view_ = std::move(*view);
  report_.snapshots = view_.snapshots.size();
  report_.chunks = view_.marks.chunks;
  report_.indexes_before = view_.indexes.indexes().size() + view_.indexes.damaged_indexes().size();
  choose();
  if (!options_.dry_run) {
    // What was forgotten must stay forgotten before anything goes that only it needed: rule 2.
    if (auto synced = store_.barrier(); !synced) return std::unexpected(synced.error());
    if (auto secured = secure_unknown(); !secured) return std::unexpected(secured.error());
  }
  if (auto settled = settle_earlier(); !settled) return std::unexpected(settled.error());
  if (!options_.dry_run) {
    if (auto freed = free_dead(); !freed) return std::unexpected(freed.error());
    if (auto rewritten = rewrite(); !rewritten) {
      if (report_.removed_packs == 0) return std::unexpected(rewritten.error());
      report_.unfinished = rewritten.error().message;
    }
    if (auto reserved = store_.reserve(options_.reserve_bytes); !reserved)
      report_.reserve_problem = reserved.error().message;
  }
  const auto indexes = store_.list("indexes");
  report_.indexes_after = indexes ? indexes->size() : 0;
  const auto sessions = store_.sessions();
  report_.sessions = sessions ? sessions->size() : 0;
  return report_;
}

}  // namespace

base::Result<GcReport> collect_garbage(BlobStore& store, const GcOptions& options) {
  auto lock = store.try_lock("gc");
  if (!lock) return std::unexpected(lock.error());
  if (*lock == nullptr) {
    return base::fail(base::ErrorKind::kIo,
                      "another gc or repair is at work in " + store.description() +
                          "; nothing was changed. Run this again when it has ended");
  }
  return Collector(store, options).run();
}

}  // namespace repo
