#include "repo/scrub.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/blake3.h"
#include "format/chunk_index.h"
#include "format/key_slot.h"
#include "format/pack.h"
#include "format/repository_config.h"
#include "repo/index_set.h"
#include "repo/segment.h"

namespace repo {
namespace {

constexpr size_t kSmallObject = 4096;

struct PackDamage {
  std::string what;  ///< "" = none
  std::vector<model::ChunkId> chunks;
  bool is_lost = false;  ///< nothing of it can be found
};

PackDamage lost_pack(std::string what) {
  return {.what = std::move(what), .chunks = {}, .is_lost = true};
}

/// Opens the segments of a pack; those that do not open, or not to what their ids say, are damage.
void open_segments(std::string_view bytes, const Repository& repository, PackDamage& damage) {
  const std::string_view header = bytes.substr(0, format::kPackHeaderSize);
  const auto decoded = format::decode_pack_header(header);
  if (!decoded) return void(damage = lost_pack(decoded.error().message));
  if (decoded->repository != repository.config().repository)
    return void(damage = lost_pack("is of another repository"));
  if (bytes.size() < format::kPackHeaderSize + format::kPackTrailerSize)
    return void(damage = lost_pack("is too short"));
  const auto directory =
      format::decode_directory_size(bytes.substr(bytes.size() - format::kPackTrailerSize));
  if (!directory) return void(damage = lost_pack(directory.error().message));
  const size_t end_size = std::min<size_t>(bytes.size(), *directory + format::kPackTrailerSize);
  const auto segments =
      format::decode_pack_end(header, bytes.substr(bytes.size() - end_size), bytes.size());
  if (!segments) return void(damage = lost_pack(segments.error().message));
  Sealer sealer(
      derive_key(repository.keys().data, base::as_text(decoded->salt), "twinport 1 session"));
  for (const model::SegmentEntry& segment : *segments) {
    const std::string_view stored = bytes.substr(segment.offset, segment.stored);
    const auto contents = base::blake3(stored) == segment.hash
                              ? open_segment(sealer, header, segment, stored)
                              : base::fail(base::ErrorKind::kCorrupt, "is damaged");
    for (size_t i = 0; i < segment.chunks.size(); ++i) {
      const model::PackedChunk& chunk = segment.chunks[i];
      if (contents &&
          repository.chunk_id(decoded->kind, contents->chunk(i), chunk.references) == chunk.id) {
        continue;
      }
      if (damage.what.empty()) damage.what = "has chunks that are not what their ids say";
      damage.chunks.push_back(chunk.id);
    }
  }
}

PackDamage damage_of_pack(std::string_view bytes, const model::ChunkId& name,
                          const Repository* repository) {
  PackDamage damage;
  if (base::blake3(bytes) != name.bytes) damage.what = "is damaged: its hash is not its name";
  if (repository != nullptr) {
    open_segments(bytes, *repository, damage);
  } else {
    damage.is_lost = !damage.what.empty();
  }
  return damage;
}

/// The object, and whether its bytes are what its name says.
void scrub_named(BlobStore& store, const BlobInfo& object, ScrubReport& report) {
  ++report.objects;
  report.bytes += object.size;
  const auto view = store.map(object.name);
  if (!view) {
    if (view.error().kind != base::ErrorKind::kNotFound)
      report.damage.push_back(view.error().message);
    return;
  }
  const auto name = name_of_object(object.name);
  if (!name) {
    report.damage.push_back(object.name + " is not an object of a repository");
  } else if (base::blake3(view->bytes()) != name->bytes) {
    report.damage.push_back(object.name + " is damaged: its hash is not its name");
  }
}

}  // namespace

base::Result<ScrubReport> scrub_small_objects(BlobStore& store) {
  ScrubReport report;
  for (const char* object : {"config", "config-copy"}) {
    ++report.objects;
    const auto bytes = store.get(object, kSmallObject);
    if (!bytes) {
      report.damage.push_back(bytes.error().message);
    } else if (const auto config = format::decode_config(*bytes); !config) {
      report.damage.push_back(std::string(object) + " " + config.error().message);
    }
  }
  for (const char* folder : {"keys", "key-copies", "indexes", "snapshots"}) {
    const auto objects = store.list(folder);
    if (!objects) return std::unexpected(objects.error());
    for (const BlobInfo& object : *objects) scrub_named(store, object, report);
  }
  const auto keys = store.list("keys");
  const auto copies = store.list("key-copies");
  if (keys && copies && keys->size() != copies->size())
    report.damage.emplace_back("a key slot has lost its copy: keys/ and key-copies/ differ");
  return report;
}

base::Result<ScrubReport> scrub_packs(BlobStore& store, const Repository* repository,
                                      unsigned workers) {
  const auto objects = store.list("packs");
  if (!objects) return std::unexpected(objects.error());
  ScrubReport report;
  std::mutex mutex;
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    std::string bytes;
    for (size_t i = next++; i < objects->size(); i = next++) {
      const BlobInfo& object = (*objects)[i];
      const auto name = name_of_object(object.name);
      PackDamage damage;
      if (!name) {
        damage = lost_pack("is not an object of a repository");
      } else if (object.size > format::kPackLargest) {
        damage = lost_pack("is larger than any pack");
      } else {
        bytes.resize(object.size);
        const auto read = store.get_range(object.name, 0, bytes);
        if (!read && read.error().kind == base::ErrorKind::kNotFound) continue;
        damage = read ? damage_of_pack(bytes, *name, repository) : lost_pack(read.error().message);
      }
      const std::scoped_lock lock(mutex);
      ++report.objects;
      report.bytes += object.size;
      if (damage.what.empty()) continue;
      report.damage.push_back(object.name + " " + damage.what);
      if (name && damage.is_lost) report.damaged.packs.insert(*name);
      report.damaged.chunks.insert(damage.chunks.begin(), damage.chunks.end());
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < workers; ++i) threads.emplace_back(work);
    work();
  }
  std::ranges::sort(report.damage);
  return report;
}

}  // namespace repo
