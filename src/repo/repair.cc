#include "repo/repair.h"

#include <algorithm>
#include <set>

#include "base/blake3.h"
#include "format/id_list.h"
#include "format/pack.h"
#include "format/repository_config.h"
#include "format/snapshot_record.h"
#include "repo/gc_view.h"
#include "repo/index_merge.h"
#include "repo/repository.h"

namespace repo {
namespace {

constexpr size_t kSmallObject = 4096;
constexpr size_t kPacksOfAnIndex = 64;  // their directories are held in memory

class Repairer {
 public:
  Repairer(BlobStore& store, bool dry_run) : store_(store), dry_run_(dry_run) {}

  base::Result<RepairReport> run() {
    for (const auto step :
         {&Repairer::copies_of_config, &Repairer::copies_of_keys, &Repairer::snapshots,
          &Repairer::packs, &Repairer::indexes, &Repairer::lost_chunks}) {
      if (auto done = (this->*step)(); !done) return std::unexpected(done.error());
    }
    return std::move(report_);
  }

 private:
  base::Result<void> copies_of_config();
  base::Result<void> copies_of_keys();
  base::Result<void> snapshots();
  base::Result<void> packs();
  base::Result<void> indexes();
  base::Result<void> lost_chunks();

  base::Result<void> set_aside(const std::string& object, const std::string& bytes);
  base::Result<void> salvage(const std::string& object, std::string_view bytes);
  void say(std::string sentence) { report_.done.push_back(std::move(sentence)); }

