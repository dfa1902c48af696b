#include "repo/gc_view.h"

#include <algorithm>

#include "base/blake3.h"
#include "format/id_list.h"
#include "format/snapshot_record.h"

namespace repo {

base::Result<std::vector<StoredSnapshot>> read_clear_snapshots(BlobStore& store) {
  const auto objects = store.list("snapshots");
  if (!objects) return std::unexpected(objects.error());
  std::vector<StoredSnapshot> out;
  for (const BlobInfo& object : *objects) {
    const auto bytes = store.get(object.name, format::kSnapshotLargest);
    if (!bytes && bytes.error().kind == base::ErrorKind::kNotFound) continue;  // forgotten
    if (!bytes && bytes.error().kind != base::ErrorKind::kCorrupt)
      return std::unexpected(bytes.error());
    const auto name = name_of_object(object.name);
    if (!bytes || !name || base::blake3(*bytes) != name->bytes) {
      return base::fail(base::ErrorKind::kCorrupt,
                        object.name +
                            " is damaged, so nobody can tell what it needs, and nothing was "
                            "removed; `twinport repo repair` sets it aside");
    }
    const auto parts = format::decode_snapshot_clear(*bytes);
    if (!parts) {
      return base::fail(parts.error().kind,
                        object.name + " " + parts.error().message + "; nothing was removed");
    }
    out.push_back({.object = object.name, .roots = parts->clear.roots});
  }
  return out;
}

base::Result<IdSet> read_lost_chunks(BlobStore& store) {
  const auto objects = store.list("lost");
  if (!objects) return std::unexpected(objects.error());
  IdSet out;
  for (const BlobInfo& object : *objects) {
    const auto bytes = store.get(object.name, format::kIdListLargest);
    if (!bytes) continue;
    const auto ids = format::decode_id_list(format::IdListKind::kLost, *bytes);
    if (ids) out.insert(ids->begin(), ids->end());
  }
  return out;
}

bool is_ripe(const std::string& condemnation, const std::vector<SessionInfo>& sessions) {
  return std::ranges::all_of(sessions, [&](const SessionInfo& session) {
    return ("\n" + session.note).find("\n" + condemnation + "\n") != std::string::npos;
  });
}

base::Result<GcView> look_for_gc(BlobStore& store) {
  GcView view;
  auto sessions = store.sessions();
  if (!sessions) return std::unexpected(sessions.error());
  view.sessions = std::move(*sessions);
  auto snapshots = read_clear_snapshots(store);
  if (!snapshots) return std::unexpected(snapshots.error());
  view.snapshots = std::move(*snapshots);
  auto indexes = IndexSet::load(store, IndexTrust::kHash);
  if (!indexes) return std::unexpected(indexes.error());
  view.indexes = std::move(*indexes);
  // A chunk may be in a pack alone: its writer died before its index, or the index was lost.
  const auto add = [&](const model::ChunkId& pack, uint64_t size) {
    if (const auto outline = read_pack_outline(store, pack, size)) view.indexes.add(*outline);
  };
  for (const BlobInfo& object : view.indexes.unknown_packs())
    add(*name_of_object(object.name), object.size);
  for (const Condemnation& condemnation : view.indexes.condemnations()) {
    for (const model::ChunkId& pack : condemnation.packs) {
      const auto size = view.indexes.packs().find(pack);
      if (size != view.indexes.packs().end()) add(pack, size->second);
    }
  }
  const auto lost = read_lost_chunks(store);
  if (!lost) return std::unexpected(lost.error());
  std::vector<model::ChunkId> roots;
  for (const StoredSnapshot& snapshot : view.snapshots) roots.push_back(snapshot.roots);
  auto marks = mark(store, view.indexes, roots, {.known = &*lost});
  if (!marks) return std::unexpected(marks.error());
  if (marks->missing > 0) {
    return base::fail(
        base::ErrorKind::kCorrupt,
        std::to_string(marks->missing) +
            " chunks that snapshots need are lost or unreadable, so nobody can tell "
            "what else they need, and nothing was removed; see `twinport repo check`, "
            "then `twinport repo repair`");
  }
  view.marks = std::move(*marks);
  return view;
}

}  // namespace repo
