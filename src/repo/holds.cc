#include "repo/holds.h"

namespace repo {
namespace {

std::string hold_object(const model::ChunkId& snapshot) {
  return "holds/" + model::to_hex(snapshot.text());
}

}  // namespace

base::Result<IdSet> read_holds(BlobStore& store) {
  const auto objects = store.list("holds");
  if (!objects) return std::unexpected(objects.error());
  IdSet held;
  for (const BlobInfo& object : *objects) {
    if (const auto name = name_of_object(object.name)) held.insert(*name);
  }
  return held;
}

base::Result<void> set_hold(BlobStore& store, const model::ChunkId& snapshot, bool held) {
  // It says all that it has to say by being there.
  auto set =
      held ? store.put(hold_object(snapshot), "held\n") : store.remove(hold_object(snapshot));
  return set ? store.barrier() : set;
}

base::Result<void> remove_snapshots(BlobStore& store, const std::vector<model::ChunkId>& names) {
  // Once more, at the last moment: somebody may have held one since it was looked at.
  const auto held = read_holds(store);
  if (!held) return std::unexpected(held.error());
  for (const model::ChunkId& name : names) {
    if (held->contains(name)) continue;
    if (auto removed = store.remove("snapshots/" + model::to_hex(name.text())); !removed)
      return removed;
  }
  return names.empty() ? base::Result<void>() : store.barrier();
}

}  // namespace repo