  BlobStore& store_;
  const bool dry_run_;
  IdSet saved_;  ///< packs that were made of damaged ones
  RepairReport report_;
};

base::Result<void> Repairer::copies_of_config() {
  const auto good = read_config(store_);
  if (!good) return std::unexpected(good.error());
  for (const char* object : {"config", "config-copy"}) {
    const auto bytes = store_.get(object, kSmallObject);
    if (bytes && *bytes == *good) continue;
    if (!bytes && bytes.error().kind != base::ErrorKind::kNotFound &&
        bytes.error().kind != base::ErrorKind::kCorrupt) {
      return std::unexpected(bytes.error());
    }
    say(std::string(object) + " was made anew from its copy");
    if (dry_run_) continue;
    if (auto put = store_.put(object, *good); !put) return put;
  }
  return {};
}

base::Result<void> Repairer::copies_of_keys() {
  std::set<std::string> names;
  for (const char* folder : {"keys/", "key-copies/"}) {
    const auto objects = store_.list(std::string(folder, std::string_view(folder).size() - 1));
    if (!objects) return std::unexpected(objects.error());
    for (const BlobInfo& object : *objects) names.insert(object.name.substr(object.name.find('/')));
  }
  for (const std::string& name : names) {
    const auto id = name_of_object(name);
    const auto good = [&](const std::string& object) -> std::optional<std::string> {
      auto bytes = store_.get(object, kSmallObject);
      if (!id || !bytes || base::blake3(*bytes) != id->bytes) return std::nullopt;
      return std::move(*bytes);
    };
    const auto first = good("keys" + name);
    const auto second = good("key-copies" + name);
    if (first.has_value() == second.has_value()) continue;  // both well, or nothing to go by
    const std::string object = (first ? "key-copies" : "keys") + name;
    say(object + " was made anew from its copy");
    if (dry_run_) continue;
    if (auto put = store_.put(object, first ? *first : *second); !put) return put;
  }
  return {};
}

base::Result<void> Repairer::set_aside(const std::string& object, const std::string& bytes) {
  const std::string to = "damaged/" + object.substr(object.rfind('/') + 1);
  if (auto put = store_.put(to, bytes); !put) return put;
  if (auto synced = store_.barrier(); !synced) return synced;
  return store_.remove(object);
}

base::Result<void> Repairer::snapshots() {
  const auto objects = store_.list("snapshots");
  if (!objects) return std::unexpected(objects.error());
  for (const BlobInfo& object : *objects) {
    std::string bytes(object.size, '\0');
    if (auto read = store_.get_range(object.name, 0, bytes); !read) {
      if (read.error().kind == base::ErrorKind::kNotFound) continue;
      return read;
    }
    const auto name = name_of_object(object.name);
    const bool sound = name && base::blake3(bytes) == name->bytes;
    const auto clear = format::decode_snapshot_clear(bytes);
    if (!clear && clear.error().kind == base::ErrorKind::kUnsupported)
      return base::fail(clear.error().kind, object.name + " " + clear.error().message);
    if (sound && clear) continue;
    say(object.name + " is damaged and cannot be read by anybody; it was moved to damaged/");
    if (dry_run_) continue;
    if (auto moved = set_aside(object.name, bytes); !moved) return moved;
  }
  return {};
}

/// What of a damaged pack is as it was written, as a pack of its own.
base::Result<void> Repairer::salvage(const std::string& object, std::string_view bytes) {
  std::vector<model::SegmentEntry> good;
  std::string out;
  size_t all = 0;
  if (bytes.size() >= format::kPackHeaderSize + format::kPackTrailerSize) {
    const std::string_view header = bytes.substr(0, format::kPackHeaderSize);
    out = header;
    const auto size =
        format::decode_directory_size(bytes.substr(bytes.size() - format::kPackTrailerSize));
    const size_t end = size ? std::min<size_t>(bytes.size(), *size + format::kPackTrailerSize) : 0;
    // The directory's hash covers the header.
    const auto segments =
        format::decode_pack_end(header, bytes.substr(bytes.size() - end), bytes.size());
    for (model::SegmentEntry segment : segments ? *segments : std::vector<model::SegmentEntry>{}) {
      ++all;
      const std::string_view stored = bytes.substr(segment.offset, segment.stored);
      if (base::blake3(stored) != segment.hash) continue;
      segment.offset = static_cast<uint32_t>(out.size());
      out += stored;
      good.push_back(std::move(segment));
    }
  }
  say(object + " is damaged; " +
      (good.empty() ? "nothing of it could be saved"
                    : std::to_string(good.size()) + " of its " + std::to_string(all) +
                          " segments were saved") +
      ", and it was moved to damaged/");
  if (dry_run_ || good.empty()) return {};
  out += format::encode_pack_end(std::string_view(out).substr(0, format::kPackHeaderSize), good);
  const model::ChunkId name{base::blake3(out)};
  // It may have stood in the list torn, with another size.
  saved_.insert(name);
  if (auto put = store_.put(pack_object(name), out); !put) return put;
  return store_.barrier();
}

base::Result<void> Repairer::packs() {
  const auto objects = store_.list("packs");
  if (!objects) return std::unexpected(objects.error());
  std::string bytes;
  for (const BlobInfo& object : *objects) {
    if (object.size > format::kPackLargest) {
      say(object.name + " is larger than any pack; it was left as it is");
      continue;
    }
    bytes.resize(object.size);
    if (auto read = store_.get_range(object.name, 0, bytes); !read) {
      if (read.error().kind == base::ErrorKind::kNotFound) continue;
      return std::unexpected(base::Error{
          read.error().kind, read.error().message +
                                 "; nothing was done to it. Copy the repository to a disk that "
                                 "can be read, as far as it can, and repair the copy"});
    }
    ++report_.packs;
    report_.bytes += object.size;
    const auto name = name_of_object(object.name);
    if (name && (base::blake3(bytes) == name->bytes || saved_.contains(*name))) continue;
    if (auto saved = salvage(object.name, bytes); !saved) return saved;
    if (dry_run_) continue;
    if (auto moved = set_aside(object.name, bytes); !moved) return moved;
  }
  return {};
}

/// Every pack that no sound index names is written again, so that it survives, and named.
base::Result<void> Repairer::indexes() {
  const auto indexes = IndexSet::load(store_, IndexTrust::kPacks);
  if (!indexes) return std::unexpected(indexes.error());
  std::vector<PackOutline> outlines;
  std::set<std::string> made_anew;
  size_t named = 0;
  const auto put = [&]() -> base::Result<void> {
    if (outlines.empty()) return {};
    if (auto synced = store_.barrier(); !synced) return synced;
    const auto made = index_packs(store_, outlines);
    if (!made) return std::unexpected(made.error());
    made_anew.insert(made->begin(), made->end());
    outlines.clear();
    return {};
  };
  for (const BlobInfo& object : indexes->unknown_packs()) {
    ++named;
    if (dry_run_) continue;
    std::string bytes(object.size, '\0');
    auto outline = read_pack_outline(store_, *name_of_object(object.name), object.size);
    if (!outline || !store_.get_range(object.name, 0, bytes)) continue;
    if (auto again = store_.put(object.name, bytes); !again) return again;
    outlines.push_back(std::move(*outline));
    if (outlines.size() < kPacksOfAnIndex) continue;
    if (auto made = put(); !made) return made;
  }
  if (auto made = put(); !made) return made;
  if (named > 0) say(std::to_string(named) + " packs that no index named were indexed again");
  if (!dry_run_) {
    if (auto synced = store_.barrier(); !synced) return synced;
  }
  for (const std::string& object : indexes->damaged_indexes()) {
    // An index that says the same has the same name.
    if (made_anew.contains(object)) continue;
    say(object + " is damaged; what it said is in packs, so it was removed");
    if (dry_run_) continue;
    if (auto removed = store_.remove(object); !removed) return removed;
  }
  return dry_run_ ? base::Result<void>() : store_.barrier();
}

base::Result<void> Repairer::lost_chunks() {
  const auto snapshots = read_clear_snapshots(store_);
  if (!snapshots) return dry_run_ ? base::Result<void>() : std::unexpected(snapshots.error());
  auto indexes = IndexSet::load(store_, IndexTrust::kPacks);
  if (!indexes) return std::unexpected(indexes.error());
  std::vector<model::ChunkId> roots;
  for (const StoredSnapshot& snapshot : *snapshots) roots.push_back(snapshot.roots);
  const auto marks = mark(store_, *indexes, roots);
  if (!marks) return std::unexpected(marks.error());
  std::vector<model::ChunkId> lost = marks->lost;
  std::ranges::sort(lost);
  lost.erase(std::ranges::unique(lost).begin(), lost.end());
  report_.lost_chunks = lost.size();
  if (dry_run_) return {};
  const auto before = store_.list("lost");
  if (!before) return std::unexpected(before.error());
  std::string object;
  if (!lost.empty()) {
    const std::string bytes = format::encode_id_list(format::IdListKind::kLost, std::move(lost));
    object = "lost/" + model::to_hex(base::as_text(base::blake3(bytes)));
    if (auto put = store_.put(object, bytes); !put) return put;
  }
  for (const BlobInfo& old : *before) {
    if (old.name == object) continue;
    if (auto removed = store_.remove(old.name); !removed) return removed;
  }
  return store_.barrier();
}

}  // namespace

base::Result<RepairReport> repair(BlobStore& store, bool dry_run) {
  auto lock = store.try_lock("gc");
  if (!lock) return std::unexpected(lock.error());
  if (*lock == nullptr) {
    return base::fail(base::ErrorKind::kIo,
                      "a gc or repair is at work in " + store.description() +
                          "; nothing was changed. Run this again when it has ended");
  }
  return Repairer(store, dry_run).run();
}

}  // namespace repo
