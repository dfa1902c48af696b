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
constexpr size_t kPiece = 1U << 20;

struct PackDamage {
  std::string what;  ///< "" = none
  std::vector<model::ChunkId> chunks;
  bool is_lost = false;  ///< nothing of it can be found
};

PackDamage lost_pack(std::string what) {
  return {.what = std::move(what), .chunks = {}, .is_lost = true};
}

/// A pack from front to back, a piece at a time, so that no whole pack is in memory.
class PackPass {
 public:
  PackPass(BlobStore& store, const BlobInfo& object, std::string& buffer)
      : store_(store), object_(object), buffer_(buffer) {}

  /// The next bytes, at most those that are left; they stand until the next call.
  base::Result<std::string_view> next(uint64_t most) {
    const uint64_t size = std::min(most, object_.size - at_);
    buffer_.resize(size);
    if (auto read = store_.get_range(object_.name, at_, buffer_); !read)
      return std::unexpected(read.error());
    at_ += size;
    hash_.update(buffer_);
    return buffer_;
  }

  /// What lies behind all that next() has read so far; next() reads it again.
  base::Result<std::string> last(uint64_t size) {
    std::string bytes(std::min(size, object_.size - at_), '\0');
    if (auto read = store_.get_range(object_.name, object_.size - bytes.size(), bytes); !read)
      return std::unexpected(read.error());
    return bytes;
  }

  /// Reads what is left, and says whether all that was read is what the name says.
  base::Result<bool> is_named(const model::ChunkId& name) {
    while (at_ < object_.size) {
      if (auto piece = next(kPiece); !piece) return std::unexpected(piece.error());
    }
    return hash_.finish() == name.bytes;
  }

 private:
  BlobStore& store_;
  const BlobInfo& object_;
  std::string& buffer_;
  base::Blake3 hash_;
  uint64_t at_ = 0;
};

/// Opens the segments of a pack; those that do not open, or not to what their ids say, are damage.
base::Result<PackDamage> open_segments(PackPass& pack, const BlobInfo& object,
                                       const Repository& repository) {
  if (object.size < format::kPackHeaderSize + format::kPackTrailerSize)
    return lost_pack("is too short");
  const auto first = pack.next(format::kPackHeaderSize);
  if (!first) return std::unexpected(first.error());
  const std::string header(*first);
  const auto decoded = format::decode_pack_header(header);
  if (!decoded) return lost_pack(decoded.error().message);
  if (decoded->repository != repository.config().repository)
    return lost_pack("is of another repository");
  const auto trailer = pack.last(format::kPackTrailerSize);
  if (!trailer) return std::unexpected(trailer.error());
  const auto directory = format::decode_directory_size(*trailer);
  if (!directory) return lost_pack(directory.error().message);
  const auto end = pack.last(uint64_t{*directory} + format::kPackTrailerSize);
  if (!end) return std::unexpected(end.error());
  const auto segments = format::decode_pack_end(header, *end, object.size);
  if (!segments) return lost_pack(segments.error().message);
  Sealer sealer(
      derive_key(repository.keys().data, base::as_text(decoded->salt), "twinport 1 session"));
  PackDamage damage;
  for (const model::SegmentEntry& segment : *segments) {
    const auto stored = pack.next(segment.stored);
    if (!stored) return std::unexpected(stored.error());
    const auto contents = base::blake3(*stored) == segment.hash
                              ? open_segment(sealer, header, segment, *stored)
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
  return damage;
}

/// `repository` is null where no key is at hand.
base::Result<PackDamage> damage_of_pack(BlobStore& store, const BlobInfo& object,
                                        const model::ChunkId& name, const Repository* repository,
                                        std::string& buffer) {
  PackPass pack(store, object, buffer);
  PackDamage damage;
  if (repository != nullptr) {
    auto opened = open_segments(pack, object, *repository);
    if (!opened || opened->is_lost) return opened;
    damage = std::move(*opened);
  }
  const auto named = pack.is_named(name);
  if (!named) return std::unexpected(named.error());
  if (*named) return damage;
  damage.what = "is damaged: its hash is not its name";
  damage.is_lost = repository == nullptr;
  return damage;
}

/// The object, and whether its bytes are what its name says.
void scrub_named(BlobStore& store, const BlobInfo& object, ScrubReport& report) {
  ++report.objects;
  report.bytes += object.size;
  const auto name = name_of_object(object.name);
  if (!name) {
    report.damage.push_back(object.name + " is not an object of a repository");
    return;
  }
  // Read, not mapped: a bad sector under a mapping would end us.
  std::string buffer;
  const auto named = PackPass(store, object, buffer).is_named(*name);
  if (!named) {
    if (named.error().kind != base::ErrorKind::kNotFound)
      report.damage.push_back(named.error().message);
  } else if (!*named) {
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
  // What is named right may say wrong things all the same.
  const auto indexes = IndexSet::load(store, IndexTrust::kPacks);
  if (!indexes) return std::unexpected(indexes.error());
  for (const std::string& notice : indexes->notices()) {
    const std::string object = notice.substr(0, notice.find(' '));
    const auto told = [&](const std::string& damage) { return damage.starts_with(object + " "); };
    if (std::ranges::none_of(report.damage, told)) report.damage.push_back(notice);
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
    std::string buffer;
    for (size_t i = next++; i < objects->size(); i = next++) {
      const BlobInfo& object = (*objects)[i];
      const auto name = name_of_object(object.name);
      PackDamage damage;
      if (!name) {
        damage = lost_pack("is not an object of a repository");
      } else if (object.size > format::kPackLargest) {
        damage = lost_pack("is larger than any pack");
      } else {
        auto found = damage_of_pack(store, object, *name, repository, buffer);
        if (!found && found.error().kind == base::ErrorKind::kNotFound) continue;
        damage = found ? std::move(*found) : lost_pack(found.error().message);
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
