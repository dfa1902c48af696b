#include "backup/check.h"

#include <unordered_map>
#include <unordered_set>

namespace backup {
namespace {

using Ids = std::unordered_set<model::ChunkId, model::ChunkIdHash>;

class Check {
 public:
  Check(repo::ChunkReader& reader, const repo::DamagedChunks& damaged,
        std::unordered_map<model::ChunkId, uint64_t, model::ChunkIdHash> packs,
        std::function<void(const std::string&, const std::string&)> on_problem)
      : reader_(reader),
        damaged_(damaged),
        packs_(std::move(packs)),
        on_problem_(std::move(on_problem)) {}

  /// Whether all below is well. What is well is looked at once, whoever refers to it; what is not
  /// is told of for each snapshot.
  bool listing(const model::ChunkId& id, const std::string& path, format::ListingKind kind) {
    if (well_.contains(id)) return true;
    const auto entries = read_listing(reader_, id, kind);
    if (!entries) {
      on_problem_(path, "its names are lost: " + entries.error().message);
      return false;
    }
    bool well = present(id);
    if (!well) on_problem_(path, "its names are in a damaged pack");
    for (const model::TreeEntry& entry : *entries) {
      const std::string below =
          kind == format::ListingKind::kRoots ? entry.name : join_path(path, entry.name);
      for (const model::ChunkId& listing_id : entry.listings)
        well &= listing(listing_id, below, format::ListingKind::kDirectory);
      if (entry.type == model::FileType::kFile) well &= file(entry, below);
    }
    if (well) well_.insert(id);
    return well;
  }
  [[nodiscard]] uint64_t files() const { return files_; }

 private:
  bool present(const model::ChunkId& id) {
    const auto place = reader_.locate(id);
    if (!place || damaged_.packs.contains(place->pack.name) || damaged_.chunks.contains(id))
      return false;
    const auto pack = packs_.find(place->pack.name);
    return pack != packs_.end() && pack->second == place->pack.size;
  }
  bool file(const model::TreeEntry& entry, const std::string& path) {
    ++files_;
    const auto pieces = read_pieces(reader_, entry);
    if (!pieces) {
      on_problem_(path, "its content is lost: " + pieces.error().message);
      return false;
    }
    uint64_t lost = 0;
    for (const model::Piece& piece : *pieces) lost += present(piece.id) ? 0 : piece.length;
    if (lost > 0) on_problem_(path, std::to_string(lost) + " bytes of it are lost or damaged");
    return lost == 0;
  }

  repo::ChunkReader& reader_;
  const repo::DamagedChunks& damaged_;
  const std::unordered_map<model::ChunkId, uint64_t, model::ChunkIdHash> packs_;
  const std::function<void(const std::string&, const std::string&)> on_problem_;
  Ids well_;
  uint64_t files_ = 0;
};

}  // namespace

base::Result<CheckReport> check_snapshots(
    const repo::Repository& repository, const repo::DamagedChunks& damaged,
    const std::function<void(const std::string& snapshot, const std::string& path,
                             const std::string& what)>& on_problem) {
  // Snapshots before indexes: what a snapshot needs is in an index by then.
  const auto list = repository.snapshots();
  if (!list) return std::unexpected(list.error());
  const auto objects = repository.store().list("packs");
  if (!objects) return std::unexpected(objects.error());
  std::unordered_map<model::ChunkId, uint64_t, model::ChunkIdHash> packs;
  for (const repo::BlobInfo& object : *objects) {
    if (const auto name = repo::name_of_object(object.name)) packs[*name] = object.size;
  }
  auto reader = repo::ChunkReader::open(repository);
  if (!reader) return std::unexpected(reader.error());
  CheckReport report;
  std::string snapshot;
  Check check(**reader, damaged, std::move(packs),
              [&](const std::string& path, const std::string& what) {
                ++report.problems;
                on_problem(snapshot, path, what);
              });
  for (const std::string& unreadable : list->damaged) {
    ++report.problems;
    on_problem("", "", unreadable);
  }
  for (const repo::SnapshotObject& object : list->snapshots) {
    snapshot = model::to_hex(object.name.text());
    check.listing(object.snapshot.roots, "/", format::ListingKind::kRoots);
    ++report.snapshots;
  }
  report.files = check.files();
  return report;
}

}  // namespace backup
